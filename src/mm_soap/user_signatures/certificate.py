"""The certificate of a user: reading it, whether it may sign, and whom it names."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from mm_soap.errors import Refusal, Refused
from mm_soap.message.identifiers import is_coordination, is_person
from mm_soap.pki import TrustStore, load_certificate
from mm_soap.user_signatures.model import Signer, UserSignatureError, UserSignatureProblem

MIN_RSA_BITS: Final = 2048
"""The shortest RSA key that is accepted, in bits."""

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_MAX_FIELD: Final = 131_072
_NATURAL_PERSON: Final = "PNOSE-"
"""Before a Swedish personal number in a semantic identifier (ETSI EN 319 412-1, 5.1.3)."""

_NAME: Final = x509.ObjectIdentifier("2.5.4.41")
_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_REASONS: Final = {
    Refusal.CERTIFICATE_UNKNOWN_ISSUER: UserSignatureProblem.UNKNOWN_ISSUER,
    Refusal.CERTIFICATE_EXPIRED: UserSignatureProblem.EXPIRED,
    Refusal.CERTIFICATE_NOT_YET_VALID: UserSignatureProblem.NOT_YET_VALID,
    Refusal.CERTIFICATE_REVOKED: UserSignatureProblem.REVOKED,
    Refusal.CERTIFICATE_PATH_INVALID: UserSignatureProblem.PATH_INVALID,
    Refusal.CERTIFICATE_UNREADABLE: UserSignatureProblem.CERTIFICATE_UNREADABLE,
}


def read_field(content: str) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """Return the certificate of SignatureData/Certificate, and those that stand after it in PEM form.

    Raises:
        UserSignatureError: ``CERTIFICATE_UNREADABLE``.
    """
    if len(content) > _MAX_FIELD:
        raise UserSignatureError(UserSignatureProblem.CERTIFICATE_UNREADABLE)
    leaf, *others = [read_base64(each) for each in _PEM.findall(content) or [content]]
    return leaf, others


def read_base64(content: str) -> x509.Certificate:
    """Return the certificate that stands in base64, such as in ds:X509Certificate; white space does not matter.

    Raises:
        UserSignatureError: ``CERTIFICATE_UNREADABLE``.
    """
    try:
        return read_der(b64decode("".join(content.split()), validate=True))
    except ValueError:
        raise UserSignatureError(UserSignatureProblem.CERTIFICATE_UNREADABLE) from None


def read_der(content: bytes) -> x509.Certificate:
    """Return the certificate of DER bytes.

    Raises:
        UserSignatureError: ``CERTIFICATE_UNREADABLE``.
    """
    try:
        return load_certificate(content)
    except Refused:
        raise UserSignatureError(UserSignatureProblem.CERTIFICATE_UNREADABLE) from None


def check_certificate(
    certificate: x509.Certificate, intermediates: Sequence[x509.Certificate], issuers: TrustStore
) -> None:
    """Check that an e-identification issuer stands behind the certificate, and that its key may sign.

    keyUsage, where there is one, must hold digitalSignature or nonRepudiation. Keys are RSA of 2048 bits or more, or
    on the curves P-256, P-384 and P-521.

    Raises:
        UserSignatureError: with the reason.
        Refused: ``CERTIFICATE_STATUS_UNKNOWN``.
    """
    try:
        issuers.check_path(certificate, intermediates)
    except Refused as refused:
        if refused.refusal is Refusal.CERTIFICATE_STATUS_UNKNOWN:
            raise  # nothing is wrong with the signature: the same call may be repeated
        raise UserSignatureError(_REASONS.get(refused.refusal, UserSignatureProblem.PATH_INVALID)) from None
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage and not (usage.digital_signature or usage.content_commitment):
        raise UserSignatureError(UserSignatureProblem.WRONG_USAGE)
    if not _key_accepted(certificate):
        raise UserSignatureError(UserSignatureProblem.KEY)


def _key_accepted(certificate: x509.Certificate) -> bool:
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return False
    if isinstance(key, RSAPublicKey):
        return key.key_size >= MIN_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def signer_of(certificate: x509.Certificate) -> Signer:
    """Return the person whom the subject names.

    The number is the one serialNumber: 12 digits, alone or after ``PNOSE-``. The name is givenName with surname, else
    commonName, else name (OID 2.5.4.41), which some issuers use for the name of the e-identification.

    Raises:
        UserSignatureError: ``NO_PERSONAL_NUMBER``, also when there are several, or ``NO_NAME``.
    """
    numbers = _values(certificate, NameOID.SERIAL_NUMBER)
    number = numbers[0].removeprefix(_NATURAL_PERSON) if len(numbers) == 1 else ""
    if not (is_person(number) or is_coordination(number)):
        raise UserSignatureError(UserSignatureProblem.NO_PERSONAL_NUMBER)
    given, family = _values(certificate, NameOID.GIVEN_NAME), _values(certificate, NameOID.SURNAME)
    whole = [" ".join([*given, *family])] if given and family else []
    names = [*whole, *_values(certificate, NameOID.COMMON_NAME), *_values(certificate, _NAME)]
    # The name goes into answers, and XML has no place for some characters.
    name = next((clean for each in names if (clean := " ".join(_NOT_IN_XML.sub(" ", each).split()))), "")
    if not name:
        raise UserSignatureError(UserSignatureProblem.NO_NAME)
    return Signer(number, name)


def _values(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [a.value for a in certificate.subject.get_attributes_for_oid(oid) if isinstance(a.value, str)]
