"""What is wrong with where a signature stands and how it is made up. All of it, where a verifier stops at the first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from mm_soap.dsig.diagnosis.model import Cause, Finding, place_of
from mm_soap.dsig.diagnosis.reading import DS, SIGNATURE, algorithm_of
from mm_soap.xml import DSIG

_ENVELOPED: Final = f"{DSIG}enveloped-signature"
_WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_CANONICALIZATIONS: Final = (
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/2006/12/xml-c14n11",
)
_DIGESTS: Final = (
    "http://www.w3.org/2001/04/xmlenc#sha256",
    f"{_MORE}sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
    f"{DSIG}sha1",
)
_METHODS: Final = (*(f"{_MORE}rsa-sha{bits}" for bits in (256, 384, 512)), f"{DSIG}rsa-sha1")


def place_findings(element: etree._Element) -> Iterator[Finding]:
    """Yield what is wrong with the place of the signature, or the number of signatures."""
    found = element.findall(SIGNATURE)
    if not found:
        yield from _missing(element)
        return
    if len(found) > 1:
        yield Finding(Cause.SEVERAL_SIGNATURES, place_of(found[1], element), f"There are {len(found)}.")
    last = next(element.iterchildren("*", reversed=True))
    if last.tag != SIGNATURE:
        yield Finding(Cause.NOT_LAST_CHILD, place_of(last, element))


def _missing(element: etree._Element) -> Iterator[Finding]:
    top = element.getroottree().getroot()
    said = False
    for one in top.iter(SIGNATURE):
        said = True
        above = {str(each.tag) for each in one.iterancestors()}
        security = any(tag.startswith(f"{{{_WSSE}}}") for tag in above)
        yield Finding(Cause.WS_SECURITY if security else Cause.SIGNATURE_ELSEWHERE, place_of(one, top))
    if not said:
        other = next((e for e in element.iter("{*}Signature") if etree.QName(e).localname == "Signature"), None)
        wrong = Cause.NOT_SIGNED if other is None else Cause.SIGNATURE_NAMESPACE
        yield Finding(wrong, place_of(element if other is None else other, element))


def shape_findings(signature: etree._Element, root: etree._Element) -> Iterator[Finding]:
    """Yield what is wrong with the parts of a signature, and with its algorithms."""
    names = [etree.QName(child).localname for child in signature.iterchildren("*")]
    if names != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        known = [name for name in names if name in ("SignedInfo", "SignatureValue", "KeyInfo", "Object")]
        more = f" and {len(names) - len(known)} more" if len(names) > len(known) else ""
        yield Finding(Cause.SIGNATURE_CHILDREN, place_of(signature, root), f"It holds {', '.join(known)}{more}.")
    info = signature.find("ds:SignedInfo", DS)
    if info is None:
        return
    yield from _method(info.find("ds:CanonicalizationMethod", DS), info, root, _CANONICALIZATIONS)
    yield from _method(info.find("ds:SignatureMethod", DS), info, root, _METHODS)
    references = info.findall("ds:Reference", DS)
    if len(references) != 1:
        yield Finding(Cause.REFERENCES, place_of(info, root), f"There are {len(references)}.")
    for reference in references[:1]:
        yield from _uri(reference, root)
        yield from _transforms(reference, root)
        yield from _method(reference.find("ds:DigestMethod", DS), reference, root, _DIGESTS)


def _method(
    method: etree._Element | None, parent: etree._Element, root: etree._Element, known: tuple[str, ...]
) -> Iterator[Finding]:
    if method is None:
        yield Finding(Cause.UNKNOWN_ALGORITHM, place_of(parent, root), "An algorithm is missing.")
        return
    cause = _wrong(algorithm_of(method), known)
    if cause is not None:
        yield Finding(cause, place_of(method, root))


def _wrong(uri: str, known: tuple[str, ...]) -> Cause | None:
    name = uri.rpartition("#")[2]
    if "hmac" in name:
        return Cause.HMAC
    if "dsa" in name:  # and ecdsa
        return Cause.KEY_KIND
    if uri in known:
        return Cause.SHA1 if name.endswith("sha1") else None
    return Cause.WITH_COMMENTS if name.endswith("WithComments") else Cause.UNKNOWN_ALGORITHM


def _uri(reference: etree._Element, root: etree._Element) -> Iterator[Finding]:
    uri, own = reference.get("URI"), root.get("Id")
    place = place_of(reference, root)
    if uri == "":
        return
    if uri is None:
        yield Finding(Cause.REFERENCE_URI, place, "It has no URI at all.")
    elif not uri.startswith("#"):
        yield Finding(Cause.REFERENCE_URI, place, "It points outside of the document.")
    elif own is None:
        yield Finding(Cause.REFERENCE_BY_ROOT_ID, place, "The signed element has no attribute Id.")
    elif uri != f"#{own}":
        yield Finding(Cause.REFERENCE_URI, place, "It names another element than the one that the Signature stands in.")
    elif sum(each.get(name) == own for each in root.iter("*") for name in ("Id", "ID", "id")) > 1:
        yield Finding(Cause.REFERENCE_ID_TWICE, place)


def _transforms(reference: etree._Element, root: etree._Element) -> Iterator[Finding]:
    found = reference.findall("ds:Transforms/ds:Transform", DS)
    uris = [algorithm_of(one) for one in found]
    if not uris or uris[0] != _ENVELOPED:
        yield Finding(Cause.TRANSFORMS, place_of(reference, root), "The first is not enveloped-signature.")
        return
    if len(uris) > 2:
        yield Finding(Cause.TRANSFORMS, place_of(found[2], root), f"There are {len(uris)}.")
    if len(uris) > 1 and uris[1] not in _CANONICALIZATIONS:
        cause = Cause.WITH_COMMENTS if uris[1].endswith("WithComments") else Cause.TRANSFORMS
        yield Finding(cause, place_of(found[1], root))
