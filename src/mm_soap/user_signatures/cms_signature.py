"""CMS signed data (RFC 5652, PKCS #7) over the agreement text, detached or attached.

The only importer of pyhanko. What is read here by asn1crypto is the structure alone; pyhanko checks the signature over
the signed attributes, their content type, their digest and, where they are there, the attributes that name the
certificate and the algorithms.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final

from asn1crypto import cms, core  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.asn1 import make_ready
from mm_soap.user_signatures.certificate import read_der
from mm_soap.user_signatures.mark import mark_of
from mm_soap.user_signatures.model import UserSignatureError, UserSignatureProblem
from mm_soap.user_signatures.text import is_text, ways_to_sign

MAX_CERTIFICATES: Final = 8
"""How many certificates the signed data may hold."""

SENDER_NONCES: Final = ("2.16.840.1.113733.1.9.5", "1.3.6.1.5.5.7.7.6")
"""The signed attributes that hold a nonce: senderNonce of SCEP (RFC 8894, 3.2.1.5) and of CMC (RFC 5272, 6.6)."""

make_ready()

_DIGESTS: Final = frozenset({"sha256", "sha384", "sha512"})
_SIGNATURES: Final = {f"{digest}_{kind}": digest for digest in _DIGESTS for kind in ("rsa", "ecdsa")}
_RSA_ENCRYPTION: Final = "rsassa_pkcs1v15"
"""The signature algorithm that names no digest; then it is that of the signed attributes."""


@dataclass(frozen=True)
class CmsSignature:
    """Signed data with one signer and accepted algorithms; nothing of it is verified yet."""

    signer: Any = field(repr=False)
    """asn1crypto's SignerInfo."""

    digest: str
    content: bytes | None = field(repr=False)
    """What was signed, if it is attached."""

    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    """All that came inside, in no order."""

    def names(self, certificate: x509.Certificate) -> bool:
        """Whether the signer's identifier is this certificate's."""
        try:
            own, identifier = _asn1(certificate), self.signer["sid"]
            if identifier.name == "subject_key_identifier":
                return bool(identifier.chosen.native == own.key_identifier)
            same_number: bool = identifier.chosen["serial_number"].native == own.serial_number
            return same_number and bool(identifier.chosen["issuer"] == own.issuer)
        except Exception:  # as in read_cms
            return False

    def check(self, signer: x509.Certificate, text: str, codec: str, nonce: str | None, moment: datetime) -> None:
        """Check the signature, and that its user signed this text.

        Args:
            signer: whose key it must be; found trustworthy already.
            text: the agreement text.
            codec: Python's name of EncodingOfSignedText.
            nonce: what the signed attribute `SENDER_NONCES` must hold, as text or in base64; None for anything.
            moment: not used; the signed attributes may name another time, which proves nothing.

        Raises:
            UserSignatureError: with the reason.
        """
        ways = ways_to_sign(text, codec) if self.content is None else [self.content]
        # At least one round, so that a signature of nobody is not called one of another text.
        if not any(self._holds(signer, way) for way in ways or [b""]):
            detached = self.content is None
            raise UserSignatureError(
                UserSignatureProblem.WRONG_TEXT if detached else UserSignatureProblem.DOES_NOT_VERIFY
            )
        if not ways or (self.content is not None and not is_text(self.content, codec, text)):
            raise UserSignatureError(UserSignatureProblem.WRONG_TEXT)
        if nonce is not None and self._nonce() not in _octets(nonce):
            raise UserSignatureError(UserSignatureProblem.NONCE)

    def mark(self, signer: x509.Certificate) -> str:
        """Return the mark of the signature, once it was checked."""
        try:
            return mark_of(signer, bytes(self.signer["signature"].native), der=True)
        except ValueError:
            raise UserSignatureError(UserSignatureProblem.SHAPE) from None

    def _holds(self, signer: x509.Certificate, content: bytes) -> bool:
        try:
            intact, valid = _integrity()(self.signer, _asn1(signer), "data", hashlib.new(self.digest, content).digest())
        except Exception:  # it names several, asn1crypto reads lazily, and what was sent must not decide what escapes
            raise UserSignatureError(UserSignatureProblem.DOES_NOT_VERIFY) from None
        if not valid:
            raise UserSignatureError(UserSignatureProblem.DOES_NOT_VERIFY)
        return intact

    def _nonce(self) -> bytes | None:
        try:
            attributes = [a for a in self.signer["signed_attrs"] if a["type"].dotted in SENDER_NONCES]
            ((value,),) = [a["values"] for a in attributes]
            return bytes(core.OctetString.load(value.dump(), strict=True).native)
        except Exception:  # as in _holds; none, several and another type are all no nonce
            return None


@cache
def _integrity() -> Callable[..., tuple[bool, bool]]:
    # Imported with the first signature: it costs 0.4 s and 18 MB, and most processes never see one.
    from pyhanko.sign.validation.generic_cms import validate_sig_integrity

    make_ready()
    return validate_sig_integrity


def read_cms(raw: bytes) -> CmsSignature:
    """Return the signed data of DER or BER bytes, its shape checked.

    Raises:
        UserSignatureError: ``UNKNOWN_FORM``, ``SHAPE``, ``SEVERAL_SIGNERS``, ``NO_SIGNED_ATTRIBUTES``, ``ALGORITHM``
            or ``CERTIFICATE_UNREADABLE``.
    """
    try:
        return _read(raw)
    except UserSignatureError:
        raise
    except Exception:  # asn1crypto reads lazily and raises several; what was sent must not decide what escapes
        raise UserSignatureError(UserSignatureProblem.SHAPE) from None


def _read(raw: bytes) -> CmsSignature:
    info = cms.ContentInfo.load(raw, strict=True)
    if info["content_type"].native != "signed_data":
        raise UserSignatureError(UserSignatureProblem.UNKNOWN_FORM)
    signed = info["content"]
    encapsulated = signed["encap_content_info"]
    if encapsulated["content_type"].native != "data":
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    if len(signed["signer_infos"]) != 1:
        raise UserSignatureError(UserSignatureProblem.SEVERAL_SIGNERS)
    (signer,) = signed["signer_infos"]
    if isinstance(signer["signed_attrs"], core.Void):
        # Without them, what was signed may be the attributes of another signature, handed over as a text.
        raise UserSignatureError(UserSignatureProblem.NO_SIGNED_ATTRIBUTES)
    digest = signer["digest_algorithm"]["algorithm"].native
    algorithm = signer["signature_algorithm"]["algorithm"].native
    if digest not in _DIGESTS or (algorithm != _RSA_ENCRYPTION and _SIGNATURES.get(algorithm) != digest):
        raise UserSignatureError(UserSignatureProblem.ALGORITHM)
    content = encapsulated["content"]
    return CmsSignature(
        signer, digest, None if isinstance(content, core.Void) else bytes(content.native), _certificates(signed)
    )


def _certificates(signed: Any) -> tuple[x509.Certificate, ...]:
    given = signed["certificates"]
    found = [] if isinstance(given, core.Void) else [each.chosen for each in given if each.name == "certificate"]
    if len(found) > MAX_CERTIFICATES:
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    return tuple(read_der(each.dump()) for each in found)


def _asn1(certificate: x509.Certificate) -> asn1.Certificate:
    # Read anew each time: the library's objects are filled in lazily and not made for sharing by threads.
    return asn1.Certificate.load(certificate.public_bytes(Encoding.DER), strict=True)


def _octets(nonce: str) -> list[bytes]:
    octets = nonce.encode("utf-8", "replace")
    try:
        return [octets, b64decode("".join(nonce.split()), validate=True)]
    except ValueError:
        return [octets]
