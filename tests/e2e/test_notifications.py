"""Class 1 from outside: a notification to many, over the wire, to two operators of their own processes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import pytest
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
from tests.e2e.suite import Demonstration, Server, a_message, accounts, person, until


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


def test_a_thousand_recipients_at_two_operators_while_everything_is_killed(fresh: Demonstration) -> None:
    fresh.change("dispatcher", retry_first=0.1, retry_longest=1.0)
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
