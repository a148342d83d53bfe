"""What a mailbox operator does with a delivery that a recipient forwards."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from mm_soap.dsig import UnsignedDocument, VerifiedSeal, stand_alone
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits
from mm_soap.service_supplier import ForwardingService, Kind, MailboxService, Told, wire
from mm_soap.storage import events_of, evidence_of, migrate, reading
from mm_soap.testing import FrozenClock
from mm_soap.xml import parse_untrusted
from tests.unit.message.test_to_many import forwarding

from .deliveries import DISPATCHER, KOMMUN_A, KOMMUN_B, RECIPIENT, STRANGER, FakeDirectory, a_message, sealed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPERATOR = "165599999918"
FRIEND, OTHER = "189001619809", "189002619808"
PDF = ("beslut.pdf", "application/pdf", b"%PDF-1.4\n%%EOF")


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def mailboxes(engine: Engine, directory: FakeDirectory) -> MailboxService:
    migrate(engine, "service_supplier")
    made = MailboxService(engine, directory, Limits(check_digits=False), clock=FrozenClock(NOW))
    made.open_mailboxes([FRIEND, OTHER])
    return made


@pytest.fixture
def service(mailboxes: MailboxService) -> ForwardingService:
    return ForwardingService(mailboxes.database, mailboxes.directory, mailboxes.limits, clock=FrozenClock(NOW))


def words(*recipients: str, message_id: str | None = None) -> UnsignedDocument:
    more = f"<MessageIdToForward>{message_id}</MessageIdToForward>" if message_id else ""
    document = forwarding(recipients=recipients or (FRIEND,), more=more)
    return stand_alone(parse_untrusted(document), wire.FORWARD_DELIVERY)


def forward(service: ForwardingService, said: UnsignedDocument, original: VerifiedSeal, call: str = "c") -> list[Told]:
    return list(service.deliver_forward(said, original, b"raw", call, None)[1])


def test_all_messages_reach_each_mailbox_that_is_here(service: ForwardingService, mailboxes: MailboxService) -> None:
    first, second = a_message("Beslut", attachments=[PDF]), a_message("Bilaga")
    found = forward(service, words(FRIEND, STRANGER, OTHER), sealed(first, second))
    assert found == [Told(FRIEND, True), Told(STRANGER, False), Told(OTHER, True)]
    for recipient in (FRIEND, OTHER):
        lines = mailboxes.list_messages(recipient)
        assert [(one.subject, one.kind, one.sender) for one in lines] == [
            ("Beslut", Kind.FORWARDED, KOMMUN_A),
            ("Bilaga", Kind.FORWARDED, KOMMUN_A),
        ]
        message = mailboxes.get_message(recipient, first.id)
        assert (message.body, [one.body for one in message.attachments]) == (first.body, [PDF[2]])
        assert message.forwarded is not None
        assert (message.forwarded.forwarder, message.forwarded.subject) == (RECIPIENT, "Se här")
        assert mailboxes.get_message(recipient, second.id).attachments == ()


def test_one_message_is_forwarded_if_it_is_named(service: ForwardingService, mailboxes: MailboxService) -> None:
    first, second = a_message("Beslut"), a_message("Bilaga")
    forward(service, words(message_id=second.id), sealed(first, second))
    assert [one.message_id for one in mailboxes.list_messages(FRIEND)] == [second.id]


def test_a_deselected_sender_does_not_matter(service: ForwardingService, mailboxes: MailboxService) -> None:
    mailboxes.deselect(FRIEND, KOMMUN_A)
    assert forward(service, words(), sealed()) == [Told(FRIEND, True)]


def test_the_same_again_is_answered_as_the_first_time(
    service: ForwardingService, mailboxes: MailboxService, directory: FakeDirectory
) -> None:
    said, original = words(FRIEND, STRANGER), sealed()
    first = service.deliver_forward(said, original, b"raw", "call-1", None)
    mailboxes.open_mailbox(STRANGER)
    directory.away = True
    assert service.deliver_forward(said, original, b"raw", "call-2", None) == first
    assert len(mailboxes.list_messages(FRIEND)) == 1
    assert mailboxes.list_messages(STRANGER) == []


def test_other_words_and_another_original_are_another_delivery(
    service: ForwardingService, mailboxes: MailboxService
) -> None:
    forward(service, words(FRIEND), sealed())
    forward(service, words(FRIEND, OTHER), sealed())
    forward(service, words(FRIEND), sealed(name="2"))
    assert len(mailboxes.list_messages(FRIEND)) == 3


@pytest.mark.parametrize(
    ("original", "said", "refusal"),
    [
        (sealed(recipient=STRANGER), words(), Refusal.REQUEST_CONTRADICTS),
        (sealed(), words(message_id="another"), Refusal.REQUEST_CONTRADICTS),
        (sealed(sender="165567223709"), words(), Refusal.SENDER_UNKNOWN),
        (sealed(signer=KOMMUN_B), words(), Refusal.SIGNER_NOT_LISTED),
        (sealed(sealer=KOMMUN_B), words(), Refusal.SEALER_NOT_DISPATCHER),
        (sealed(signatures_ok=False), words(), Refusal.RULE_BROKEN),
        (sealed(a_message("x" * 256)), words(), Refusal.TEXT_TOO_LONG),
    ],
)
def test_what_is_refused(
    service: ForwardingService,
    mailboxes: MailboxService,
    original: VerifiedSeal,
    said: UnsignedDocument,
    refusal: Refusal,
) -> None:
    with pytest.raises(Refused) as caught:
        forward(service, said, original)
    assert caught.value.refusal is refusal
    assert mailboxes.list_messages(FRIEND) == []


@pytest.mark.parametrize("own", [None, DISPATCHER])
def test_only_the_mailbox_operator_of_the_one_who_forwards_may_call(
    service: ForwardingService, mailboxes: MailboxService, directory: FakeDirectory, own: str | None
) -> None:
    """Not even the same words again are answered to another."""
    directory.operator = own
    said, original = words(FRIEND), sealed()
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            service.deliver_forward(said, original, b"raw", "call", OPERATOR)
        assert caught.value.refusal is Refusal.NOT_AUTHORISED
        assert len(mailboxes.list_messages(FRIEND)) <= 1
        directory.operator = OPERATOR
        service.deliver_forward(said, original, b"raw", "call", OPERATOR)
        directory.operator = own
    assert len(mailboxes.list_messages(FRIEND)) == 1


def test_event_and_evidence(service: ForwardingService, engine: Engine) -> None:
    messages = a_message(), a_message()
    trans_id, _ = service.deliver_forward(words(), sealed(*messages), b"the request", "call-1", "165599999918")
    with reading(engine) as connection:
        events = list(events_of(connection, call_id="call-1"))
        (evidence,) = evidence_of(connection, "call-1")
    assert [event.message_id for event in events] == [one.id for one in messages]
    assert {(event.kind, event.outcome, event.trans_id, event.sender) for event in events} == {
        ("forwarding", "stored", trans_id, KOMMUN_A)
    }
    assert (evidence.operation, evidence.content, evidence.caller) == ("deliverForward", b"the request", "165599999918")
    assert RECIPIENT not in repr(events)
    assert FRIEND not in repr(events)
