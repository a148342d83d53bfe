"""What is due, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from mm_soap.dispatcher import State, store
from mm_soap.dispatcher.documents import sealed_parts
from mm_soap.dispatcher.model import NewDelivery, Outcome
from mm_soap.storage import Conflict, reading, writing
from tests.unit.dispatcher.fakes import (
    KOMMUN_A,
    KOMMUN_B,
    NOON,
    OPERATOR,
    OTHER,
    RECIPIENT,
    accepted,
    count_by_state,
    sealed,
)

MINUTE = timedelta(minutes=1)


def test_the_longest_waiting_first(database: Engine) -> None:
    late, early, future = (accepted(database, received=NOON + n * MINUTE) for n in (0, -1, 1))
    with reading(database) as connection:
        found = store.due_for_look_up(connection, NOON, 10)
        assert [each.id for each in found] == [early.id, late.id]
        assert [each.id for each in store.due_for_look_up(connection, NOON, 1)] == [early.id]
        assert store.next_due(connection, State.ACCEPTED, NOON) == NOON + MINUTE
        assert store.next_due(connection, State.ACCEPTED, NOON + MINUTE) is None
    assert future.received == NOON + MINUTE


def test_busy_deliveries_and_full_operators_are_left_out(database: Engine) -> None:
    first, second, other = sealed(database), sealed(database), sealed(database, OTHER)
    later = sealed(database, due=NOON + MINUTE)
    with reading(database) as connection:

        def due(most: int, busy: set[int], full: set[str], minutes: int = 0) -> list[int]:
            found = store.due_for_delivery(connection, NOON + minutes * MINUTE, most, busy, full)
            return [each.id for each in found]

        assert due(10, set(), set()) == [first.id, second.id, other.id]
        assert due(10, {first.id}, set()) == [second.id, other.id]
        assert due(1, {first.id, second.id}, set()) == [other.id]
        assert due(10, set(), {OPERATOR}) == [other.id]
        assert due(10, set(), {OPERATOR, OTHER}) == []
        assert due(10, set(), set(), minutes=1) == [first.id, second.id, other.id, later.id]
        assert store.next_due(connection, State.SEALED, NOON) == NOON + MINUTE


def test_an_outcome_keeps_what_it_does_not_say(database: Engine) -> None:
    one = sealed(database)
    again = Outcome(one.id, one.distribution_id, one.sender, State.SEALED, "Again.", 1, NOON + MINUTE)
    end = Outcome(one.id, one.distribution_id, one.sender, State.DELIVERED, "Done.", 2, trans_id="t-1")
    with writing(database) as connection:
        store.write_outcomes(connection, [again])
        store.write_outcomes(connection, [])
    with reading(database) as connection:
        (found,) = store.due_for_delivery(connection, NOON + MINUTE, 1, [], [])
        assert (found.operator, found.address, found.attempts) == (OPERATOR, one.address, 1)
        assert sealed_parts(connection, [one.id]) == {one.id: (b"<SignedDelivery/>", b"<Seal/>")}
    with writing(database) as connection:
        store.write_outcomes(connection, [end])
    with reading(database) as connection:
        assert store.due_for_delivery(connection, NOON + 9 * MINUTE, 1, [], []) == []
        assert store.state_of(connection, one.sender, one.distribution_id) == (RECIPIENT, State.DELIVERED, "Done.")
        assert count_by_state(connection) == {State.DELIVERED: 1}


def test_the_same_bytes_of_one_sender_are_stored_once(database: Engine) -> None:
    def add(sender: str, distribution: str) -> None:
        with writing(database) as connection:
            new = NewDelivery(distribution, sender, RECIPIENT, ("m",), "digest", b"<SignedDelivery/>", NOON)
            store.add_delivery(connection, new)

    add(KOMMUN_A, "d-a")
    with pytest.raises(Conflict):
        add(KOMMUN_A, "d-c")
    add(KOMMUN_B, "d-b")
    with reading(database) as connection:
        assert store.distribution_of(connection, KOMMUN_A, "digest") == "d-a"
        assert store.distribution_of(connection, KOMMUN_B, "digest") == "d-b"
        assert store.distribution_of(connection, KOMMUN_A, "other") is None
        assert store.state_of(connection, KOMMUN_B, "d-a") is None
