"""What a mailbox operator does with a notification, and how it sends it on."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from mm_soap.dsig import UnsignedDocument, stand_alone
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Email, Limits, Notification, Party, Sms, build_notification, new_message
from mm_soap.service_supplier import (
    Contact,
    Kind,
    MailboxService,
    Notice,
    NoticeNotTaken,
    NotifyingService,
    Outbox,
    Told,
    many,
    store,
    wire,
)
from mm_soap.service_supplier.outbox import LEASE
from mm_soap.storage import events_of, evidence_of, migrate, reading, writing
from mm_soap.testing import FrozenClock

from .deliveries import DISPATCHER, KOMMUN_A, KOMMUN_B, RECIPIENT, STRANGER, FakeDirectory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHER = "189001619809"
REACHED = Contact("tolvan@post.example", "+46701740605")


class Channels:
    """Channels that take what they get, or raise what they are told."""

    def __init__(self, channels: Collection[str] = ("EMail", "SMS")) -> None:
        self.channels = channels
        self.taken: list[Notice] = []
        self.errors: list[Exception] = []
        self.before: threading.Event | None = None

    def send(self, notice: Notice) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(notice)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def channels() -> Channels:
    return Channels()


@pytest.fixture
def outbox(engine: Engine, channels: Channels, clock: FrozenClock) -> Outbox:
    migrate(engine, "service_supplier")
    return Outbox(engine, channels, clock)


@pytest.fixture
def mailboxes(engine: Engine, outbox: Outbox, directory: FakeDirectory, clock: FrozenClock) -> MailboxService:
    made = MailboxService(engine, directory, Limits(check_digits=False), clock=clock)
    made.open_mailboxes([RECIPIENT, OTHER])
    return made


@pytest.fixture
def service(mailboxes: MailboxService, outbox: Outbox, clock: FrozenClock) -> NotifyingService:
    return NotifyingService(mailboxes.database, mailboxes.directory, mailboxes.limits, outbox, clock=clock)


def notification(
    *recipients: str, subject: str = "Ny post", email: bool = True, sms: bool = True, sender: str = KOMMUN_A
) -> UnsignedDocument:
    one = Notification(
        Party(sender, "Kommun"),
        recipients or (RECIPIENT,),
        new_message(subject, text="Hej."),
        Email("info@kommun.example", subject, "Du har post.") if email else None,
        Sms("Kommun", "Du har post.") if sms else None,
    )
    return stand_alone(build_notification(one), wire.NOTIFICATION_DELIVERY)


def told(service: NotifyingService, one: UnsignedDocument, call: str = "call") -> list[Told]:
    return list(service.notify(one, b"raw", call, None)[1])


def count(engine: Engine, table: str) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(store.metadata.tables[table])).scalar_one()


def test_it_is_kept_in_each_mailbox_that_is_here(service: NotifyingService, mailboxes: MailboxService) -> None:
    found = told(service, notification(RECIPIENT, STRANGER, OTHER))
    assert found == [Told(RECIPIENT, True), Told(STRANGER, False), Told(OTHER, True)]
    for recipient in (RECIPIENT, OTHER):
        (line,) = mailboxes.list_messages(recipient)
        assert (line.kind, line.subject, line.sender) == (Kind.NOTIFICATION, "Ny post", KOMMUN_A)
        assert mailboxes.get_message(recipient, line.message_id).body == b"Hej."


def test_the_text_is_stored_once(service: NotifyingService, engine: Engine) -> None:
    told(service, notification(RECIPIENT, OTHER))
    with reading(engine) as connection:
        bodies = connection.execute(select(store.metadata.tables["message"].c.body)).scalars().all()
    assert sorted(bodies) == [b"", b"Hej."]


def test_one_who_deselected_the_sender_gets_nothing(service: NotifyingService, mailboxes: MailboxService) -> None:
    mailboxes.deselect(RECIPIENT, KOMMUN_A)
    mailboxes.set_contact(RECIPIENT, REACHED)
    assert told(service, notification(RECIPIENT, OTHER)) == [Told(RECIPIENT, False), Told(OTHER, True)]
    assert mailboxes.list_messages(RECIPIENT) == []


def test_event_and_evidence(service: NotifyingService, engine: Engine) -> None:
    trans_id, _ = service.notify(notification(RECIPIENT, STRANGER), b"the request", "call-1", DISPATCHER)
    with reading(engine) as connection:
        (event,) = events_of(connection, call_id="call-1")
        (evidence,) = evidence_of(connection, "call-1")
    assert (event.kind, event.outcome, event.trans_id) == ("notification", "stored", trans_id)
    assert (event.detail["recipients"], event.detail["delivered"]) == (2, 1)
    assert (evidence.operation, evidence.content, evidence.caller) == ("notify", b"the request", DISPATCHER)
    assert RECIPIENT not in repr(event)


def test_the_same_again_is_answered_as_the_first_time(
    service: NotifyingService, mailboxes: MailboxService, engine: Engine, directory: FakeDirectory
) -> None:
    mailboxes.set_contact(RECIPIENT, REACHED)
    one = notification(RECIPIENT, STRANGER)
    first = service.notify(one, b"raw", "call-1", None)
    mailboxes.open_mailbox(STRANGER)
    mailboxes.set_contact(RECIPIENT, Contact())
    directory.away = True
    assert service.notify(one, b"raw", "call-2", None) == first
    assert first[1][0].channels == ("EMail", "SMS")
    assert (count(engine, "message"), count(engine, "outgoing")) == (1, 2)


def test_threads_with_the_same_notification_store_it_once(
    service: NotifyingService, mailboxes: MailboxService, engine: Engine, channels: Channels
) -> None:
    mailboxes.set_contact(RECIPIENT, REACHED)
    one = notification()
    barrier, trans_ids = threading.Barrier(5), []

    def deliver(number: int) -> None:
        barrier.wait()
        trans_ids.append(service.notify(one, b"raw", f"call-{number}", None)[0])

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trans_ids) == 5
    assert len(set(trans_ids)) == 1
    assert count(engine, "message") == 1
    assert sorted(notice.channel for notice in channels.taken) == ["EMail", "SMS"]


@pytest.mark.parametrize(
    ("how", "caller", "refusal"),
    [
        ({"sender": "165567223709"}, None, Refusal.SENDER_UNKNOWN),
        ({"subject": "x" * 256}, None, Refusal.TEXT_TOO_LONG),
        ({}, KOMMUN_B, Refusal.NOT_AUTHORISED),
    ],
)
def test_what_is_refused(
    service: NotifyingService, engine: Engine, how: dict[str, str], caller: str | None, refusal: Refusal
) -> None:
    with pytest.raises(Refused) as caught:
        service.notify(notification(**how), b"raw", "call", caller)  # type: ignore[arg-type]
    assert caught.value.refusal is refusal
    assert count(engine, "delivery") == 0


# Sending on


@pytest.mark.parametrize(
    ("contact", "written", "expected"),
    [
        (REACHED, {}, ("EMail", "SMS")),
        (Contact("a@b.example"), {}, ("EMail",)),
        (Contact(mobile="070"), {}, ("SMS",)),
        (Contact("a@b.example", "070", wanted=frozenset({"SMS"})), {}, ("SMS",)),
        (Contact("a@b.example", "070", wanted=frozenset()), {}, ()),
        (REACHED, {"email": False}, ("SMS",)),
        (REACHED, {"email": False, "sms": False}, ()),
        (Contact(), {}, ()),
    ],
)
def test_it_goes_on_by_the_channels_that_are_wanted_and_written_for(
    service: NotifyingService,
    mailboxes: MailboxService,
    channels: Channels,
    contact: Contact,
    written: dict[str, bool],
    expected: tuple[str, ...],
) -> None:
    mailboxes.set_contact(RECIPIENT, contact)
    assert told(service, notification(**written)) == [Told(RECIPIENT, True, expected)]  # type: ignore[arg-type]
    assert sorted(notice.channel for notice in channels.taken) == sorted(expected)


def test_what_a_channel_gets(service: NotifyingService, mailboxes: MailboxService, channels: Channels) -> None:
    mailboxes.set_contact(RECIPIENT, Contact("tolvan@post.example", "+46701740605", "en"))
    told(service, notification())
    by_channel = {notice.channel: notice for notice in channels.taken}
    email, sms = by_channel["EMail"], by_channel["SMS"]
    assert (email.to, email.sender, email.subject, email.text, email.language) == (
        *("tolvan@post.example", "info@kommun.example", "Ny post", "Du har post."),
        "en",
    )
    assert (sms.to, sms.sender, sms.subject, sms.text) == ("+46701740605", "Kommun", None, "Du har post.")
    assert email.key != sms.key
    assert RECIPIENT not in email.key
    assert "tolvan" not in repr(email)


def test_what_was_not_taken_yet_is_not_told_and_goes_out_later(
    service: NotifyingService, mailboxes: MailboxService, channels: Channels, outbox: Outbox, clock: FrozenClock
) -> None:
    mailboxes.set_contact(RECIPIENT, Contact("a@b.example"))
    channels.errors.append(NoticeNotTaken("the server is away", again=True))
    one = notification()
    assert told(service, one) == [Told(RECIPIENT, True)]
    assert not outbox.send_due()
    clock.advance(timedelta(minutes=1))
    assert outbox.send_due()
    assert len(channels.taken) == 1
    assert told(service, one) == [Told(RECIPIENT, True)]  # as the first time
    assert not outbox.send_due()


def test_what_will_never_be_taken_is_given_up(
    service: NotifyingService, mailboxes: MailboxService, channels: Channels, outbox: Outbox, clock: FrozenClock
) -> None:
    mailboxes.set_contact(RECIPIENT, Contact("a@b.example"))
    channels.errors.append(NoticeNotTaken("no such address", again=False))
    assert told(service, notification()) == [Told(RECIPIENT, True)]
    clock.advance(timedelta(days=2))
    assert not outbox.send_due()
    assert channels.taken == []


def test_after_a_day_it_is_given_up(
    service: NotifyingService, mailboxes: MailboxService, channels: Channels, outbox: Outbox, clock: FrozenClock
) -> None:
    mailboxes.set_contact(RECIPIENT, Contact("a@b.example"))
    channels.errors += [NoticeNotTaken("away", again=True)] * 500
    told(service, notification())
    for _ in range(60):
        clock.advance(timedelta(hours=1))
        outbox.send_due()
    tried = len(channels.errors)
    clock.advance(timedelta(days=2))
    assert not outbox.send_due()
    assert tried > 470


def test_no_call_waits_longer_than_it_may(
    service: NotifyingService, mailboxes: MailboxService, channels: Channels, outbox: Outbox
) -> None:
    outbox.within_call = 0
    mailboxes.set_contact(RECIPIENT, REACHED)
    assert told(service, notification()) == [Told(RECIPIENT, True)]
    assert channels.taken == []
    assert outbox.send_due()  # at once: the call has let go of it
    assert len(channels.taken) == 2


def test_after_a_crash_in_the_call_it_goes_out_and_the_answer_is_true(
    service: NotifyingService,
    mailboxes: MailboxService,
    channels: Channels,
    outbox: Outbox,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailboxes.set_contact(RECIPIENT, REACHED)
    one = notification()

    class Killed(BaseException):
        """What no handler catches, as a kill."""

    def killed(_: object, __: int) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "send_now", killed)
        with pytest.raises(Killed):
            service.notify(one, b"raw", "call-1", None)
    assert not outbox.send_due()  # claimed by the call that is no more
    clock.advance(LEASE)
    assert outbox.send_due()
    assert told(service, one) == [Told(RECIPIENT, True, ("EMail", "SMS"))]
    assert len(channels.taken) == 2


def test_an_answer_that_stands_is_not_written_anew(
    service: NotifyingService, mailboxes: MailboxService, engine: Engine
) -> None:
    # Two calls with the same notification may both come to its end; what the first one answered is the answer.
    mailboxes.set_contact(RECIPIENT, Contact("a@b.example"))
    one = notification()
    first = told(service, one)
    with writing(engine) as connection:
        known = many.answered(connection, one.digest)
        assert known is not None
        many.settle(connection, known.key, {RECIPIENT: ["SMS"]})
    assert told(service, one) == first == [Told(RECIPIENT, True, ("EMail",))]


def test_one_who_does_not_want_it_any_more_gets_none(
    service: NotifyingService, mailboxes: MailboxService, channels: Channels, outbox: Outbox, clock: FrozenClock
) -> None:
    mailboxes.set_contact(RECIPIENT, Contact("a@b.example"))
    channels.errors.append(NoticeNotTaken("away", again=True))
    told(service, notification())
    mailboxes.set_contact(RECIPIENT, Contact())
    clock.advance(timedelta(hours=1))
    outbox.send_due()
    assert channels.taken == []
    clock.advance(timedelta(hours=1))
    assert not outbox.send_due()


def test_no_event_of_a_notice_names_anybody(
    service: NotifyingService, mailboxes: MailboxService, channels: Channels, engine: Engine
) -> None:
    mailboxes.set_contact(RECIPIENT, REACHED)
    channels.errors.append(RuntimeError("secret"))
    trans_id, _ = service.notify(notification(), b"raw", "call", None)
    with reading(engine) as connection:
        events = list(events_of(connection, trans_id=trans_id))
    assert sorted((event.kind, event.outcome) for event in events) == [
        ("notice", "retry"),
        ("notice", "sent"),
        ("notification", "stored"),
    ]
    assert not any(word in repr(events) for word in (RECIPIENT, "secret", "tolvan", "Du har"))


def test_the_thread_sends_what_is_due(
    mailboxes: MailboxService, channels: Channels, engine: Engine, directory: FakeDirectory
) -> None:
    taken = threading.Event()

    class Telling(Channels):
        def send(self, notice: Notice) -> None:
            super().send(notice)
            taken.set()

    outbox = Outbox(engine, Telling(("EMail",)), within_call=0)
    service = NotifyingService(engine, directory, mailboxes.limits, outbox)
    mailboxes.set_contact(RECIPIENT, REACHED)
    outbox.start()
    try:
        told(service, notification())
        assert taken.wait(20)
    finally:
        outbox.stop()


def test_contact_settings_of_no_mailbox(mailboxes: MailboxService) -> None:
    for attempt in (lambda: mailboxes.contact_of(STRANGER), lambda: mailboxes.set_contact(STRANGER, REACHED)):
        with pytest.raises(Refused) as caught:
            attempt()  # type: ignore[no-untyped-call]
        assert caught.value.refusal is Refusal.NOT_FOUND
    mailboxes.set_contact(RECIPIENT, REACHED)
    assert mailboxes.contact_of(RECIPIENT) == REACHED
