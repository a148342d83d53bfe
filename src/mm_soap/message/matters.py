"""From an OfficialMatter in the header of a message to what it says of a case.

The element holds either OfficialMatterExtension or elements of other namespaces, and the extension has room for such
elements too. What those mean, sender and recipient have agreed on; here they are names and texts and nothing more.
Source: contract, messages, "Official matters".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Final

from lxml import etree

from mm_soap.message.elements import Children, names, violation
from mm_soap.message.model import AgreedDetail, OfficialMatter
from mm_soap.xml import MESSAGE_V3, OFFICIAL_MATTER_V3, qname, text_of

MOST_DETAILS: Final = 30
"""So many elements of other namespaces are read of one message."""

_LONGEST_NAME: Final = 100
_LONGEST_TEXT: Final = 500
_DATE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")
# The second name is that of the global element, which the schema's wildcard lets in at the same place.
_EXTENSIONS: Final = frozenset(
    {qname(MESSAGE_V3, "OfficialMatterExtension"), qname(OFFICIAL_MATTER_V3, "OfficialMatterExtension")}
)
_MATTER: Final = names(OFFICIAL_MATTER_V3, "Timestamp", "Identity", "MatterSubject", "EventType", "MatterStatus")
_IDENTITY: Final = names(OFFICIAL_MATTER_V3, "EventId", "OfficialMatterId", "PrecedingEventId")
_DELIVERY: Final = qname(MESSAGE_V3, "Delivery")
_MESSAGE: Final = qname(MESSAGE_V3, "Message")
_OFFICIAL_MATTER: Final = f"{qname(MESSAGE_V3, 'Header')}/{qname(MESSAGE_V3, 'OfficialMatter')}"


def read_matter(element: etree._Element, where: str) -> OfficialMatter | None:
    """Return what OfficialMatter says, or None where it holds elements of other namespaces alone.

    Raises:
        Refused: ``SCHEMA_VIOLATION``.
    """
    extensions = [child for child in element.iterchildren(etree.Element) if child.tag in _EXTENSIONS]
    if not extensions:
        return None
    if len(extensions) != 1:
        raise violation(where)
    parts = Children(extensions[0], _MATTER, where, open_=True)
    event_id, matter_id, preceding_id = _read_identity(parts.optional("Identity"), f"{where}/Identity")
    return OfficialMatter(
        timestamp=_read_date(parts.collapsed("Timestamp"), f"{where}/Timestamp"),
        event_id=event_id,
        official_matter_id=matter_id,
        preceding_event_id=preceding_id,
        matter_subject=parts.optional_text("MatterSubject"),
        event_type=parts.optional_text("EventType"),
        matter_status=parts.optional_text("MatterStatus"),
    )


def agreed_details(root: etree._Element) -> Sequence[tuple[AgreedDetail, ...]]:
    """Return, for each message of a SignedDelivery, the elements of other namespaces in its OfficialMatter.

    Of each message at most 30 are read, and of a long name or text the beginning.

    Args:
        root: ``{S/Message/v3}SignedDelivery``, as `mm_soap.message.read_delivery` takes it.
    """
    delivery = root.find(_DELIVERY)
    messages = [] if delivery is None else delivery.findall(_MESSAGE)
    return [tuple(islice(_agreed(one.find(_OFFICIAL_MATTER)), MOST_DETAILS)) for one in messages]


def _agreed(matter: etree._Element | None) -> Iterator[AgreedDetail]:
    for child in () if matter is None else matter.iterchildren(etree.Element):
        if child.tag not in _EXTENSIONS:
            yield from _leaves(child)
            continue
        for inner in child.iterchildren(etree.Element):
            if inner.tag not in _MATTER:
                yield from _leaves(inner)


def _leaves(element: etree._Element) -> Iterator[AgreedDetail]:
    """Yield the elements without elements in them, in their order, each by the local names on the way to it."""
    for one in element.iter(etree.Element):
        if next(one.iterchildren(etree.Element), None) is None:
            way = [etree.QName(one).localname]
            above = one
            while above is not element and (parent := above.getparent()) is not None:
                above = parent
                way.append(etree.QName(above).localname)
            name = " / ".join(reversed(way))
            yield AgreedDetail(_beginning(name, _LONGEST_NAME), _beginning(text_of(one), _LONGEST_TEXT))


def _beginning(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _read_identity(element: etree._Element | None, where: str) -> tuple[str | None, str | None, str | None]:
    if element is None:
        return None, None, None
    parts = Children(element, _IDENTITY, where)
    return (
        parts.optional_text("EventId"),
        parts.optional_text("OfficialMatterId"),
        parts.optional_text("PrecedingEventId"),
    )


def _read_date(text: str | None, where: str) -> date:
    match = _DATE.fullmatch(text or "")
    try:
        return date.fromisoformat(match.group(1) if match else "")
    except ValueError:
        raise violation(where) from None
