"""Addresses that refuse what is sent there: counted in a row, given up, and tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import Contact, NoticeNotTaken, NotifyingService, Outbox, Return, take_back
from mm_soap.storage import writing

from .deliveries import RECIPIENT, STRANGER
from .notified import REFUSED, RULES, WINDOW, World
from .test_notifying import notification

LIMIT = 3


@pytest.fixture
def world(engine: Engine) -> World:
    return World.on(engine)


def failed(world: World) -> list[str]:
    return sorted(world.service.contact_of(RECIPIENT).failed)


def back(world: World, number: int) -> Return:
    """Let the notice that was taken as number so-and-so come back."""
    with writing(world.engine) as connection:
        mark = world.channels.taken[number].key
        return take_back(connection, mark, "it came back with status 5.1.1", LIMIT, world.clock())


def test_an_address_that_refuses_three_times_gets_nothing_more(world: World) -> None:
    world.channels.errors += [REFUSED] * LIMIT
    for expected in ([], [], ["EMail"]):
        world.told()
        assert failed(world) == expected
    world.told()
    assert len(world.channels.tried) == LIMIT
    assert world.reasons() == [("failed", "the address is refused")] * LIMIT
    assert "nothing is sent there any more" in repr(world.rows("event"))


def test_one_that_is_taken_begins_anew(world: World) -> None:
    world.channels.errors += [REFUSED] * (LIMIT - 1)
    for _ in range(LIMIT):
        world.told()
    world.channels.errors += [REFUSED] * (LIMIT - 1)
    for _ in range(LIMIT):
        world.told()
    assert failed(world) == []


@pytest.mark.parametrize("error", [NoticeNotTaken("spam", again=False), NoticeNotTaken("away", again=True)])
def test_what_is_not_the_address_fault_is_not_counted(world: World, error: NoticeNotTaken) -> None:
    world.channels.errors += [error] * 9
    for _ in range(9):
        world.told()
    assert failed(world) == []


def test_each_channel_is_counted_for_itself(world: World) -> None:
    world.service.set_contact(RECIPIENT, Contact("a@b.example", "+46701740605"))
    world.outbox.notifier = only = type(world.channels)(("EMail",))
    only.errors += [REFUSED] * LIMIT
    for _ in range(LIMIT):
        world.told()
    assert failed(world) == ["EMail"]
    world.outbox.notifier = world.channels
    world.told()
    assert [notice.channel for notice in world.channels.taken] == ["SMS"]


def test_a_notification_counts_too_and_does_not_go_there_either(world: World) -> None:
    same = (world.engine, world.service.directory, world.service.limits, world.outbox)
    notifying = NotifyingService(*same, clock=world.clock)
    world.channels.errors += [REFUSED] * LIMIT
    for number in range(LIMIT + 1):
        one = notification(subject=f"Nummer {number}", sms=False)
        _, told = notifying.notify(one, b"raw", f"call-{number}", None)
        assert told[0].channels == ()
    assert failed(world) == ["EMail"]
    assert len(world.channels.tried) == LIMIT


def test_a_new_address_is_one_that_works(world: World) -> None:
    world.channels.errors += [REFUSED] * LIMIT
    for _ in range(LIMIT):
        world.told()
    contact = world.service.contact_of(RECIPIENT)
    world.service.set_contact(RECIPIENT, Contact(contact.email, language="en"))
    assert failed(world) == ["EMail"]  # the same address, another language
    world.service.set_contact(RECIPIENT, Contact("ny@post.example"))
    assert failed(world) == []
    assert world.told() == 1


def test_its_recipient_may_say_that_it_works(world: World) -> None:
    world.channels.errors += [REFUSED] * LIMIT
    for _ in range(LIMIT):
        world.told()
    world.service.try_again(RECIPIENT, ["EMail"])
    assert failed(world) == []
    assert world.told() == 1
    with pytest.raises(Refused) as caught:
        world.service.try_again(STRANGER, ["EMail"])
    assert caught.value.refusal is Refusal.NOT_FOUND


def test_what_the_old_address_refused_is_not_counted_for_the_new_one(world: World) -> None:
    class Changing(type(world.channels)):  # type: ignore[misc]
        """A channel that refuses while the recipient writes another address."""

        def send(self, notice: object) -> None:
            world.service.set_contact(RECIPIENT, Contact("ny@post.example"))
            raise REFUSED

    world.outbox = Outbox(world.engine, Changing(), world.clock, rules=replace(RULES, refusals=1))
    world.told()
    assert failed(world) == []
    world.told()
    assert failed(world) == ["EMail"]


# What comes back


def test_what_comes_back_three_times_in_a_row_counts(world: World) -> None:
    for number, expected in enumerate((Return.COUNTED, Return.COUNTED, Return.FAILED)):
        assert world.told() == 1
        assert back(world, number) is expected
    assert failed(world) == ["EMail"]
    assert world.told() == 0


def test_also_where_the_next_one_is_sent_before_it_comes_back(world: World) -> None:
    for number in range(2 * LIMIT):
        world.told()
        if number:
            back(world, number - 1)
        if failed(world):
            break
    assert number == LIMIT
    assert failed(world) == ["EMail"]


def test_one_that_does_not_come_back_ends_the_row(world: World) -> None:
    for number in range(2 * LIMIT):
        world.told()
        if number != LIMIT - 1:
            assert back(world, number) is (Return.FAILED if number == 2 * LIMIT - 1 else Return.COUNTED)


def test_the_same_one_counts_once(world: World) -> None:
    world.told()
    assert [back(world, 0) for _ in range(4)] == [Return.COUNTED, *[Return.UNKNOWN] * 3]
    assert failed(world) == []


def test_what_nobody_sent_is_unknown(world: World) -> None:
    world.told()
    with writing(world.engine) as connection:
        assert take_back(connection, "0" * 32, "x", 1, world.clock()) is Return.UNKNOWN


def test_what_went_to_the_address_before_is_not_counted_for_the_new_one(world: World) -> None:
    for _ in range(LIMIT):
        world.told()
    world.clock.advance(timedelta(seconds=1))
    world.service.set_contact(RECIPIENT, Contact("ny@post.example"))
    assert [back(world, number) for number in range(LIMIT)] == [Return.COUNTED] * LIMIT
    assert failed(world) == []


def test_a_notification_that_comes_back_counts(world: World) -> None:
    same = (world.engine, world.service.directory, world.service.limits, world.outbox)
    notifying = NotifyingService(*same, clock=world.clock)
    for number in range(LIMIT):
        world.clock.advance(WINDOW)
        notifying.notify(notification(subject=f"Nummer {number}", sms=False), b"raw", f"call-{number}", None)
        back(world, number)
    assert failed(world) == ["EMail"]
    assert [row.state for row in world.rows("outgoing")] == ["returned"] * LIMIT


def test_an_event_tells_of_what_came_back(world: World) -> None:
    trans_id = world.deliver()
    world.later()
    back(world, 0)
    *_, event = world.rows("event")
    assert (event.kind, event.outcome, event.trans_id) == ("notice", "returned", trans_id)
    assert event.detail["reason"] == "it came back with status 5.1.1"
