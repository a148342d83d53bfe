"""What an enveloped XML signature may look like, found out before anything is computed from it."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import Final

from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException

from mm_soap.dsig.policy import SignaturePolicy
from mm_soap.errors import Refusal, Refused
from mm_soap.xml import DSIG, qname, text_of

_DS: Final = {"ds": DSIG}
_SIGNATURE: Final = qname(DSIG, "Signature")
_INCLUSIVE_NAMESPACES: Final = qname("http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces")
_MOST_PREFIXES: Final = 100
"""In a PrefixList: each is looked up for each element."""
_MOST_CERTIFICATES: Final = 10
_LONGEST_CERTIFICATE: Final = 65_536
"""In characters of base64."""


@dataclass(frozen=True)
class Canonicalization:
    """A canonicalisation method with its parameter."""

    method: CanonicalizationMethod
    prefixes: tuple[str, ...] = ()
    """InclusiveNamespaces PrefixList, for exclusive canonicalisation alone."""

    def text(self, root: etree._Element) -> bytes:
        """Return the canonical bytes of a document. ``root`` must be the root of its tree.

        Raises:
            Refused: ``SIGNATURE_INVALID`` if a namespace is no absolute URI, which has no canonical form.
        """
        exclusive = self.method is CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
        try:
            return etree.tostring(
                root,
                method="c14n",
                exclusive=exclusive,
                with_comments=False,
                inclusive_ns_prefixes=list(self.prefixes) if exclusive and self.prefixes else None,
            )
        except etree.C14NError:
            raise Refused(Refusal.SIGNATURE_INVALID) from None


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
        Refused: ``SIGNATURE_NO_CERTIFICATE``, or ``CERTIFICATE_UNREADABLE`` if one is not base64 or there are too many.
    """
    texts = [text_of(e) for e in signature.iterfind("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _DS)]
    if not texts:
        raise Refused(Refusal.SIGNATURE_NO_CERTIFICATE)
    if len(texts) > _MOST_CERTIFICATES or any(len(text) > _LONGEST_CERTIFICATE for text in texts):
        # Verdicts on certificates are remembered with them: what is sent must not decide how much that takes.
        raise Refused(Refusal.CERTIFICATE_UNREADABLE, "KeyInfo: too many, or too long")
    try:
        return [decoded(text) for text in texts]
    except ValueError:
        raise Refused(Refusal.CERTIFICATE_UNREADABLE) from None


def decoded(text: str) -> bytes:
    """Return what base64 stands for; white space may stand in it.

    Raises:
        ValueError: anything else stands in it.
    """
    return b64decode("".join(text.split()), validate=True)


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
        prefixes_of(method)
        method = signed_info.find("ds:SignatureMethod", _DS)
        if method is None or SignatureMethod(method.get("Algorithm")) not in policy.signature_methods or len(method):
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "SignatureMethod")
        method = references[0].find("ds:DigestMethod", _DS)
        if method is None or DigestAlgorithm(method.get("Algorithm")) not in policy.digest_algorithms or len(method):
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "DigestMethod")
        canonicalization = _canonicalization(references[0], policy)
    except SignXMLException:
        # signxml's enums refuse a URI that they do not know, while it is read.
        raise Refused(Refusal.SIGNATURE_ALGORITHM) from None
    _check_values(references[0].find("ds:DigestValue", _DS), signature.find("ds:SignatureValue", _DS))
    return canonicalization


def _check_values(*values: etree._Element | None) -> None:
    # signxml and libxml2's schema skip what is no base64. Others do not, and would refuse what was accepted here.
    try:
        for value in values:
            if value is None or len(value):
                raise Refused(Refusal.SIGNATURE_INVALID)
            decoded(value.text or "")
    except ValueError:
        raise Refused(Refusal.SIGNATURE_INVALID) from None


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
    if len(transforms[0]):
        raise Refused(Refusal.SIGNATURE_ALGORITHM, "Transforms")
    if len(algorithms) == 1:
        return INCLUSIVE
    method = CanonicalizationMethod(algorithms[1])
    if method not in policy.canonicalizations:
        raise Refused(Refusal.SIGNATURE_ALGORITHM, "Transforms")
    return Canonicalization(method, prefixes_of(transforms[1]))


def prefixes_of(method: etree._Element) -> tuple[str, ...]:
    """Return the PrefixList of a canonicalisation, its only parameter.

    Raises:
        Refused: ``SIGNATURE_ALGORITHM`` for another parameter, or for very many prefixes.
    """
    parameters = list(method.iterchildren("*"))
    if not parameters:
        return ()
    found = (parameters[0].get("PrefixList") or "").split()
    if [one.tag for one in parameters] != [_INCLUSIVE_NAMESPACES] or len(found) > _MOST_PREFIXES:
        raise Refused(Refusal.SIGNATURE_ALGORITHM, "InclusiveNamespaces")
    return tuple(found)
