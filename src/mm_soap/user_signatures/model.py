"""What comes in, what comes out, and why a user's signature was refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mm_soap.errors import MmSoapError


@dataclass(frozen=True, slots=True)
class UserSignature:
    """A user's signature as it came: the contract's SignatureData (schema Common).

    ``signature`` is its Signature, base64 already decoded: an XML signature, or CMS in DER or BER. ``certificate`` is
    the certificate that signed, as base64 of DER or as PEM. ``nonce`` is None where none was given. ``encoding`` is
    EncodingOfSignedText: how the agreement text became the bytes that were signed.
    """

    signature: bytes = field(repr=False)
    certificate: str = field(repr=False)
    nonce: str | None = field(default=None, repr=False)
    encoding: str = "UTF-8"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, as the certificate says it: a personal or coordination number of 12 digits, and a name.

    ``mark`` is the same whenever the same signature comes again, however it is written: a SHA-256 of its key and
    value, in hexadecimal. It is empty where a verifier cannot tell.
    """

    personal_number: str = field(repr=False)
    name: str = field(repr=False)
    mark: str = field(default="", repr=False, compare=False)


class UserSignatureProblem(Enum):
    """Why a user's signature was refused. The member's value is a sentence for the caller."""

    UNKNOWN_FORM = "The signature is neither an XML signature nor CMS signed data."
    TOO_LARGE = "The signature is longer than is accepted."
    SHAPE = "The signature is built in another way than is accepted."
    SEVERAL_SIGNERS = "The signature must have exactly one signer. Send each signature by itself."
    NO_SIGNED_ATTRIBUTES = "The CMS signature has no signed attributes. Sign with them."
    ALGORITHM = "The signature uses an algorithm or a transform that is not accepted."
    DOES_NOT_VERIFY = "The signature does not verify: what was signed was changed, or another key signed it."
    WRONG_TEXT = "The text that was signed is not the agreement text."
    ENCODING = "EncodingOfSignedText is not supported, or is not the encoding that was signed."
    PURPOSE = "The signature was made for another purpose than to sign a text that the user saw."
    NONCE = "The Nonce is not the one that was signed."
    CERTIFICATE_UNREADABLE = "The Certificate cannot be read: it must be base64 of a certificate, or PEM."
    OTHER_CERTIFICATE = "The Certificate is not the one that the signature names."
    UNKNOWN_ISSUER = "The certificate was not issued by an e-identification issuer that is trusted here."
    PATH_INVALID = "The path from the certificate to an e-identification issuer is not valid."
    EXPIRED = "The certificate has expired."
    NOT_YET_VALID = "The certificate is not valid yet."
    REVOKED = "The certificate is revoked."
    WRONG_USAGE = "The certificate's key may not be used for signatures (key usage)."
    KEY = "The certificate's key is of a kind that is not accepted, or too short."
    NO_PERSONAL_NUMBER = "The certificate names no personal number: one serialNumber of 12 digits, or PNOSE- and them."
    NO_NAME = "The certificate does not name the person."


class UserSignatureError(MmSoapError):
    """A user's signature was refused.

    Its text never holds anything that was sent. Callers make it a fault: 5010 in register, 5012 elsewhere. Source: the
    contract's error codes.

    Args:
        reason: why.
    """

    def __init__(self, reason: UserSignatureProblem) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def description(self) -> str:
        """The sentence for the caller."""
        return self.reason.value

    def __str__(self) -> str:
        return f"{self.reason.name}: {self.description}"
