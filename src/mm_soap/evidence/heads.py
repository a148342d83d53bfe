"""Heads of chains, signed: CMS signed data (RFC 5652) with the document in it, as openssl writes and reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from asn1crypto import pem  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from mm_soap.errors import ConfigurationError, Refused
from mm_soap.pki import Identity, TrustStore
from mm_soap.user_signatures import UserSignatureError
from mm_soap.user_signatures.cms_signature import CmsSignature, read_cms

_BEGINS: Final = "-----BEGIN PKCS7-----"


def sign_heads(document: str, identity: Identity) -> str:
    """Return a document in CMS signed data, in PEM form, with the certificate and its chain."""
    builder = (
        PKCS7SignatureBuilder().set_data(document.encode()).add_signer(identity.certificate, identity.key, SHA256())
    )
    for certificate in identity.chain:
        builder = builder.add_certificate(certificate)
    return builder.sign(Encoding.PEM, [PKCS7Options.Binary, PKCS7Options.NoCapabilities]).decode()


class SignedHeads:
    """What `sign_heads` returned. Nothing of it is to be believed before `check`.

    Args:
        text: all of the file.
        file: its name, for messages.

    Raises:
        ConfigurationError: it is something else.
    """

    def __init__(self, text: str, file: Path) -> None:
        self._file = file
        try:
            _, _, raw = pem.unarmor(text.encode())
            self._signed: CmsSignature = read_cms(raw)
            self.document = (self._signed.content or b"").decode()
        except (ValueError, UserSignatureError):
            raise ConfigurationError(f"{file} must hold what `mm-soap evidence head --sign` printed.") from None

    @staticmethod
    def is_in(text: str) -> bool:
        """Tell whether a file is of this kind."""
        return text.lstrip().startswith(_BEGINS)

    def check(self, anchors: Sequence[Path], at: datetime) -> str:
        """Check the signature, and return the number of the organisation that made it.

        Args:
            anchors: PEM files of the authorities that are believed.
            at: when it was made, as the document says: the certificate must have been valid then. Whether it was
                revoked is not looked at.

        Raises:
            ConfigurationError: the signature does not hold, or nobody knows whose it is.
        """
        try:
            (signer,) = [one for one in self._signed.certificates if self._signed.names(one)]
            self._signed.check(signer, self.document, "utf-8", None, at)
            others = [one for one in self._signed.certificates if one != signer]
            return TrustStore.load(anchors, lambda: at).check(signer, others).organisation
        except (ValueError, UserSignatureError):
            raise ConfigurationError(f"The signature of {self._file} does not hold: it was changed.") from None
        except Refused as refused:
            raise ConfigurationError(f"The signer of {self._file} is not believed: {refused.description}") from None
