"""Answers of the Authority service follow the schema and carry any name."""

from __future__ import annotations

import pytest
from lxml import etree

from mm_soap.contract import validate
from mm_soap.far import Dispatcher, Sender, wire
from mm_soap.xml import AUTHORITY, DISPATCHER, SENDER

ODD = 'Å & <b> "x" ]]>'


def parsed(answer: bytes) -> etree._Element:
    element = etree.fromstring(answer)
    validate(element)
    return element


def test_senders() -> None:
    answer = parsed(wire.senders_answer([Sender("162021004748", ODD), Sender("162021003898", "Kommun B", ODD)]))
    assert answer.tag == f"{{{AUTHORITY}}}getSendersResponse"
    assert [[(child.tag, child.text) for child in row] for row in answer.findall("return")] == [
        [(f"{{{SENDER}}}Id", "162021004748"), (f"{{{SENDER}}}Name", ODD)],
        [(f"{{{SENDER}}}Id", "162021003898"), (f"{{{SENDER}}}Name", "Kommun B"), (f"{{{SENDER}}}Attention", ODD)],
    ]


def test_dispatchers() -> None:
    answer = parsed(wire.dispatchers_answer([Dispatcher("162021004748", ODD, ("162021004748", "162021003898"))]))
    assert [(child.tag, child.text) for child in answer.findall("return")[0]] == [
        (f"{{{DISPATCHER}}}Id", "162021004748"),
        (f"{{{DISPATCHER}}}Name", ODD),
        (f"{{{DISPATCHER}}}Senders", "162021004748"),
        (f"{{{DISPATCHER}}}Senders", "162021003898"),
    ]


def test_empty_lists() -> None:
    assert len(parsed(wire.senders_answer([]))) == 0
    assert len(parsed(wire.dispatchers_answer([]))) == 0


@pytest.mark.parametrize("accepted", [True, False])
def test_accepted(accepted: bool) -> None:
    assert parsed(wire.accepted_answer(accepted)).findtext("return") == str(accepted).lower()


@pytest.mark.parametrize("inside", ["162021004748", "1620<!-- x -->21004748"])
def test_the_organisation_asked_about_is_read_whole(inside: str) -> None:
    payload = etree.fromstring(f'<a:isSenderAccepted xmlns:a="{AUTHORITY}"><arg0>{inside}</arg0></a:isSenderAccepted>')
    assert wire.read_identity(payload) == "162021004748"
