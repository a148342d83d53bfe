"""The test bed's own authority: it certifies organisations for tests, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from mm_soap.clock import Clock
from mm_soap.errors import ConfigurationError
from mm_soap.message.identifiers import is_organisation, valid_check_digit
from mm_soap.pki import TEST_CA_MARK, read_certificates
from mm_soap.testing.certificates import ISSUING, SIGNING, distinguished_name, new_key, pem, sign, write_key

LONGEST_REQUEST: Final = 8192
"""The longest certificate request that is read, in bytes."""

_LONGEST_NAME: Final = 64
_RSA_BITS: Final = range(2048, 4096 + 1)
_AUTHORITY_LASTS: Final = timedelta(days=3650)
_MARGIN: Final = timedelta(days=1)


class RequestRefused(Exception):
    """A certificate request was refused. The text says why and what to do, and repeats nothing that was sent."""


@dataclass(frozen=True)
class CertificateRequest:
    """What a certificate request asks for, once it was checked.

    Args:
        organisation: the organisation number, 12 digits, its check digit right.
        name: the organisation's name.
        key: the public key; the requester has the private one.
    """

    organisation: str
    name: str
    key: rsa.RSAPublicKey = field(repr=False)


def read_request(raw: bytes) -> CertificateRequest:
    """Read a certificate request (PKCS #10), in PEM or DER form.

    Number and name are taken from the subject's serialNumber and organizationName. Nothing else of the request comes
    into the certificate.

    Raises:
        RequestRefused: it cannot be read, its signature does not hold, it wants to be an authority, or its number,
            name or key is not what a sender has.
    """
    if len(raw) > LONGEST_REQUEST:
        raise RequestRefused(f"The request is longer than {LONGEST_REQUEST} bytes.")
    try:
        pem_form = b"-----BEGIN" in raw
        request = x509.load_pem_x509_csr(raw) if pem_form else x509.load_der_x509_csr(raw)
        key, subject, extensions = request.public_key(), request.subject, request.extensions
        signed = request.is_signature_valid
    except Exception:  # the parser names several, and what was sent must never decide what escapes
        raise RequestRefused("This is no certificate request (PKCS #10, PEM or DER): make one with openssl.") from None
    if not signed:
        raise RequestRefused("The request is not signed with the key that it asks a certificate for.")
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in _RSA_BITS:
        raise RequestRefused("The key must be an RSA key of 2048 to 4096 bits.")
    if any(_wants_to_issue(one.value) for one in extensions):
        raise RequestRefused(
            "The request asks for the rights of an authority: leave basicConstraints and keyUsage out."
        )
    number = _only(subject, NameOID.SERIAL_NUMBER, "serialNumber")
    if not is_organisation(number) or not valid_check_digit(number):
        raise RequestRefused(
            "The subject's serialNumber must be an organisation number: 12 digits that begin with 16, with a right "
            "check digit."
        )
    name = _only(subject, NameOID.ORGANIZATION_NAME, "organizationName (O)")
    if not 2 <= len(name) <= _LONGEST_NAME or name != name.strip() or not name.isprintable():
        raise RequestRefused(f"The subject's organizationName (O) must be a name of 2 to {_LONGEST_NAME} characters.")
    return CertificateRequest(number, name, key)


def _only(subject: x509.Name, what: x509.ObjectIdentifier, name: str) -> str:
    values = [attribute.value for attribute in subject.get_attributes_for_oid(what)]
    if len(values) != 1 or not isinstance(values[0], str):
        raise RequestRefused(f"The subject must have one {name}.")
    return values[0]


def _wants_to_issue(extension: x509.ExtensionType) -> bool:
    if isinstance(extension, x509.BasicConstraints):
        return extension.ca
    return isinstance(extension, x509.KeyUsage) and (extension.key_cert_sign or extension.crl_sign)


@dataclass(frozen=True)
class TestbedAuthority:
    """An authority with its key.

    Args:
        certificate: its own, self-signed, with the mark of the test CA: no production installation takes it.
        key: its private key.
        lasts: how long what it issues is valid.
        clock: the time.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)
    lasts: timedelta
    clock: Clock

    @classmethod
    def load(cls, certificate: Path, key: Path, lasts: timedelta, clock: Clock) -> TestbedAuthority:
        """Return the authority of two PEM files; both are made where neither is there.

        Raises:
            ConfigurationError: a file cannot be read or written, or the two do not belong together.
        """
        if not certificate.exists() and not key.exists():
            _make(certificate, key, clock)
        own = read_certificates(certificate)[0]
        try:
            private = load_pem_private_key(key.read_bytes(), password=None)
        except OSError as error:
            raise ConfigurationError(f"The key file {key} cannot be read: {error.strerror}.") from None
        except Exception:
            raise ConfigurationError(f"The file {key} must hold a private key in PEM form, and does not.") from None
        if not isinstance(private, rsa.RSAPrivateKey) or private.public_key() != own.public_key():
            raise ConfigurationError(
                f"The key in {key} does not belong to {certificate}: remove both, to make them anew."
            )
        return cls(own, private, lasts, clock)

    def issue(self, request: CertificateRequest) -> Sequence[x509.Certificate]:
        """Return a certificate for signatures alone, and then the authority's."""
        now = self.clock().replace(microsecond=0)
        subject = distinguished_name(("SE", request.name, request.name), request.organisation)
        extensions = [(SIGNING, True), (x509.BasicConstraints(ca=False, path_length=None), True)]
        end = min(now + self.lasts, self.certificate.not_valid_after_utc)
        issuer = self.certificate.subject
        made = sign(subject, request.key, issuer, self.key, now - _MARGIN, end, extensions)
        return made, self.certificate


def _make(certificate: Path, key: Path, clock: Clock) -> None:
    now = clock().replace(microsecond=0)
    private = new_key()
    name = distinguished_name(("SE", "mm-soap", f"{TEST_CA_MARK}, test bed"))
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (ISSUING, True),
        (x509.BasicConstraints(ca=True, path_length=0), True),
    ]
    # Dated back, so that it is older than whatever it issues.
    made = sign(name, private.public_key(), name, private, now - 30 * _MARGIN, now + _AUTHORITY_LASTS, extensions)
    try:
        certificate.parent.mkdir(parents=True, exist_ok=True)
        key.parent.mkdir(parents=True, exist_ok=True)
        write_key(key, private)
        certificate.write_bytes(pem([made]))
    except OSError as error:
        raise ConfigurationError(f"The folder {certificate.parent} cannot be written: {error.strerror}.") from None
