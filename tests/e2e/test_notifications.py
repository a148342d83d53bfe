"""Class 1 from outside: a notification to many, over the wire, to two operators of their own processes."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
import zeep
from lxml import etree

from mm_soap.bootstrap import mailbox_services
from mm_soap.config import load
from mm_soap.demonstration import (
    KOMMUN_A,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    UNKNOWN,
)
from mm_soap.errors import RemoteFault
from mm_soap.message import Email, Notification, Party, Sms, build_notification
from mm_soap.sender import NotificationClient, NotificationStatus
from tests.e2e.suite import (
    Demonstration,
    Server,
    a_message,
    accounts,
    distribute,
    final_status,
    letter,
    mm_soap,
    person,
    until,
)


def notification(*recipients: str, text: str = "Hej på er.") -> Notification:
    email = Email("noreply@kommun-a.example", "Ny post", "Du har fått post.")
    sms = Sms("Kommun A", "Du har fått post.")
    return Notification(Party(KOMMUN_A.number, KOMMUN_A.name), recipients, a_message("Information", text), email, sms)


def document(one: Notification) -> bytes:
    return etree.tostring(build_notification(one), encoding="UTF-8")


def ended(client: NotificationClient, distribution: str, seconds: float = 60) -> Sequence[NotificationStatus]:
    found: list[Sequence[NotificationStatus] | None] = []

    def final() -> bool:
        found.append(client.status(KOMMUN_A.number, distribution))
        return found[-1] is not None

    until(final, seconds, "the end of the notification")
    assert found[-1] is not None
    return found[-1]


def client_of(server: Server) -> NotificationClient:
    return NotificationClient(f"{server.url}/Notification/v3")


def test_each_recipient_gets_it_once_and_the_sender_is_told(demonstration: Demonstration, served: Server) -> None:
    client = client_of(served)
    one = notification(RECIPIENT, UNKNOWN, RECIPIENT_AT_TWO)
    first, again = client.distribute(document(one)), client.distribute(document(one))
    assert first == again
    told = [(each.recipient, each.delivered, each.channels) for each in ended(client, first)]
    assert told == [(RECIPIENT, True, ()), (UNKNOWN, False, ()), (RECIPIENT_AT_TWO, True, ())]
    for recipient in (RECIPIENT, RECIPIENT_AT_TWO):
        assert demonstration.count_in_mailbox(one.message.id, recipient) == 1
    kinds = {(step["party"].partition(":")[0], step["kind"]) for step in demonstration.trace(first)}
    assert kinds >= {
        ("dispatcher", "accepted"),
        ("dispatcher", "look-up"),
        ("dispatcher", "hand-over"),
        ("operator", "notification"),
    }


def test_an_id_of_the_other_service_is_not_found(demonstration: Demonstration, served: Server) -> None:
    with pytest.raises(RemoteFault) as caught:
        client_of(served).status(KOMMUN_A.number, "00000000-0000-4000-8000-000000000000")
    assert caught.value.code == 5003


def test_zeep_sends_one_and_asks_for_its_status(served: Server) -> None:
    client = zeep.Client(f"{served.url}/Notification/v3?wsdl", settings=zeep.Settings(strict=True))
    delivery = {
        "Header": {"Sender": {"Id": KOMMUN_A.number, "Name": KOMMUN_A.name}, "Recipient": [RECIPIENT, UNKNOWN]},
        "Message": {
            "header": {"Id": str(uuid4()), "Subject": "Ny post", "Supportinfo": {"Text": ""}, "Language": "svSE"},
            "body": {"ContentType": "text/plain", "Body": b"Hej."},
        },
        "SmsMessage": {"header": {"From": "Kommun A"}, "text": "Ny post."},
    }
    first = client.service.distribute(notificationDelivery=delivery)
    assert client.service.distribute(notificationDelivery=delivery) == first
    ended(client_of(served), first)
    found = client.service.checkDistributionStatus(sender=KOMMUN_A.number, distributionId=first)
    assert [(row.RecipientId, row.DeliveryStatus.DeliveredFlag) for row in found] == [
        (RECIPIENT, True),
        (UNKNOWN, False),
    ]


def test_zeep_hears_that_it_is_not_processed_yet(fresh: Demonstration) -> None:
    server = fresh.serve("dispatcher", "far")  # the operators are away
    client = client_of(server)
    distribution = client.distribute(document(notification(RECIPIENT)))
    proxy = zeep.Client(f"{server.url}/Notification/v3?wsdl").service
    with pytest.raises(zeep.exceptions.Fault) as caught:
        proxy.checkDistributionStatus(sender=KOMMUN_A.number, distributionId=distribution)
    assert caught.value.detail[0].findtext("{*}ErrorCode") == "5004"


def test_one_too_many_is_refused(served: Server) -> None:
    with pytest.raises(RemoteFault) as caught:
        client_of(served).distribute(document(notification(*[RECIPIENT] * 1001)))
    assert caught.value.code == 5005


def test_the_commands(demonstration: Demonstration, tmp_path: Path) -> None:
    config, body = ("--config", demonstration.config), tmp_path / "text.txt"
    body.write_text("Kommunhuset är stängt.")
    sent = mm_soap(
        *("notify", *config, "--sender", KOMMUN_A.number, "--recipient", RECIPIENT, "--recipient", UNKNOWN),
        *("--subject", "Stängt", "--body", body, "--sms", "Ny post.", "--wait", "--json"),
        MM_SOAP_PORT=str(demonstration.servers[0].port),
    )
    assert sent.returncode == 1, sent.stderr  # it did not reach everybody
    result = json.loads(sent.stdout)
    assert result["recipients"] == [
        {"recipient": RECIPIENT, "delivered": True, "channels": []},
        {"recipient": UNKNOWN, "delivered": False, "channels": []},
    ]
    port = {"MM_SOAP_PORT": str(demonstration.servers[0].port)}
    told = mm_soap("status", result["distribution_id"], *config, "--json", **port)
    assert json.loads(told.stdout)["recipients"] == result["recipients"]
    assert "Recipients" in mm_soap("status", result["distribution_id"], *config, **port).stdout
    listed = json.loads(mm_soap("mailbox", "list", RECIPIENT, *config, "--json").stdout)
    assert (listed[0]["subject"], listed[0]["kind"]) == ("Stängt", "notification")
    shown = mm_soap("mailbox", "show", RECIPIENT, result["message_id"], *config)
    assert "Kommunhuset är stängt." in shown.stdout
    traced = mm_soap("trace", result["distribution_id"], *config).stdout
    assert "Nobody signs a notification" in " ".join(traced.split())


def test_attachments_are_saved_under_safe_names(fresh: Demonstration, tmp_path: Path) -> None:
    pdf = b"%PDF-1.4\n%%EOF"
    message = a_message(attachments=[("../../x/beslut.pdf", "application/pdf", pdf)] * 2)
    server = fresh.serve()
    final_status(server.url, distribute(server.url, fresh.signed(letter(RECIPIENT, message))))
    folder = tmp_path / "out" / "files"
    for _ in range(2):
        shown = mm_soap("mailbox", "show", RECIPIENT, message.id, "--config", fresh.config, "--save", folder, "--json")
        assert shown.returncode == 0, shown.stderr
        saved = json.loads(shown.stdout)["saved"]
        assert {Path(each).parent for each in saved} == {folder}
        assert {Path(each).read_bytes() for each in saved} == {pdf}
    assert len(list(folder.iterdir())) == 4
    assert [each for each in tmp_path.iterdir() if each.name not in ("demo", "out")] == []


def test_mailboxes_are_opened_and_have_contact_settings(fresh: Demonstration) -> None:
    config, who = ("--config", fresh.config), person(1)
    missing = mm_soap("mailbox", "contact", who, *config)
    assert (missing.returncode, "no operator" in missing.stderr.lower()) == (1, True)
    assert mm_soap("mailbox", "open", who, *config).returncode == 2  # two operators: which?
    assert mm_soap("mailbox", "open", who, *config, "--operator", OPERATOR_TWO.number).returncode == 0
    assert mm_soap("mailbox", "open", who, *config, "--operator", OPERATOR_TWO.number).returncode == 0
    changed = mm_soap(
        *("mailbox", "contact", who, *config, "--email", "a@b.example", "--mobile", "070-174 06 05"),
        *("--want", "EMail", "--language", "en", "--json"),
    )
    expected = {
        **{"email": "a@b.example", "mobile": "0701740605", "language": "en", "wanted": ["EMail"]},
        **{"frequency": "each", "not_working": {}},
    }
    assert json.loads(changed.stdout) == expected
    cleared = mm_soap("mailbox", "contact", who, *config, "--mobile", "", "--json")
    assert json.loads(cleared.stdout) == {**expected, "mobile": None}
    for wrong in (("--email", "nobody"), ("--mobile", "x"), ("--language", "fi"), ("--want", "Brev")):
        assert mm_soap("mailbox", "contact", who, *config, *wrong).returncode == 2


def test_a_thousand_recipients_at_two_operators_while_everything_is_killed(fresh: Demonstration) -> None:
    fresh.change("dispatcher.policy", retry_first=0.1, retry_longest=1.0)
    recipients = [person(number) for number in range(1000)]
    half = {OPERATOR_ONE.number: recipients[0::2], OPERATOR_TWO.number: recipients[1::2]}
    with fresh.register() as register:
        for operator, some in half.items():
            register.add_accounts(accounts(operator, some))
    for service, own in zip(mailbox_services(load(fresh.config)), load(fresh.config).operator, strict=True):
        service.open_mailboxes(half[own.organisation])
        service.database.dispose()
    servers = fresh.serve_apart()
    client = client_of(servers["dispatcher"])
    sent = [notification(*recipients, text=f"Nr {number}") for number in range(4)]
    distributions = [client.distribute(document(one)) for one in sent]
    for _ in range(2):
        for victim in ("operator", "dispatcher"):
            time.sleep(0.15)  # any moment will do
            servers[victim].kill()
            servers[victim].start()
    for one, distribution in zip(sent, distributions, strict=True):
        assert client.distribute(document(one)) == distribution
        told = ended(client, distribution)
        assert [each.recipient for each in told] == recipients
        assert all(each.delivered for each in told)
    expected = Counter(one.message.id for one in sent)
    for recipient in (*recipients[:4], *recipients[-4:]):
        assert Counter(each.message_id for each in fresh.mailbox(recipient)) == expected
