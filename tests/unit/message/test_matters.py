"""What OfficialMatter holds of other namespaces."""

from __future__ import annotations

from datetime import date

import pytest

from mm_soap.message import AgreedDetail, OfficialMatter, agreed_details, build_delivery
from mm_soap.message.matters import MOST_DETAILS
from mm_soap.xml import MESSAGE_V3, OFFICIAL_MATTER_V3, parse_untrusted, qname
from tests.unit.message import samples

EXTENSION = (
    f'<OfficialMatterExtension><Timestamp xmlns="{OFFICIAL_MATTER_V3}">2026-11-21</Timestamp>%s'
    f'<EventType xmlns="{OFFICIAL_MATTER_V3}">Beslut</EventType></OfficialMatterExtension>'
)


def details(inner: str) -> list[tuple[str, str]]:
    matter = OfficialMatter(date(2026, 11, 21))
    root = build_delivery(samples.delivery(samples.message(), samples.message(official_matter=matter)))
    (element,) = root.iter(qname(MESSAGE_V3, "OfficialMatter"))
    whole = f'<OfficialMatter xmlns="{MESSAGE_V3}">{inner}</OfficialMatter>'
    parent = element.getparent()
    assert parent is not None
    parent.replace(element, parse_untrusted(whole.encode()))
    first, second = agreed_details(root)
    assert first == ()
    return [(one.name, one.text) for one in second]


@pytest.mark.parametrize("around", ["%s", EXTENSION])
def test_leaves_are_told_by_the_way_to_them(around: str) -> None:
    own = '<x:A xmlns:x="urn:x"><x:B> 1 <!-- no --> 2</x:B><C xmlns=""><D/></C></x:A><y:E xmlns:y="urn:y">\u202e3</y:E>'
    assert details(around % own) == [("A / B", "1 2"), ("A / C / D", ""), ("E", "\u202e3")]


def test_an_extension_by_itself_has_no_details() -> None:
    assert details(EXTENSION % "") == []
    assert details("") == []


def test_of_much_only_the_beginning_is_read() -> None:
    assert len(details('<x:A xmlns:x="urn:x">1</x:A>' * 500)) == MOST_DETAILS
    ((name, text),) = details(f'<x:{"a" * 300} xmlns:x="urn:x">{"b" * 3000}</x:{"a" * 300}>')
    assert (len(name), len(text)) == (100, 500)


def test_a_detail_shows_nothing_in_its_repr() -> None:
    assert "hemlig" not in repr(AgreedDetail("hemlig", "hemligt"))
