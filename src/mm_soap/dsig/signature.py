"""One enveloped XML signature: what it may look like, and whether it holds.

The names of the algorithms are signxml's, the RSA operation and the hashes are those of ``cryptography``. signxml's own
verifier stands beside this one in the tests, which hold their answers equal: it copies a document several times over.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import Hash
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
    digest_algorithm_implementations,
)
from signxml.exceptions import SignXMLException

from mm_soap.dsig.policy import SignaturePolicy
from mm_soap.errors import Refusal, Refused
from mm_soap.xml import DSIG, parse_untrusted, qname, text_of

_DS: Final = {"ds": DSIG}
_SIGNATURE: Final = qname(DSIG, "Signature")
_INCLUSIVE_NAMESPACES: Final = qname("http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces")


@dataclass(frozen=True)
class Canonicalization:
    """A canonicalisation method with its parameter."""

    method: CanonicalizationMethod
    prefixes: tuple[str, ...] = ()
    """InclusiveNamespaces PrefixList, for exclusive canonicalisation alone."""

    def text(self, root: etree._Element) -> bytes:
        """Return the canonical bytes of a document. ``root`` must be the root of its tree."""
        exclusive = self.method is CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
        return etree.tostring(
            root,
            method="c14n",
            exclusive=exclusive,
            with_comments=False,
            inclusive_ns_prefixes=list(self.prefixes) if exclusive and self.prefixes else None,
        )


EXCLUSIVE: Final = Canonicalization(CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
INCLUSIVE: Final = Canonicalization(CanonicalizationMethod.CANONICAL_XML_1_0)


def signature_of(root: etree._Element) -> etree._Element:
    """Return the one Signature that is the last child of ``root``.

    Raises:
        Refused: ``SIGNATURE_MISSING``, or ``SIGNATURE_AMBIGUOUS`` if there are several or it is not the last child.
    """
    found = root.findall(_SIGNATURE)
    if not found:
        raise Refused(Refusal.SIGNATURE_MISSING)
    if len(found) > 1 or next(root.iterchildren("*", reversed=True)) is not found[0]:
        raise Refused(Refusal.SIGNATURE_AMBIGUOUS)
    return found[0]


def certificates_of(signature: etree._Element) -> list[bytes]:
    """Return the certificates in KeyInfo as DER, in their order.

    Raises:
        Refused: ``SIGNATURE_NO_CERTIFICATE``, or ``CERTIFICATE_UNREADABLE`` if one is not base64.
    """
    texts = [text_of(e) for e in signature.iterfind("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _DS)]
    if not texts:
        raise Refused(Refusal.SIGNATURE_NO_CERTIFICATE)
    try:
        return [b64decode("".join(text.split()), validate=True) for text in texts]
    except ValueError:
        raise Refused(Refusal.CERTIFICATE_UNREADABLE) from None


def check_structure(signature: etree._Element, root: etree._Element, policy: SignaturePolicy) -> Canonicalization:
    """Check that a signature has the one accepted shape, before anything is computed from it.

    One SignedInfo with one Reference, to the whole root; the transform enveloped-signature and at most one
    canonicalisation after it; accepted algorithms alone; no ds:Object.

    Returns:
        How the document is canonicalised for the digest.

    Raises:
        Refused: ``SIGNATURE_REFERENCE`` or ``SIGNATURE_ALGORITHM``.
    """
    names = [etree.QName(child).localname for child in signature.iterchildren("*")]
    if names != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        raise Refused(Refusal.SIGNATURE_REFERENCE)
    signed_info = signature.find("ds:SignedInfo", _DS)
    references = signed_info.findall("ds:Reference", _DS) if signed_info is not None else []
    if signed_info is None or len(references) != 1:
        raise Refused(Refusal.SIGNATURE_REFERENCE)
    _check_uri(references[0].get("URI"), root)
    try:
        method = signed_info.find("ds:CanonicalizationMethod", _DS)
        if method is None or CanonicalizationMethod(method.get("Algorithm")) not in policy.canonicalizations:
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "CanonicalizationMethod")
        method = signed_info.find("ds:SignatureMethod", _DS)
        if method is None or SignatureMethod(method.get("Algorithm")) not in policy.signature_methods:
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "SignatureMethod")
        method = references[0].find("ds:DigestMethod", _DS)
        if method is None or DigestAlgorithm(method.get("Algorithm")) not in policy.digest_algorithms:
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "DigestMethod")
        return _canonicalization(references[0], policy)
    except SignXMLException:
        # signxml's enums refuse a URI that they do not know, while it is read.
        raise Refused(Refusal.SIGNATURE_ALGORITHM) from None


def _check_uri(uri: str | None, root: etree._Element) -> None:
    if uri == "":
        return
    own = root.get("Id")
    if uri is None or own is None or uri != f"#{own}":
        raise Refused(Refusal.SIGNATURE_REFERENCE)
    if sum(each.get(name) == own for each in root.iter("*") for name in ("Id", "ID", "id")) > 1:
        raise Refused(Refusal.SIGNATURE_REFERENCE, "the same Id twice")


def _canonicalization(reference: etree._Element, policy: SignaturePolicy) -> Canonicalization:
    transforms = reference.findall("ds:Transforms/ds:Transform", _DS)
    algorithms = [transform.get("Algorithm") for transform in transforms]
    if not algorithms or algorithms[0] != SignatureConstructionMethod.enveloped.value or len(algorithms) > 2:
        raise Refused(Refusal.SIGNATURE_ALGORITHM, "Transforms")
    if len(algorithms) == 1:
        return INCLUSIVE
    found = _canonicalization_of(transforms[1])
    if found.method not in policy.canonicalizations:
        raise Refused(Refusal.SIGNATURE_ALGORITHM, "Transforms")
    return found


def _canonicalization_of(element: etree._Element) -> Canonicalization:
    """Return what a Transform or a CanonicalizationMethod says."""
    listed = element.find(_INCLUSIVE_NAMESPACES)
    prefixes = tuple((listed.get("PrefixList") or "").split()) if listed is not None else ()
    return Canonicalization(CanonicalizationMethod(element.get("Algorithm")), prefixes)


def signed_info_of(signature: etree._Element) -> etree._Element:
    """Return SignedInfo as a document of its own, with the namespaces that are in scope where it stands.

    lxml writes a wrong ``xmlns=""`` into the inclusive canonical form of an element that is not the root of its tree.
    """
    return parse_untrusted(etree.tostring(_part(signature, "SignedInfo"), with_tail=False))


def verified_digest(
    signature: etree._Element, signed_info: etree._Element, text: bytes, signer: x509.Certificate
) -> str | None:
    """Verify ``signature`` over ``text`` with the key of the signer's certificate.

    Args:
        signature: a ds:Signature without comments, its shape and algorithms checked by :func:`check_structure`.
        signed_info: its SignedInfo, from :func:`signed_info_of` before the signature was taken out of its document.
        text: the canonical text of the signed document without this signature.
        signer: the certificate, already found trustworthy at this time.

    Returns:
        SHA-256, in hexadecimal, of the signed digest and the signature value, which names what was signed; None if the
        signature does not hold.
    """
    reference = _part(signed_info, "Reference")
    try:
        value = _base64(_part(signature, "SignatureValue"))
        digest = _base64(_part(reference, "DigestValue"))
        key = signer.public_key()
        if not isinstance(key, RSAPublicKey) or not _names_no_other_key(_part(signature, "KeyInfo"), key):
            return None
        text_of_signed_info = _canonicalization_of(_part(signed_info, "CanonicalizationMethod")).text(signed_info)
        method = SignatureMethod(_part(signed_info, "SignatureMethod").get("Algorithm"))
        key.verify(value, text_of_signed_info, PKCS1v15(), digest_algorithm_implementations[method]())
        if digest != _digest(text, _part(reference, "DigestMethod")):
            return None
    except (InvalidSignature, ValueError):
        return None
    return sha256(digest + value).hexdigest()


def _part(parent: etree._Element, name: str) -> etree._Element:
    found = parent.find(f"{{{DSIG}}}{name}")
    if found is None:
        raise ValueError(name)
    return found


def _digest(text: bytes, method: etree._Element) -> bytes:
    hasher = Hash(digest_algorithm_implementations[DigestAlgorithm(method.get("Algorithm"))]())
    hasher.update(text)
    return hasher.finalize()


def _base64(element: etree._Element) -> bytes:
    # A processing instruction would split the text, and be signed with it; nobody who signs writes one here.
    if len(element):
        raise ValueError("not one text")
    return b64decode("".join((element.text or "").split()), validate=True)


def _names_no_other_key(key_info: etree._Element, key: RSAPublicKey) -> bool:
    """Tell whether every KeyValue beside the certificate is the certificate's key."""
    numbers = key.public_numbers()
    for value in key_info.iterfind("ds:KeyValue/ds:RSAKeyValue", _DS):
        modulus, exponent = (int.from_bytes(_base64(_part(value, name))) for name in ("Modulus", "Exponent"))
        if (modulus, exponent) != (numbers.n, numbers.e):
            return False
    return all(value.find("ds:RSAKeyValue", _DS) is not None for value in key_info.iterfind("ds:KeyValue", _DS))
