"""How recipients are told that secure post came: once for what comes together, and only while it is news."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from mm_soap.errors import Refused
from mm_soap.service_supplier import (
    DAILY,
    EACH,
    Contact,
    ForwardingService,
    Notice,
    NoticeRules,
    NotifyingService,
    Outbox,
    Retention,
    late_notices,
    post_notices,
    service,
)
from mm_soap.service_supplier.outbox import LEASE
from mm_soap.storage import reading, writing
from mm_soap.testing.databases import fresh_database

from .deliveries import KOMMUN_A, RECIPIENT, a_message, sealed
from .notified import AWAY, EMAIL_ALONE, OTHER, RULES, WINDOW, Channels, World
from .test_forwarding import words
from .test_notifying import notification


@pytest.fixture
def world(engine: Engine) -> World:
    return World.on(engine)


def test_a_notice_goes_out_when_the_window_is_over(world: World) -> None:
    world.deliver()
    assert world.send() == 0
    assert world.later(WINDOW - timedelta(seconds=1)) == 0
    assert world.later(timedelta(seconds=1)) == 1
    (notice,) = world.channels.taken
    assert (notice.channel, notice.to, notice.language, notice.sender) == ("EMail", EMAIL_ALONE.email, "sv", "")
    assert notice.subject == "Ny post i din digitala brevlåda"
    assert world.later(timedelta(days=2)) == 0


def test_nothing_of_the_post_is_in_it(world: World) -> None:
    world.service.set_contact(RECIPIENT, Contact("tolvan@post.example", "+46701740605"))
    world.deliver(a_message("Provsvar från ungdomsmottagningen"))
    world.later()
    assert sorted(notice.channel for notice in world.channels.taken) == ["EMail", "SMS"]
    for notice in world.channels.taken:
        said = f"{notice.subject} {notice.text} {notice.html}"
        for secret in ("Provsvar", "Hej på dig", "Kommun", KOMMUN_A, RECIPIENT, RECIPIENT[2:]):
            assert secret not in said
        assert "https://brevlada.example/Inbox" in said
        assert RECIPIENT not in notice.key


@pytest.mark.parametrize(("language", "word"), [("sv", "ny post"), ("en", "new post")])
def test_it_speaks_the_recipients_language(world: World, language: str, word: str) -> None:
    world.service.set_contact(RECIPIENT, Contact("a@b.example", "+46701740605", language))
    world.told()
    assert [word in notice.text for notice in world.channels.taken] == [True, True]


def test_what_comes_within_the_window_is_told_once(world: World) -> None:
    for _ in range(3):
        world.deliver()
        world.clock.advance(WINDOW / 4)
    assert world.later() == 1
    assert world.told() == 1
    assert len(world.rows()) == 2


def test_the_same_delivery_again_is_not_told_again(world: World) -> None:
    first = world.deliver(name="same")
    assert world.deliver(name="same", seal="2") == first
    assert world.later() == 1
    assert world.deliver(name="same", seal="3") == first
    assert world.later() == 0
    assert len(world.rows()) == 1


def test_nothing_is_written_where_nobody_is_told(engine: Engine) -> None:
    world = World.on(engine, NoticeRules())
    world.deliver()
    assert world.rows() == []


@pytest.mark.parametrize("contact", [Contact(), Contact("a@b.example", wanted=frozenset())])
def test_who_has_no_address_or_does_not_want_it_is_not_told(world: World, contact: Contact) -> None:
    world.service.set_contact(RECIPIENT, contact)
    assert world.told() == 0
    assert world.rows() == []


def test_a_delivery_that_is_not_stored_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """What no handler catches, as a kill."""

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(service, "record_evidence", killed)
        with pytest.raises(Killed):
            world.deliver(name="same")
    assert (world.rows(), world.rows("delivery")) == ([], [])
    world.deliver(name="same")
    assert world.later() == 1


def test_after_a_crash_while_it_is_sent_it_is_the_same_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """What no handler catches, as a kill."""

    def killed(*_: object) -> None:
        raise Killed

    world.deliver()
    world.clock.advance(WINDOW)
    with monkeypatch.context() as patched:
        patched.setattr(post_notices, "write_result", killed)
        with pytest.raises(Killed):
            world.send()
    assert world.send() == 0  # claimed by the one that is no more
    assert world.later(LEASE) == 1
    first, second = world.channels.taken
    assert first == second
    assert world.later(LEASE) == 0


def test_its_key_is_as_durable_as_the_delivery(world: World) -> None:
    # What is written while it is sent may be undone when the machine is switched off.
    world.deliver()
    (before,) = world.rows()
    world.later()
    assert [notice.key for notice in world.channels.taken] == [before.mark]


def test_what_a_slow_channel_would_begin_after_its_claim_is_left_to_others(world: World) -> None:
    many = [f"18900{number}619809" for number in range(1, 9)]
    world.service.open_mailboxes(many)
    for recipient in many:
        world.service.set_contact(recipient, EMAIL_ALONE)
        world.deliver(recipient=recipient)

    class Slow(Channels):
        """A minute for each, while another process looks for what is due."""

        def send(self, notice: Notice) -> None:
            super().send(notice)
            world.clock.advance(timedelta(minutes=1))
            other.send_due()

    world.outbox.notifier = slow = Slow()
    other = Outbox(world.engine, world.channels, world.clock, rules=RULES)
    world.clock.advance(WINDOW)
    for _ in range(9):
        world.outbox.send_due()
        world.clock.advance(LEASE)
    sent = [notice.key for notice in (*slow.taken, *world.channels.taken)]
    assert len(sent) == len(set(sent)) == len(many)


# Only while it is news


@pytest.mark.parametrize("what", ["read", "archive", "throw_away", "delete"])
def test_what_its_recipient_saw_or_lost_is_not_told(world: World, what: str) -> None:
    world.deliver()
    (line,) = world.inbox.page(RECIPIENT).lines
    if what == "read":
        world.inbox.open(RECIPIENT, line.key)
    elif what == "delete":
        world.inbox.throw_away(RECIPIENT, line.key)
        world.inbox.delete(RECIPIENT, line.key)
    else:
        getattr(world.inbox, what)(RECIPIENT, line.key)
    assert world.later() == 0
    reason = {"throw_away": "thrown away", "delete": "deleted"}.get(what, "read or moved")
    assert world.reasons() == [("not sent", f"what came is {reason}")]
    assert world.told() == 1


def test_what_is_still_unread_of_several_is_told(world: World) -> None:
    world.deliver()
    world.deliver()
    world.inbox.open(RECIPIENT, world.inbox.page(RECIPIENT).lines[0].key)
    assert world.later() == 1


def test_what_came_before_is_not_told_in_its_place(world: World) -> None:
    world.told()
    world.deliver()
    world.inbox.open(RECIPIENT, world.inbox.page(RECIPIENT).lines[0].key)
    assert world.later() == 0  # the first one is unread still


def test_what_came_after_is_not_told_in_its_place(world: World) -> None:
    world.channels.errors.append(AWAY)
    world.told()
    world.inbox.open(RECIPIENT, world.inbox.page(RECIPIENT).lines[0].key)
    world.deliver()
    assert world.later(timedelta(seconds=30)) == 0
    assert world.later() == 1
    assert [row.state for row in world.rows()] == ["dropped", "sent"]


def test_a_closed_mailbox_is_not_told(world: World) -> None:
    world.deliver()
    world.service.close_mailbox(RECIPIENT)
    assert world.later() == 0
    assert world.reasons() == [("not sent", "the mailbox is closed")]


def test_who_does_not_want_it_any_more_is_not_told(world: World) -> None:
    world.deliver()
    world.service.set_contact(RECIPIENT, Contact("tolvan@post.example", wanted=frozenset()))
    assert world.later() == 0
    assert [outcome for outcome, _ in world.reasons()] == ["not sent"]


def test_it_goes_to_the_address_that_is_known_when_it_goes(world: World) -> None:
    world.deliver()
    world.service.set_contact(RECIPIENT, Contact("ny@post.example", language="en"))
    world.later()
    (notice,) = world.channels.taken
    assert (notice.to, notice.subject) == ("ny@post.example", "New post in your digital mailbox")


def test_a_mailbox_is_deleted_with_its_notices(world: World) -> None:
    world.told()
    world.deliver()
    world.service.close_mailbox(RECIPIENT)
    world.clock.advance(timedelta(days=91))
    for forget in Retention().forgets():
        while True:
            with writing(world.engine) as connection:
                if not forget(connection, world.clock()):
                    break
    assert world.rows() == []
    with pytest.raises(Refused):
        world.service.contact_of(RECIPIENT)


# How often


def test_at_most_once_a_day_where_that_is_wanted(world: World) -> None:
    world.service.set_contact(RECIPIENT, Contact("a@b.example", frequency=DAILY))
    assert world.told() == 1
    assert [world.told() for _ in range(3)] == [0, 0, 0]
    assert world.later(timedelta(hours=23)) == 0
    assert world.later(timedelta(hours=1)) == 1
    assert len(world.rows()) == 2


def test_what_waits_for_the_next_day_goes_when_each_is_wanted(world: World) -> None:
    world.service.set_contact(RECIPIENT, Contact("a@b.example", frequency=DAILY))
    world.told()
    assert world.told() == 0
    world.service.set_contact(RECIPIENT, Contact("a@b.example", frequency=EACH))
    assert world.later() == 1


def test_a_notice_that_was_not_sent_does_not_count_as_the_days(world: World) -> None:
    world.service.set_contact(RECIPIENT, Contact("a@b.example", frequency=DAILY))
    world.deliver()
    world.inbox.open(RECIPIENT, world.inbox.page(RECIPIENT).lines[0].key)
    assert world.later() == 0
    assert world.told() == 1


# Until it is taken


def test_what_is_put_off_goes_later_with_the_same_key(world: World) -> None:
    world.channels.errors += [AWAY, AWAY]
    assert world.told() == 0
    assert world.later(timedelta(seconds=30)) == 0
    assert world.later(timedelta(seconds=60)) == 1
    assert len({notice.key for notice in world.channels.tried}) == 1
    assert len({notice.begun for notice in world.channels.tried}) == 1
    assert [outcome for outcome, _ in world.reasons()] == ["retry", "retry", "sent"]


def test_what_comes_meanwhile_waits_for_it_and_is_told_once(world: World) -> None:
    world.channels.errors += [AWAY] * 8
    world.told()
    for _ in range(4):
        world.told()
    assert len(world.rows()) == 2
    world.channels.errors.clear()
    assert world.later(timedelta(hours=2)) + world.later(timedelta(hours=2)) == 2
    assert len({notice.key for notice in world.channels.taken}) == 2


def test_after_a_day_it_is_given_up_with_a_reason(world: World) -> None:
    world.channels.errors += [AWAY] * 500
    world.deliver()
    for _ in range(40):
        world.later(timedelta(hours=1))
    assert world.reasons()[-1] == ("failed", "given up after a day: the server is away")
    (row,) = world.rows()
    assert (row.state, row.next_attempt) == ("failed", None)


def test_no_event_of_a_notice_names_anybody(world: World) -> None:
    world.channels.errors.append(RuntimeError("tolvan@post.example"))
    world.told()
    world.later(timedelta(hours=1))
    said = repr(world.rows("event"))
    assert ["sent" in said, "tolvan" in said, RECIPIENT in said] == [True, False, False]


def test_what_is_late_is_counted(world: World) -> None:
    def late() -> dict[str, int]:
        with reading(world.engine) as connection:
            return late_notices(connection, world.clock())

    world.deliver()
    assert late() == {"EMail": 0, "SMS": 0}
    world.clock.advance(WINDOW + timedelta(seconds=61))
    assert late() == {"EMail": 1, "SMS": 0}
    world.channels.errors.append(AWAY)
    world.send()
    assert late() == {"EMail": 1, "SMS": 0}
    assert world.later() == 1
    assert late() == {"EMail": 0, "SMS": 0}


def test_those_that_ended_long_ago_are_forgotten(world: World) -> None:
    world.told()
    world.deliver()
    with writing(world.engine) as connection:
        assert post_notices.forget_notices(connection, world.clock() + timedelta(days=29)) == 0
        assert post_notices.forget_notices(connection, world.clock() + timedelta(days=31)) == 1
    assert [row.state for row in world.rows()] == ["pending"]


# Others than secure deliveries


def test_a_notification_says_its_own_words(world: World) -> None:
    notifying = NotifyingService(
        world.engine, world.service.directory, world.service.limits, world.outbox, clock=world.clock
    )
    notifying.notify(notification(sms=False), b"raw", "call", None)
    assert [notice.text for notice in world.channels.taken] == ["Du har post."]
    assert world.later() == 0
    assert world.rows() == []


def test_what_is_forwarded_is_told(world: World) -> None:
    world.service.set_contact(OTHER, EMAIL_ALONE)
    forwarding = ForwardingService(
        *(world.engine, world.service.directory, world.service.limits),
        clock=world.clock,
        notices=RULES,
    )
    for call in ("first", "again"):
        forwarding.deliver_forward(words(OTHER), sealed(), b"raw", call, None)
    assert world.later() == 1
    assert [row.recipient for row in world.rows()] == [OTHER]


@pytest.mark.parametrize("number", range(3))
def test_threads_that_deliver_and_send_lose_nothing(engine: Engine, number: int) -> None:
    # Without a window: each notice may be taken up while the next delivery joins it.
    world = World.on(engine, replace(RULES, window=timedelta(0)))
    others = [World(engine, world.clock, world.channels, world.service, world.outbox, 1000 * n) for n in range(1, 4)]
    barrier, done = threading.Barrier(5), threading.Event()

    def deliver(one: World) -> None:
        barrier.wait()
        for _ in range(8):
            one.deliver()

    def send() -> None:
        barrier.wait()
        while not done.is_set():
            world.outbox.send_due()

    delivering = [threading.Thread(target=deliver, args=(one,)) for one in others]
    sending = [threading.Thread(target=send) for _ in range(2)]
    for thread in (*delivering, *sending):
        thread.start()
    for thread in delivering:
        thread.join()
    done.set()
    for thread in sending:
        thread.join()
    for _ in range(30):
        world.later(timedelta(minutes=1))
    rows = world.rows()
    assert {row.state for row in rows} == {"sent"}
    spans = [(row.first, row.last) for row in rows]
    keys = [row.id for row in world.rows("delivery")]
    assert len(keys) == 24
    assert all(any(first <= key <= last for first, last in spans) for key in keys)
    assert len(world.channels.taken) == len(rows)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_deliveries_are_grouped_from_the_first_one_on(gaps: list[int]) -> None:
    """What comes within five minutes of the first one is told with it, whenever it comes."""
    moments = list(accumulate(gaps))
    expected, until = 0, -1
    for moment in moments:
        if moment >= until:
            expected, until = expected + 1, moment + 5
    with TemporaryDirectory() as folder, fresh_database(Path(folder)) as engine:
        world, now = World.on(engine), 0
        for moment in moments:
            while now < moment:
                world.later(timedelta(minutes=1))
                now += 1
            world.deliver()
        for _ in range(6):
            world.later(timedelta(minutes=1))
        assert len(world.channels.taken) == expected
