"""The forms in which a signed element may have been signed.

What was signed is not what travels: the root is renamed on the wire, and stacks put prefixes where the signer had none.
Source of the forms: the contract's signing rules, "The digest input". Each form is a document of its own.

A digest belongs to one canonical text. The forms differ in the name of the root or in prefixes, which are part of that
text, so at most one of them can verify, and the order in which they are tried decides only how fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from enum import Enum

from lxml import etree

from mm_soap.dsig.cut import Slice, cut, mentions
from mm_soap.xml import parse_untrusted


class Form(Enum):
    """How the verified document differs from the element that came."""

    AS_CAME = "as it came"
    RENAMED = "with its root renamed"
    PREFIX_FREE = "without prefixes"
    PREFIX_FREE_RENAMED = "without prefixes and with its root renamed"


def candidates(raw: bytes, element: etree._Element, root: str) -> Iterator[tuple[Form, bytes]]:
    """Yield the documents that may have been signed, the likeliest first.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: the element that travelled.
        root: the qualified name that was signed.
    """
    piece = cut(raw, element)
    inherited = _inherited(piece, element)
    if element.tag != root:
        yield Form.RENAMED, _renamed(piece, inherited, element, root)
    yield Form.AS_CAME, _own(piece, inherited).document()
    if _has_prefixes(piece, element):
        if element.tag != root:
            yield Form.PREFIX_FREE_RENAMED, prefix_free(element, root)
        yield Form.PREFIX_FREE, prefix_free(element, str(element.tag))


def prefix_free(element: etree._Element, root: str) -> bytes:
    """Return ``element`` as a document in default-namespace form, with ``root`` as the name of its root.

    A prefix stays only where an attribute needs it: an attribute cannot use the default namespace.
    """
    return etree.tostring(_without_prefixes(element, root), encoding="UTF-8", xml_declaration=False)


def _without_prefixes(element: etree._Element, tag: str) -> etree._Element:
    namespace = etree.QName(tag).namespace
    nsmap: dict[str | None, str] = {None: namespace} if namespace else {}
    for name in element.attrib:
        needed = etree.QName(name).namespace
        if needed:
            nsmap.update({prefix: uri for prefix, uri in element.nsmap.items() if prefix and uri == needed})
    made = etree.Element(tag, nsmap=nsmap)  # type: ignore[arg-type]
    for name, value in element.attrib.items():
        made.set(name, value)
    made.text = element.text
    for child in element:
        # Whatever is no element is a comment or a processing instruction, and has neither name nor namespace.
        new = _without_prefixes(child, child.tag) if isinstance(child.tag, str) else copy(child)
        new.tail = child.tail
        made.append(new)
    return made


def _inherited(piece: Slice, element: etree._Element) -> dict[str | None, str]:
    """Return the namespaces that the slice uses and only its ancestors declare."""
    declared = piece.declarations()
    # What the bytes do not even mention is not used; in a large document that spares looking at each element.
    outside = {
        prefix: uri
        for prefix, uri in element.nsmap.items()
        if prefix not in declared and (prefix is None or piece.mentions(prefix))
    }
    if not outside.keys() - {element.prefix}:
        return outside
    # An element inside may declare the same prefix for the same namespace again. So that one can tell which of the two
    # a name is in, the outer one stands for another namespace here.
    stand_ins = {prefix: f"urn:mm-soap:outside:{n}" for n, prefix in enumerate(outside)}
    probe = parse_untrusted(_own(piece, stand_ins).document())
    used = {etree.QName(name).namespace for each in probe.iter("*") for name in (each.tag, *each.attrib)}
    return {prefix: uri for prefix, uri in outside.items() if stand_ins[prefix] in used}


def _own(piece: Slice, inherited: dict[str | None, str]) -> Slice:
    if not inherited:
        return piece
    return Slice(piece.name, (*_declare(inherited), *piece.attributes), piece.content)


def _declare(namespaces: dict[str | None, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (b"xmlns:" + prefix.encode() if prefix else b"xmlns", b'"' + uri.encode().replace(b"&", b"&amp;") + b'"')
        for prefix, uri in namespaces.items()
    )


def _renamed(piece: Slice, inherited: dict[str | None, str], element: etree._Element, root: str) -> bytes:
    own = _own(piece, inherited)
    namespace = etree.QName(root).namespace
    local = etree.QName(root).localname.encode()
    declared = own.declarations()
    wire_prefix = own.prefix.decode() or None
    if declared.get(wire_prefix) == namespace:
        prefix = wire_prefix
    else:
        # The name on the wire is in another namespace. Take the prefix that the first child has, as a signer whose
        # whole document is in one namespace would; drop the declaration that served the wire's name alone.
        first = next(element.iterchildren("*"), None)
        prefix = first.prefix if first is not None and declared.get(first.prefix) == namespace else None
        wanted = {key: uri for key, uri in declared.items() if key not in (wire_prefix, None) or _used(element, key)}
        wanted[prefix] = str(namespace)
        plain = tuple(pair for pair in own.attributes if pair[0] != b"xmlns" and not pair[0].startswith(b"xmlns:"))
        own = Slice(own.name, (*_declare(wanted), *plain), own.content)
    name = (prefix.encode() + b":" if prefix else b"") + local
    return Slice(name, own.attributes, own.content).document()


def _used(element: etree._Element, prefix: str | None) -> bool:
    uri = element.nsmap.get(prefix)
    return any(each.prefix == prefix and each.nsmap.get(prefix) == uri for each in element.iterdescendants("*"))


def _has_prefixes(piece: Slice, element: etree._Element) -> bool:
    declared = any(name.startswith(b"xmlns:") for name, _ in piece.attributes)
    return declared or mentions(piece.content, b"xmlns") or any(each.prefix is not None for each in element.iter("*"))
