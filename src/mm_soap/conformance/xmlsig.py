"""Signatures in every manner that the contract's signers have, and in some that it forbids.

:mod:`mm_soap.dsig` signs in one manner, the best one. Whoever judges a verifier needs the others too.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from mm_soap.pki import Identity, subject_name
from mm_soap.xml import DSIG, parse_untrusted

EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED: Final = f"{DSIG}enveloped-signature"
XPATH: Final = "http://www.w3.org/TR/1999/REC-xpath-19991116"
RSA: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha{}"
RSA_SHA1: Final = f"{DSIG}rsa-sha1"
HMAC: Final = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"

_DIGESTS: Final = {
    "sha1": f"{DSIG}sha1",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
}
_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_PARAMETERS: Final = {XPATH: f'<XPath xmlns:d="{DSIG}">not(ancestor-or-self::d:Signature)</XPath>'}
_ID: Final = re.compile(rb'^<[^>]*\bId="([^"]*)"')
_LINE: Final = 64


@dataclass(frozen=True)
class Manner:
    """How a signature is written. As it stands it is the manner that the contract asks senders for."""

    digest: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    """Of the digest and of the RSA signature."""
    method: str = ""
    """Algorithm of the SignatureMethod, where it does not follow from the digest."""
    signed_info: str = EXCLUSIVE
    """CanonicalizationMethod."""
    transforms: tuple[str, ...] = (ENVELOPED,)
    by_id: bool = False
    """Whether the Reference names the Id of the root, which is written into it, instead of being empty."""
    uri: str | None = None
    """The Reference's URI, where it is neither of these."""
    twice: bool = False
    """Whether the Reference stands there twice."""
    prefix: str = ""
    """Of the Signature's elements."""
    key_info: Literal["subject", "certificate", "name"] = "subject"
    """Subject and certificate, the certificate alone, or neither: a KeyName."""
    lines: bool = False
    """Whether the signature is indented and its base64 broken into lines."""


PLAIN: Final = Manner()


def signed(document: bytes, identity: Identity, manner: Manner = PLAIN) -> bytes:
    """Return a document with an enveloped signature as the last child of its root.

    Args:
        document: standing alone, without an XML declaration.
        identity: who signs.
        manner: how.
    """
    if manner.by_id and _ID.match(document) is None:
        document = with_id(document, "SD-1")
    return with_last_child(document, signature(document, identity, manner))


def with_id(document: bytes, value: str) -> bytes:
    """Return a document whose root has an Id."""
    return re.sub(rb"^<[^\s/>]+", rb'\g<0> Id="%s"' % value.encode(), document, count=1)


def with_last_child(document: bytes, child: bytes) -> bytes:
    """Return a document with one more child at the end of its root."""
    end = document.rindex(b"</")
    return document[:end] + child + document[end:]


def signature(document: bytes, identity: Identity, manner: Manner = PLAIN) -> bytes:
    """Return the Signature alone."""
    found = _ID.match(document)
    uri = manner.uri if manner.uri is not None else f"#{found[1].decode()}" if manner.by_id and found else ""
    canonical = next((one for one in manner.transforms if one == EXCLUSIVE), INCLUSIVE)
    value = hashlib.new(manner.digest, _canonical(document, canonical)).digest()
    space = "\n  " if manner.lines else ""
    p = f"{manner.prefix}:" if manner.prefix else ""
    transforms = "".join(_element(p, "Transform", one, _PARAMETERS.get(one, "")) for one in manner.transforms)
    reference = (
        f'{space}<{p}Reference URI="{escape(uri)}"><{p}Transforms>{transforms}</{p}Transforms>'
        f"{_element(p, 'DigestMethod', _DIGESTS[manner.digest])}"
        f"<{p}DigestValue>{_base64(value, manner)}</{p}DigestValue></{p}Reference>"
    )
    method = manner.method or (RSA_SHA1 if manner.digest == "sha1" else RSA.format(manner.digest[3:]))
    inside = (
        _element(p, "CanonicalizationMethod", manner.signed_info)
        + space
        + _element(p, "SignatureMethod", method)
        + reference * (2 if manner.twice else 1)
    )
    declaration = f' xmlns{":" * bool(manner.prefix)}{manner.prefix}="{DSIG}"'
    alone = f"<{p}SignedInfo{declaration}>{inside}</{p}SignedInfo>".encode()
    proof = _base64(_proof(_canonical(alone, manner.signed_info), identity, manner), manner)
    return (
        f"<{p}Signature{declaration}>{space}<{p}SignedInfo>{inside}</{p}SignedInfo>{space}"
        f"<{p}SignatureValue>{proof}</{p}SignatureValue>{space}{_key_info(p, identity, manner)}</{p}Signature>"
    ).encode()


def _element(p: str, name: str, algorithm: str, content: str = "") -> str:
    return f'<{p}{name} Algorithm="{algorithm}">{content}</{p}{name}>'


def _proof(text: bytes, identity: Identity, manner: Manner) -> bytes:
    if manner.method == HMAC:
        # The key of the well-known attack: what everybody knows of the signer.
        public = identity.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return hmac.digest(public, text, "sha256")
    return identity.key.sign(text, PKCS1v15(), _HASHES[manner.digest]())


def _key_info(p: str, identity: Identity, manner: Manner) -> str:
    if manner.key_info == "name":
        return f"<{p}KeyInfo><{p}KeyName>{identity.organisation}</{p}KeyName></{p}KeyInfo>"
    der = identity.certificate.public_bytes(Encoding.DER)
    subject = f"<{p}X509SubjectName>{escape(subject_name(identity.certificate))}</{p}X509SubjectName>"
    return (
        f"<{p}KeyInfo><{p}X509Data>{subject if manner.key_info == 'subject' else ''}"
        f"<{p}X509Certificate>{_base64(der, manner)}</{p}X509Certificate></{p}X509Data></{p}KeyInfo>"
    )


def _base64(value: bytes, manner: Manner) -> str:
    text = b64encode(value).decode()
    if not manner.lines:
        return text
    return "\n" + "\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE)) + "\n"


def _canonical(document: bytes, method: str) -> bytes:
    return etree.tostring(parse_untrusted(document), method="c14n", exclusive=method == EXCLUSIVE, with_comments=False)
