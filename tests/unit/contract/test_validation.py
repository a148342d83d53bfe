from __future__ import annotations

import threading
import time

import pytest
from lxml import etree

from mm_soap import contract
from mm_soap.contract.explanation import explain
from mm_soap.errors import Refusal, Refused

S = "http://minameddelanden.gov.se/schema"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def registered(rows: str, prefix: str = "r:") -> str:
    name = f"{prefix}isRegistered"
    return f'<{name} xmlns{":" if prefix else ""}{prefix[:-1]}="{S}/Recipient/v3" {XSI}>{rows}</{name}>'


def inside(xml: str, declarations: str = "") -> etree._Element:
    text = f'<e:Envelope xmlns:e="{SOAP}" {declarations}><e:Header/><e:Body>{xml}</e:Body></e:Envelope>'
    return etree.fromstring(text.encode())[1][0]


def where(element: etree._Element) -> str:
    with pytest.raises(Refused) as caught:
        contract.validate(element)
    assert caught.value.refusal is Refusal.SCHEMA_VIOLATION
    assert caught.value.__cause__ is None
    return caught.value.where


def test_valid_alone_and_inside_an_envelope():
    xml = registered("<r:recipientId>191212121212</r:recipientId>")
    element = inside(xml)
    before = etree.tostring(element.getroottree())
    contract.validate(element)
    contract.validate(etree.fromstring(xml))
    assert etree.tostring(element.getroottree()) == before
    assert element.getparent() is not None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("<r:recipientId>1</r:recipientId>", "isRegistered/recipientId: pattern"),
        ("", "isRegistered: unexpected or missing element, expected recipientId"),
        (
            "<r:recipientId>191212121212</r:recipientId><r:recipientId>1</r:recipientId>",
            "isRegistered/recipientId[2]: pattern",
        ),
        ("197802031234", "isRegistered: text where only elements may stand"),
        (
            '<r:recipientId a197802031234="x">191212121212</r:recipientId>',
            "isRegistered/recipientId: unknown attribute",
        ),
        ('<p197802031234:z xmlns:p197802031234="urn:x"/>', None),
        ("<r:a197802031234/>", "isRegistered/(unknown): unexpected or missing element, expected recipientId"),
        ('<z xmlns="urn:197802031234"/>', None),
    ],
)
def test_the_place_is_told_and_nothing_that_was_sent(rows, expected):
    told = where(inside(registered(rows)))
    assert expected is None or told == expected
    assert "197802031234" not in told
    assert "urn" not in told


def test_the_place_without_prefixes():
    element = inside(registered("<recipientId>191212121212</recipientId><recipientId/>", prefix=""))
    assert where(element) == "isRegistered/recipientId[2]: pattern"


def test_an_unknown_element():
    assert where(etree.fromstring("<x197802031234/>")) == "(unknown): not an element of the contract"


@pytest.mark.parametrize("declarations", ["", f'xmlns:o="{S}/Recipient"'])
def test_xsi_type_of_the_declared_type_is_what_some_stacks_send(declarations):
    own = "" if declarations else f' xmlns:o="{S}/Recipient"'
    row = f'<r:recipientId xsi:type="o:RecipientId"{own}>191212121212</r:recipientId>'
    contract.validate(inside(registered(row), declarations))


@pytest.mark.parametrize("name", ["EMailAdress", " o:EMailAdress "])
def test_a_long_address_takes_no_time(name):
    row = f'<r:recipientId xsi:type="{name}" xmlns:o="{S}/Recipient">{"@" * 200_000}</r:recipientId>'
    started = time.thread_time()
    assert where(inside(registered(row))) == "recipientId: too long"
    declared = f'<x xmlns:m="{S}/Message/v3"><m:EmailAdress>{"<!-- -->@" * 9_000}</m:EmailAdress></x>'
    assert where(etree.fromstring(declared)) == "EmailAdress: too long"
    assert time.thread_time() - started < 20  # seconds; with the pattern first it would be hours


def test_threads_do_not_see_each_others_errors():
    told: dict[int, set[str]] = {}

    def check(number: int) -> None:
        rows = "<r:recipientId>191212121212</r:recipientId>" * number + "<r:recipientId>1</r:recipientId>"
        told[number] = {where(inside(registered(rows))) for _ in range(200)}

    threads = [threading.Thread(target=check, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {number: {f"isRegistered/recipientId[{number + 1}]: pattern"} for number in range(1, 6)}


def test_a_schema_is_whole_though_other_threads_parse():
    # lxml answers the imports of a schema through a hook of the whole process, which a parse elsewhere takes away.
    stopped = threading.Event()
    failures: list[BaseException] = []

    def parse() -> None:
        while not stopped.is_set():
            etree.fromstring("<x/>", etree.XMLParser())

    def check() -> None:
        try:
            contract.prepare()
            contract.validate(inside(registered("<r:recipientId>191212121212</r:recipientId>")))
        except BaseException as error:
            failures.append(error)

    parsers = [threading.Thread(target=parse) for _ in range(2)]
    checkers = [threading.Thread(target=check) for _ in range(24)]
    for thread in parsers + checkers:
        thread.start()
    for thread in checkers:
        thread.join()
    stopped.set()
    for thread in parsers:
        thread.join()
    assert failures == []


def test_explain_tells_a_person_every_violation():
    found = explain(inside(registered("<r:recipientId>1</r:recipientId><r:z/>")))
    assert len(found) == 2
    assert found[0].path.endswith("/r:recipientId")
    assert "pattern" in found[0].rule
    assert found[0].remedy
    assert explain(inside(registered("<r:recipientId>191212121212</r:recipientId>"))) == []
    missing = explain(inside(registered("")))
    assert "recipientId" in missing[0].remedy
    (odd,) = explain(inside(registered('<r:recipientId xsi:type="no:such">1</r:recipientId>')))
    assert "xsi:type" in odd.remedy


def test_explain_stops_at_fifty():
    assert len(explain(inside(registered("<r:recipientId>1</r:recipientId>" * 80)))) == 50
