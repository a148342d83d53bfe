"""What a signature says of itself, read without judging it."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from lxml import etree
from signxml.algorithms import CanonicalizationMethod

from mm_soap.dsig.structure import EXCLUSIVE, INCLUSIVE, Canonicalization, certificates_of
from mm_soap.errors import Refused
from mm_soap.pki import load_certificate
from mm_soap.xml import DSIG, qname, text_of

DS: Final = {"ds": DSIG}
SIGNATURE: Final = qname(DSIG, "Signature")
INCLUSIVE_NAMESPACES: Final = qname("http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces")
HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha1": hashes.SHA1,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
"""The hashes that signers are known to use, by the names that hashlib has for them."""


def digest(text: bytes, algorithm: str) -> bytes:
    """Return the hash of a text."""
    return hashlib.new(algorithm, text, usedforsecurity=False).digest()


def algorithm_of(element: etree._Element | None) -> str:
    """Return the URI in the attribute Algorithm, or nothing."""
    return (element.get("Algorithm") or "") if element is not None else ""


def hash_in(uri: str) -> str | None:
    """Return the hash that the URI of a DigestMethod or SignatureMethod names, None if it is not known."""
    return next((name for name in HASHES if uri.endswith(name)), None)


def decoded(text: str) -> bytes | None:
    """Return what base64 stands for, None if it is none."""
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


@dataclass(frozen=True)
class Reading:
    """A signature, as far as it can be read."""

    signature: etree._Element
    canonicalization: Canonicalization
    """Of the document, as the Transforms name it."""
    of_signed_info: Canonicalization
    digest_hash: str
    """Which DigestMethod names; sha256 where it names none that is known."""
    digest_text: str
    digest_value: bytes | None
    value_hash: str
    """Which SignatureMethod names; sha256 where it names none that is known."""
    value: bytes | None
    certificates: tuple[x509.Certificate, ...]

    @property
    def key(self) -> rsa.RSAPublicKey | None:
        """The key of the first certificate, None if there is none or it is not RSA."""
        return _rsa(self.certificates[0]) if self.certificates else None

    def opened(self) -> tuple[str, bytes] | None:
        """Return the hash that the key of the first certificate finds in SignatureValue, and its algorithm."""
        return opened(self.key, self.value)


def opened(key: rsa.RSAPublicKey | None, value: bytes | None) -> tuple[str, bytes] | None:
    """Return the hash that a key finds in a signature value, and its algorithm; None if it finds none."""
    if key is None or value is None:
        return None
    for name, algorithm in HASHES.items():
        try:
            return name, key.recover_data_from_signature(value, PKCS1v15(), algorithm())
        except (InvalidSignature, ValueError):
            continue
    return None


def keys_of(certificates: tuple[x509.Certificate, ...]) -> list[rsa.RSAPublicKey]:
    """Return the RSA keys of certificates."""
    return [key for key in map(_rsa, certificates) if key is not None]


def read(signature: etree._Element) -> Reading:
    """Read a ds:Signature. What is missing or unknown gets the value that most signatures have."""
    info = signature.find("ds:SignedInfo", DS)
    reference = signature.find("ds:SignedInfo/ds:Reference", DS)
    digest_text = text_of(reference.find("ds:DigestValue", DS)) if reference is not None else ""
    digest_uri = algorithm_of(reference.find("ds:DigestMethod", DS)) if reference is not None else ""
    method = info.find("ds:CanonicalizationMethod", DS) if info is not None else None
    value_uri = algorithm_of(info.find("ds:SignatureMethod", DS)) if info is not None else ""
    return Reading(
        signature,
        _of_document(reference),
        (_canonicalization(method) if method is not None else None) or EXCLUSIVE,
        hash_in(digest_uri) or "sha256",
        digest_text,
        decoded(digest_text),
        hash_in(value_uri) or "sha256",
        decoded(text_of(signature.find("ds:SignatureValue", DS))),
        _certificates(signature),
    )


def _of_document(reference: etree._Element | None) -> Canonicalization:
    if reference is None:
        return INCLUSIVE
    named = [_canonicalization(one) for one in reference.iterfind("ds:Transforms/ds:Transform", DS)]
    return next((one for one in reversed(named) if one is not None), INCLUSIVE)


def _canonicalization(element: etree._Element) -> Canonicalization | None:
    uri = algorithm_of(element).removesuffix("WithComments").rstrip("#")
    for method in CanonicalizationMethod:
        if method.value.rstrip("#") == uri:
            listed = element.find(INCLUSIVE_NAMESPACES)
            prefixes = (listed.get("PrefixList") or "").split() if listed is not None else ()
            return Canonicalization(method, tuple(prefixes))
    return None


def _certificates(signature: etree._Element) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(load_certificate(der) for der in certificates_of(signature))
    except Refused:
        return ()


def _rsa(certificate: x509.Certificate) -> rsa.RSAPublicKey | None:
    try:
        key = certificate.public_key()
    except ValueError:
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None
