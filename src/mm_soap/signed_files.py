"""Finding what is signed in a file: a delivery alone, or in its SOAP envelope."""

from __future__ import annotations

from typing import Final

from lxml import etree

from mm_soap.xml import MESSAGE_V3, SERVICE_V3, parse_untrusted, qname

SIGNED: Final = (qname(MESSAGE_V3, "SignedDelivery"), qname(MESSAGE_V3, "signedDelivery"))
"""The names by which what a sender signed travels."""

SEALED: Final = (
    qname(MESSAGE_V3, "SealedDelivery"),
    qname(SERVICE_V3, "deliverSecure"),
    qname(SERVICE_V3, "OrginalDelivery"),
)
"""The names by which what a dispatcher sealed travels."""


def signed_element(raw: bytes) -> tuple[bytes, etree._Element] | None:
    """Return the bytes in UTF-8, and the signed element in their tree; None if there is none.

    Raises:
        Refused: it is no XML that is read here.
    """
    root = parse_untrusted(raw)
    if not _is_utf8(root):
        raw = etree.tostring(root, encoding="UTF-8")
        root = parse_untrusted(raw)
    element = _payload(root)
    return (raw, element) if element is not None else None


def _payload(root: etree._Element) -> etree._Element | None:
    if root.tag in (*SIGNED, *SEALED) and root.find("{*}Signature") is not None:
        return root
    # In an envelope the operation is called as its payload is: the innermost is meant.
    every = list(root.iter(*SEALED, *SIGNED))
    found = [each for each in every if each.find("{*}Signature") is not None]
    return next(iter(found or every), None)


def _is_utf8(root: etree._Element) -> bool:
    return (root.getroottree().docinfo.encoding or "UTF-8").upper() in ("UTF-8", "ASCII", "US-ASCII")
