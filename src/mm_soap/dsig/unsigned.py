"""What nobody signs, in one form: so that the same content is known again, however a SOAP stack writes it.

The contract's NotificationDelivery has no place for a signature. Neither has what a recipient adds when it forwards.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from lxml import etree

from mm_soap.dsig.forms import prefix_free
from mm_soap.xml import parse_untrusted


@dataclass(frozen=True)
class UnsignedDocument:
    """An element as a document of its own that nobody signed. What it says is as trustworthy as who brought it."""

    root: etree._Element
    """Its tree: no comments, no processing instructions."""
    document: bytes
    """Its bytes: without prefixes, in exclusive canonical form."""
    digest: str
    """SHA-256 of the document, in hexadecimal: the same content has the same."""


def stand_alone(element: etree._Element, root: str, without: Collection[str] = ()) -> UnsignedDocument:
    """Return an element as a document of its own.

    Args:
        element: as it came, inside its request. It is not changed.
        root: the qualified name that the document's root gets: on the wire an element is named by its place.
        without: qualified names of children that are left out, since they are signed and are read elsewhere.
    """
    tree = parse_untrusted(prefix_free(element, root))
    etree.strip_tags(tree, etree.Comment, etree.ProcessingInstruction)
    for child in list(tree.iterchildren(*without)) if without else []:
        tree.remove(child)
    document = etree.tostring(tree, method="c14n", exclusive=True, with_comments=False)
    return UnsignedDocument(tree, document, sha256(document).hexdigest())
