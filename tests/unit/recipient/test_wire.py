"""Requests and answers of the Recipient service: text taken whole, answers that follow the schema."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from mm_soap.contract import validate
from mm_soap.errors import Refusal, Refused
from mm_soap.far import AccountStatus, Operator, Reachability
from mm_soap.recipient import PRECHECKS, wire
from mm_soap.xml import RECIPIENT_V1, RECIPIENT_V3

NOW = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
PLAIN = Operator("165560000019", "Brevlådan", "http://o/Service/v3", "http://i/Service/v3")
ODD = Operator("165560000027", "<Å> & co", "http://p?a=1&b=2", "http://p", "http://p/ui", "http://p/logo")
STATUSES = [
    AccountStatus("192705178354", "Secure", False, PLAIN, NOW),
    AccountStatus("191212121212", "Not", False, None, None),
    AccountStatus("165560000001", "Anonymous", True, ODD, None),
    AccountStatus("192705178354", "Secure", False, PLAIN, NOW),
]


def request(operation: str, *ids: str, sender: str = "") -> etree._Element:
    rows = "".join(f"<recipientId>{one}</recipientId>" for one in ids)
    return etree.fromstring(f'<{operation} xmlns="{RECIPIENT_V3}">{sender}{rows}</{operation}>')


def shown(status: etree._Element) -> dict[str, str | None]:
    return {etree.QName(child).localname: child.text for child in status.iter() if len(child) == 0}


def test_ids_and_sender_are_read_whole_and_in_order() -> None:
    payload = request(
        "isReachable", "19270517<!-- x -->8354", "191212121212", sender="<senderOrgNr>1620<?x?>21004748</senderOrgNr>"
    )
    assert wire.read_ids(payload) == ["192705178354", "191212121212"]
    assert wire.read_sender(payload) == "162021004748"


@pytest.mark.parametrize("operation", ["isRegistered", "isReachable"])
def test_more_than_a_thousand_ids_are_refused_before_the_schema(operation: str) -> None:
    check = PRECHECKS[operation]
    check(request(operation, *["192705178354"] * 1000, sender="<senderOrgNr>162021004748</senderOrgNr>"))
    with pytest.raises(Refused) as caught:
        check(request(operation, *["anything"] * 1001))
    assert caught.value.refusal is Refusal.TOO_MANY


def test_registered_answer() -> None:
    answer = etree.fromstring(wire.registered_answer(STATUSES))
    validate(answer)
    assert answer.tag == f"{{{RECIPIENT_V3}}}isRegisteredResponse"
    rows = [shown(row) for row in answer]
    assert rows[0] == {
        "RecipientId": "192705178354",
        "Type": "Secure",
        "Pending": "false",
        "Id": PLAIN.number,
        "Name": PLAIN.name,
        "ServiceAdress": PLAIN.service_address,
        "InternalServiceAdress": PLAIN.internal_address,
        "LastRegistration": "2026-03-01T12:00:00.000005+00:00",
    }
    assert rows[1] == {"RecipientId": "191212121212", "Type": "Not", "Pending": "false"}
    assert rows[2] == {
        "RecipientId": "165560000001",
        "Type": "Anonymous",
        "Pending": "true",
        "Id": ODD.number,
        "Name": ODD.name,
        "Logo": ODD.logo,
        "ServiceAdress": ODD.service_address,
        "UIAdress": ODD.ui_address,
        "InternalServiceAdress": ODD.internal_address,
    }
    assert rows[3] == rows[0]


def test_reachable_answer() -> None:
    choices = [(True, None), (False, None), (False, NOW), (True, NOW)]
    answers = [Reachability(status, *choice) for status, choice in zip(STATUSES, choices, strict=True)]
    answer = etree.fromstring(wire.reachable_answer(answers))
    validate(answer)
    accepted = [row.findtext(f"{{{RECIPIENT_V1}}}SenderAccepted") for row in answer]
    changed = [row.findtext(f"{{{RECIPIENT_V1}}}LastSenderAcceptChange") for row in answer]
    assert accepted == ["true", "false", "false", "true"]
    assert changed == [None, None, NOW.isoformat(), NOW.isoformat()]
    assert [row.findtext(f".//{{{RECIPIENT_V1}}}RecipientId") for row in answer] == [one.recipient for one in STATUSES]
