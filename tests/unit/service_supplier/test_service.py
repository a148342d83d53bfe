"""What a mailbox operator does with a delivery."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits
from mm_soap.service_supplier import DeliveryOutcome, MailboxService, store
from mm_soap.service_supplier import service as service_module
from mm_soap.storage import Event, events_of, evidence_of, migrate, reading
from mm_soap.testing import FrozenClock

from .deliveries import (
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    RECIPIENT,
    STRANGER,
    FakeDirectory,
    a_message,
    sealed,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PDF = ("beslut.pdf", "application/pdf", b"%PDF-1.4\n%%EOF")
TABLES = ("delivery", "message", "attachment", "event", "evidence")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def operator(engine: Engine, directory: FakeDirectory, clock: FrozenClock) -> MailboxService:
    migrate(engine, "service_supplier")
    made = MailboxService(engine, directory, Limits(check_digits=False), timedelta(days=90), clock)
    made.open_mailbox(RECIPIENT)
    return made


def rows(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            name: connection.execute(select(func.count()).select_from(store.metadata.tables[name])).scalar_one()
            for name in TABLES
        }


def happened(engine: Engine, call_id: str) -> list[Event]:
    with reading(engine) as connection:
        return list(events_of(connection, call_id=call_id))


def test_a_delivery_reaches_the_mailbox_with_all_it_holds(operator: MailboxService, clock: FrozenClock) -> None:
    first, second = a_message("Beslut", attachments=[PDF, PDF]), a_message("Påminnelse")
    outcome = operator.deliver_secure(sealed(first, second), b"raw", "call-1", None)
    assert outcome.delivered == ((RECIPIENT, True),)
    assert [line.subject for line in operator.list_messages(RECIPIENT)] == ["Beslut", "Påminnelse"]
    message = operator.get_message(RECIPIENT, first.id)
    assert (message.trans_id, message.body) == (outcome.trans_id, first.body)
    assert (message.content_type, message.language) == ("text/plain", first.language)
    assert message.summary.sender == KOMMUN_A
    assert (message.summary.received, message.summary.read) == (NOW, None)
    assert [(one.filename, one.content_type, one.checksum, one.body) for one in message.attachments] == [
        (one.filename, one.content_type, one.checksum, one.body) for one in first.attachments
    ]
    assert operator.get_message(RECIPIENT, second.id).attachments == ()


def test_a_content_type_of_any_length_is_taken(operator: MailboxService) -> None:
    long = f"; x={'y' * 300}"
    message = a_message(attachments=[PDF])
    (attachment,) = message.attachments
    message = replace(
        message,
        content_type=f"text/plain{long}",
        attachments=(replace(attachment, content_type=f"application/pdf{long}"),),
    )
    operator.deliver_secure(sealed(message), b"raw", "call", None)
    found = operator.get_message(RECIPIENT, message.id)
    assert found.content_type == f"text/plain{long}"[:255]
    assert found.attachments[0].content_type == f"application/pdf{long}"[:255]


def test_the_list_is_newest_first(operator: MailboxService, clock: FrozenClock) -> None:
    for number in range(3):
        operator.deliver_secure(sealed(a_message(f"Nr {number}"), name=str(number)), b"raw", "call", None)
        clock.advance(timedelta(minutes=1))
    assert [line.subject for line in operator.list_messages(RECIPIENT)] == ["Nr 2", "Nr 1", "Nr 0"]


def test_the_exact_bytes_and_an_event_for_each_message_are_kept(operator: MailboxService, engine: Engine) -> None:
    messages = a_message(), a_message()
    outcome = operator.deliver_secure(sealed(*messages), b"\x00the raw request", "call-1", DISPATCHER)
    with reading(engine) as connection:
        (evidence,) = evidence_of(connection, "call-1")
    assert (evidence.content, evidence.direction, evidence.verdict) == (b"\x00the raw request", "in", "accepted")
    assert (evidence.caller, evidence.operation) == (DISPATCHER, "deliverSecure")
    assert evidence.keep_until == NOW + timedelta(days=90)
    events = happened(engine, "call-1")
    assert [event.message_id for event in events] == [message.id for message in messages]
    assert {(event.kind, event.outcome, event.trans_id, event.sender) for event in events} == {
        ("delivery", "stored", outcome.trans_id, KOMMUN_A)
    }
    assert events[0].detail["signer"] == KOMMUN_A
    assert events[0].detail["sealer"] == DISPATCHER
    assert RECIPIENT not in repr(events)


@pytest.mark.parametrize(
    ("recipient", "deselects", "outcome"),
    [(STRANGER, False, "no mailbox here"), (RECIPIENT, True, "the recipient deselected the sender")],
)
def test_not_delivered_is_a_normal_answer_and_keeps_no_content(
    operator: MailboxService, engine: Engine, recipient: str, deselects: bool, outcome: str
) -> None:
    if deselects:
        operator.deselect(RECIPIENT, KOMMUN_A)
        operator.deselect(RECIPIENT, KOMMUN_A)
    answer = operator.deliver_secure(sealed(a_message(attachments=[PDF]), recipient=recipient), b"raw", "call", None)
    assert answer.delivered == ((recipient, False),)
    assert rows(engine) == {"delivery": 1, "message": 0, "attachment": 0, "event": 1, "evidence": 1}
    assert [event.outcome for event in happened(engine, "call")] == [outcome]


def test_another_sender_is_still_accepted(operator: MailboxService) -> None:
    operator.deselect(RECIPIENT, KOMMUN_B)
    assert operator.deliver_secure(sealed(), b"raw", "call", None).delivered == ((RECIPIENT, True),)


def test_a_sender_selected_again_is_accepted(operator: MailboxService) -> None:
    operator.deselect(RECIPIENT, KOMMUN_A)
    operator.select(RECIPIENT, KOMMUN_A)
    assert operator.deliver_secure(sealed(), b"raw", "call", None).delivered == ((RECIPIENT, True),)


def test_the_same_delivery_again_is_answered_as_the_first_time(operator: MailboxService, engine: Engine) -> None:
    delivery = sealed(a_message(attachments=[PDF]))
    first = operator.deliver_secure(delivery, b"raw", "call-1", None)
    again = operator.deliver_secure(delivery, b"raw, sent again", "call-2", None)
    assert again == first
    assert rows(engine) == {"delivery": 1, "message": 1, "attachment": 1, "event": 2, "evidence": 2}
    assert [event.outcome for event in happened(engine, "call-2")] == ["answered as the first time"]


def test_the_same_signed_delivery_under_another_seal_is_the_same(operator: MailboxService, engine: Engine) -> None:
    message = a_message()
    first = operator.deliver_secure(sealed(message), b"raw", "call-1", None)
    again = operator.deliver_secure(sealed(message, seal="2", sealer=KOMMUN_A), b"raw", "call-2", None)
    assert again == first
    assert rows(engine)["message"] == 1


def test_a_mailbox_opened_in_between_does_not_change_the_answer(operator: MailboxService) -> None:
    delivery = sealed(recipient=STRANGER)
    first = operator.deliver_secure(delivery, b"raw", "call-1", None)
    operator.open_mailbox(STRANGER)
    assert operator.deliver_secure(delivery, b"raw", "call-2", None) == first
    assert operator.list_messages(STRANGER) == []


def test_a_repeated_delivery_is_answered_though_the_register_is_away(
    operator: MailboxService, directory: FakeDirectory
) -> None:
    delivery = sealed(name="before")
    first = operator.deliver_secure(delivery, b"raw", "call-1", None)
    directory.away = True
    assert operator.deliver_secure(delivery, b"raw", "call-2", None) == first
    for other in (sealed(name="new"), sealed(name="before", seal="other")):
        with pytest.raises(Refused) as caught:
            operator.deliver_secure(other, b"raw", "call-3", None)
        assert caught.value.refusal is Refusal.UNAVAILABLE


def test_threads_with_the_same_delivery_store_it_once(operator: MailboxService, engine: Engine) -> None:
    delivery = sealed(a_message(attachments=[PDF]))
    answers: list[DeliveryOutcome] = []
    barrier = threading.Barrier(6)

    def deliver(number: int) -> None:
        barrier.wait()
        answers.append(operator.deliver_secure(delivery, b"raw", f"call-{number}", None))

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert rows(engine) == {"delivery": 1, "message": 1, "attachment": 1, "event": 6, "evidence": 6}


def test_a_delivery_stored_between_look_and_write_is_answered_as_stored(
    operator: MailboxService, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = sealed()
    first = operator.deliver_secure(delivery, b"raw", "call-1", None)
    look = store.what_is_known
    blind = iter([True, False])

    def first_look_sees_nothing(*args: object) -> store.Known:
        known = look(*args)  # type: ignore[arg-type]
        return replace(known, trans_id=None) if next(blind) else known

    monkeypatch.setattr(store, "what_is_known", first_look_sees_nothing)
    assert operator.deliver_secure(delivery, b"raw", "call-2", None) == first
    assert rows(engine) == {"delivery": 1, "message": 1, "attachment": 0, "event": 2, "evidence": 2}


@pytest.mark.parametrize("where", ["record_event", "record_evidence"])
def test_a_failure_in_the_middle_stores_nothing(
    operator: MailboxService, engine: Engine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: object) -> None:
        raise Refused(Refusal.UNEXPECTED)

    delivery = sealed(a_message(attachments=[PDF]))
    with monkeypatch.context() as patched:
        patched.setattr(service_module, where, fail)
        with pytest.raises(Refused):
            operator.deliver_secure(delivery, b"raw", "call-1", None)
    assert set(rows(engine).values()) == {0}
    assert operator.deliver_secure(delivery, b"raw", "call-2", None).delivered == ((RECIPIENT, True),)


@pytest.mark.parametrize(("signer", "sealer"), [(KOMMUN_A, DISPATCHER), (DISPATCHER, DISPATCHER), (KOMMUN_A, KOMMUN_A)])
def test_who_may_sign_and_seal(operator: MailboxService, signer: str, sealer: str) -> None:
    answer = operator.deliver_secure(sealed(signer=signer, sealer=sealer), b"raw", "call", None)
    assert answer.delivered == ((RECIPIENT, True),)


@pytest.mark.parametrize(
    ("how", "refusal"),
    [
        ({"sender": "165567223709"}, Refusal.SENDER_UNKNOWN),
        ({"signer": KOMMUN_B}, Refusal.SIGNER_NOT_LISTED),
        ({"sealer": KOMMUN_B}, Refusal.SEALER_NOT_DISPATCHER),
        ({"sender": KOMMUN_B, "sealer": KOMMUN_A}, Refusal.SEALER_NOT_DISPATCHER),
        ({"signatures_ok": False}, Refusal.RULE_BROKEN),
    ],
)
def test_who_may_not(operator: MailboxService, engine: Engine, how: dict[str, str], refusal: Refusal) -> None:
    with pytest.raises(Refused) as caught:
        operator.deliver_secure(sealed(**how), b"raw", "call", None)  # type: ignore[arg-type]
    assert caught.value.refusal is refusal
    assert set(rows(engine).values()) == {0}


def test_the_rules_of_the_message_hold_here_too(operator: MailboxService) -> None:
    message = a_message(attachments=[("beslut.pdf", "application/pdf", b"%PDF-1.4\n%%EOF")])
    wrong = replace(message, attachments=(replace(message.attachments[0], checksum="0" * 32),))
    with pytest.raises(Refused) as caught:
        operator.deliver_secure(sealed(wrong), b"raw", "call", None)
    assert caught.value.refusal is Refusal.BAD_CHECKSUM


def test_unknown_mailboxes_and_messages_are_not_found(operator: MailboxService) -> None:
    for ask in (lambda: operator.list_messages(STRANGER), lambda: operator.get_message(RECIPIENT, "no such id")):
        with pytest.raises(Refused) as caught:
            ask()
        assert caught.value.refusal is Refusal.NOT_FOUND


def test_nothing_that_was_sent_is_in_a_repr(operator: MailboxService) -> None:
    message = a_message("Hemligt ärende", attachments=[PDF])
    outcome = operator.deliver_secure(sealed(message), b"raw", "call", None)
    shown = repr((outcome, operator.list_messages(RECIPIENT), operator.get_message(RECIPIENT, message.id)))
    for secret in (RECIPIENT, "Hemligt", "beslut.pdf", "Hej"):
        assert secret not in shown
