"""Writing a document anew with prefixes, as typed SOAP stacks do."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from mm_soap.xml import DSIG, MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, SENDER, parse_untrusted

_PREFIXES: Final = {MESSAGE_V3: "m", MESSAGE_V2: "m2", MESSAGE_V1: "m1", SENDER: "s", DSIG: "ds"}


def prefixed(document: bytes, wire_name: tuple[str, str] | None = None) -> bytes:
    """Return a document with a prefix for each element, as a typed SOAP stack writes it anew.

    Args:
        document: in default-namespace form.
        wire_name: namespace and local name for its root, if it gets another one.
    """
    root = parse_untrusted(document)
    prefixes = dict(_PREFIXES)
    if wire_name is not None:
        root.tag = f"{{{wire_name[0]}}}{wire_name[1]}"
        prefixes.setdefault(wire_name[0], "v")
    declared = "".join(f' xmlns:{prefix}="{namespace}"' for namespace, prefix in prefixes.items())
    return _written(root, prefixes, declared).encode()


def _written(element: etree._Element, prefixes: dict[str, str], declared: str = "") -> str:
    name = etree.QName(element)
    tag = ":".join((prefixes[str(name.namespace)], str(name.localname)))
    attributes = "".join(f" {key!s}={quoteattr(str(value))}" for key, value in element.attrib.items())
    inside = escape(element.text or "") + "".join(
        _written(child, prefixes) + escape(child.tail or "") for child in element.iterchildren("*")
    )
    return f"<{tag}{declared}{attributes}>{inside}</{tag}>"
