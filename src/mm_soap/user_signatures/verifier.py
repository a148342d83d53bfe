"""The verifier of users' signatures: from bytes to the person who signed the agreement text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509

from mm_soap.clock import Clock
from mm_soap.pki import TrustStore
from mm_soap.pki.trust import Statuses
from mm_soap.user_signatures.certificate import check_certificate, read_field, signer_of
from mm_soap.user_signatures.cms_signature import CmsSignature, read_cms
from mm_soap.user_signatures.model import Signer, UserSignature, UserSignatureError, UserSignatureProblem
from mm_soap.user_signatures.text import codec_of
from mm_soap.user_signatures.xml_signature import XmlSignature, read_xml

MAX_SIGNATURE_BYTES: Final = 1_048_576
"""Signatures longer than this, decoded, are not read. Real ones, with their text and chain, have some ten thousand."""

_SEQUENCE: Final = b"\x30"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class UserSignatureVerifier:
    """Says who signed an agreement text. May be used by many threads.

    ::

        verifier = UserSignatureVerifier.load([Path("pki/e-identification-ca.pem")], system_clock)
        verifier.verify(signature, "I want digital post.").personal_number

    Args:
        anchors: the e-identification issuers. Only authorities count. Without any, every signature is refused.
        clock: certificates must be valid at the time of the call, whenever the user signed.
        statuses: what is known of revocations; None to look at none.
    """

    def __init__(self, anchors: Sequence[x509.Certificate], clock: Clock, statuses: Statuses | None = None) -> None:
        self._issuers = TrustStore(anchors, clock, statuses)
        self._clock = clock

    @classmethod
    def load(cls, files: Iterable[Path], clock: Clock, statuses: Statuses | None = None) -> UserSignatureVerifier:
        """Return the verifier whose anchors are all certificates of these PEM files.

        Raises:
            ConfigurationError: a file cannot be read or holds no certificate.
        """
        verifier = cls((), clock)
        verifier._issuers = TrustStore.load(files, clock, statuses)
        return verifier

    def verify(self, signature: UserSignature, text: str) -> Signer:
        """Return the person who signed the text.

        Source: the contract's services, "Recipient". What it does not say, such as where the Nonce stands, is in
        decision record 10.

        Args:
            signature: XML or CMS; which of them shows in its first byte.
            text: the agreement text, whole. It may differ from what was signed in how its lines end, nothing else.

        Raises:
            UserSignatureError: the reason; the first that was found.
            Refused: ``CERTIFICATE_STATUS_UNKNOWN``: whether the certificate is revoked could not be found out now.
        """
        codec = codec_of(signature.encoding)
        form = _read(signature.signature)
        certificate, others = read_field(signature.certificate)
        if not form.names(certificate):
            raise UserSignatureError(UserSignatureProblem.OTHER_CERTIFICATE)
        intermediates = [c for c in (*form.certificates, *others) if c != certificate]
        check_certificate(certificate, intermediates, self._issuers)
        signer = signer_of(certificate)
        # An empty Nonce is what some stacks write for none.
        form.check(certificate, text, codec, signature.nonce or None, self._clock())
        return replace(signer, mark=form.mark(certificate))


def _read(raw: bytes) -> XmlSignature | CmsSignature:
    if len(raw) > MAX_SIGNATURE_BYTES:
        raise UserSignatureError(UserSignatureProblem.TOO_LARGE)
    if raw.startswith(_SEQUENCE):
        return read_cms(raw)
    if raw.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"<"):
        return read_xml(raw)
    raise UserSignatureError(UserSignatureProblem.UNKNOWN_FORM)
