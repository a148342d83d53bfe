"""Signatures of a shape that was verified before: all their bytes are known but for two values.

What one signer's software signs differs from signature to signature in DigestValue and SignatureValue alone. The first
of them is taken apart and verified in full. Its bytes around the two values are then its shape, and of the next one
with the same shape only the values are looked at. That is sound:

- Both values are base64 and white space, so nothing in them is markup: the next signature is the same tree but for two
  texts. Every check of its structure, its algorithms and its certificates would say what it said of the first.
- The canonical text of SignedInfo holds the one value at the one place where the first had its own.
- A shape is kept for one certificate and one policy. Whether the certificate is trusted is asked anew every time, by
  whoever asks here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1, sha256, sha384, sha512
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from mm_soap.dsig.cut import mentions
from mm_soap.dsig.policy import SignaturePolicy
from mm_soap.dsig.signature import signed_info_text
from mm_soap.dsig.structure import INCLUSIVE, Canonicalization, decoded
from mm_soap.errors import Refused
from mm_soap.xml import DSIG, MESSAGE_V3, parse_untrusted

_MOST: Final = 1024
"""Shapes that are remembered; each takes some kilobytes."""
_LONGEST: Final = 65_536
"""Bytes of a signature that may have a shape: what is sent must not decide how much is remembered."""
_DS: Final = {"ds": DSIG}
_VALUES: Final = re.compile(
    rb"(.*?DigestValue>)([A-Za-z0-9+/=\n ]{1,200})(</.*?SignatureValue>)([A-Za-z0-9+/=\n ]{1,4000})(</.*)", re.DOTALL
)
_DIGESTS: Final[dict[DigestAlgorithm, Callable[[bytes], Any]]] = {
    DigestAlgorithm.SHA1: sha1,
    DigestAlgorithm.SHA256: sha256,
    DigestAlgorithm.SHA384: sha384,
    DigestAlgorithm.SHA512: sha512,
}
_HASHES: Final[dict[SignatureMethod, type[hashes.HashAlgorithm]]] = {
    SignatureMethod.RSA_SHA1: hashes.SHA1,
    SignatureMethod.RSA_SHA256: hashes.SHA256,
    SignatureMethod.RSA_SHA384: hashes.SHA384,
    SignatureMethod.RSA_SHA512: hashes.SHA512,
}

_Key = tuple[bytes, bytes, bytes]


@dataclass(frozen=True)
class Written:
    """The bytes of a signature, taken apart at its two values."""

    around: _Key
    digest: bytes
    value: bytes

    @property
    def whole(self) -> bytes:
        """The bytes of the signature."""
        before, between, after = self.around
        return b"".join((before, self.digest, between, self.value, after))


@dataclass(frozen=True)
class Shape:
    """What the full verification of one signature found, as it holds for all of its shape."""

    policy: SignaturePolicy
    certificate: x509.Certificate
    key: RSAPublicKey
    canonicalization: Canonicalization
    """Of the document."""
    digest: Callable[[bytes], Any]
    hash: hashes.HashAlgorithm
    signed_info: tuple[bytes, bytes]
    """The canonical text of SignedInfo around DigestValue's text."""
    canonical: _Key | None
    """The inclusive canonical form of the signature around its values, as the last child of a document without
    prefixes; None where it depends on more than that."""

    def verified_digest(self, written: Written, text: bytes) -> str | None:
        """Verify a signature of this shape, as `mm_soap.dsig.signature.verified_digest` would."""
        try:
            wanted, value = decoded(written.digest.decode()), decoded(written.value.decode())
            if wanted != self.digest(text).digest():
                return None
            self.key.verify(value, written.digest.join(self.signed_info), PKCS1v15(), self.hash)
        except (InvalidSignature, ValueError):
            return None
        return sha256(wanted + value).hexdigest()

    def canonical_form(self, one: Written, text: bytes, document: bytes) -> bytes | None:
        """Return the inclusive canonical form of a signature of this shape, where that is known.

        Args:
            one: the signature, the last node in its document.
            text: the canonical form of the document without it.
            document: the document.
        """
        # A prefix that is declared and not used stands in the inclusive form alone.
        whole = text if self.canonicalization.method is INCLUSIVE.method else document
        if self.canonical is None or mentions(whole, b"xmlns"):
            return None
        before, between, after = self.canonical
        return b"".join((before, one.digest, between, one.value, after))


@dataclass(frozen=True)
class Canonical:
    """The canonical form of a document whose signature has a known shape and is its last node."""

    text: bytes
    """Of the document without its signature."""
    one: Written
    shape: Shape

    def signature(self, document: bytes) -> bytes | None:
        """Return the inclusive canonical form of the signature in its document, where that is known."""
        return self.shape.canonical_form(self.one, self.text, document)


def written(signature: etree._Element) -> Written | None:
    """Return a signature without comments as bytes, with every namespace in scope; None if it is written oddly."""
    raw = etree.tostring(signature, with_tail=False)
    match = _VALUES.fullmatch(raw) if len(raw) <= _LONGEST else None
    return Written((match[1], match[3], match[5]), match[2], match[4]) if match else None


class Shapes:
    """The shapes that are known. May be used by many threads."""

    def __init__(self) -> None:
        self._known: dict[_Key, Shape] = {}

    def find(self, one: Written, certificate: x509.Certificate, policy: SignaturePolicy) -> Shape | None:
        """Return the shape of a signature, if one was verified with this certificate under this policy."""
        shape = self._known.get(one.around)
        if shape is None or shape.certificate != certificate or shape.policy != policy:
            return None
        return shape

    def learn(self, one: Written, shape: Shape | None, text: bytes) -> None:
        """Remember a shape, if it verifies the signature that it was taken from.

        Args:
            one: the signature that was verified in full.
            shape: from `shape_of`.
            text: the canonical form of the document.
        """
        if shape is None or shape.verified_digest(one, text) is None:
            return
        while len(self._known) >= _MOST:
            self._known.pop(next(iter(self._known), one.around), None)
        self._known[one.around] = shape


def shape_of(
    one: Written,
    signature: etree._Element,
    signed_info: etree._Element,
    canonicalization: Canonicalization,
    certificate: x509.Certificate,
    policy: SignaturePolicy,
) -> Shape | None:
    """Return the shape of a signature that was verified in full; None if something in it is out of the ordinary.

    Args:
        one: its bytes, taken before it was taken out of its document.
        signature, signed_info, canonicalization, certificate, policy: what it was verified from.
    """
    reference, key = signed_info.find("ds:Reference", _DS), certificate.public_key()
    if reference is None or not isinstance(key, RSAPublicKey):
        return None
    if reference.get("URI") != "":  # an Id is a matter of the document, not of the signature alone
        return None
    found = reference.findtext("ds:DigestValue", "", _DS), signature.findtext("ds:SignatureValue", "", _DS)
    if found != (one.digest.decode(), one.value.decode()) or _around(one, one.whole) is None:
        return None
    text = signed_info_text(signed_info)
    if text.count(one.digest) != 1:
        return None
    before, _, after = text.partition(one.digest)
    digest = DigestAlgorithm(reference.find("ds:DigestMethod", _DS).get("Algorithm"))  # type: ignore[union-attr]
    method = SignatureMethod(signed_info.find("ds:SignatureMethod", _DS).get("Algorithm"))  # type: ignore[union-attr]
    if digest not in _DIGESTS or method not in _HASHES:
        return None
    return Shape(
        *(policy, certificate, key, canonicalization, _DIGESTS[digest], _HASHES[method](), (before, after)),
        canonical=_canonical(one),
    )


def _canonical(one: Written) -> _Key | None:
    # As in a document: there the default namespace is that of the root, and nothing else is in scope.
    around = f'<r xmlns="{MESSAGE_V3}">'.encode(), b"</r>"
    try:
        text = INCLUSIVE.text(parse_untrusted(one.whole.join(around)))
    except Refused:
        return None
    return _around(one, text.removeprefix(around[0]).removesuffix(around[1]))


def _around(one: Written, raw: bytes) -> _Key | None:
    """Return the bytes around the two values, where each stands in them once."""
    if raw.count(one.digest) != 1 or raw.count(one.value) != 1:
        return None
    before, _, rest = raw.partition(one.digest)
    between, _, after = rest.partition(one.value)
    return before, between, after
