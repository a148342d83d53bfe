"""The engine with a register and operators in memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from lxml import etree
from sqlalchemy import Engine

from mm_soap.clock import system_clock
from mm_soap.dispatcher import Addressing, EmbeddedEngine, Handover, State
from mm_soap.errors import RemoteFault, TransportError
from mm_soap.storage import events_of, reading
from tests.unit.dispatcher.fakes import (
    DISPATCHER,
    OTHER,
    RECIPIENT,
    STRANGER,
    FakeOperators,
    FakeRegister,
    accepted,
    delivered,
    reached,
    retrying,
    sealed,
    state_of,
)

QUICK = retrying(0.02, 0.05, 5, calls_at_once=2)


@contextmanager
def running(
    database: Engine,
    register: FakeRegister | None = None,
    operators: FakeOperators | None = None,
    address_age: float = 900,
) -> Iterator[EmbeddedEngine]:
    register = register or FakeRegister()
    addressing = Addressing(database, register, DISPATCHER, QUICK.default, system_clock)
    handover = Handover(operators or FakeOperators(), QUICK, system_clock)
    engine = EmbeddedEngine(database, addressing, handover, system_clock, address_age=address_age)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_there_before_the_start_goes_out(database: Engine) -> None:
    rows = [accepted(database, received=system_clock()) for _ in range(40)]
    operators = FakeOperators()
    with running(database, operators=operators):
        until(lambda: {state_of(database, each) for each in rows} == {State.DELIVERED})
    assert len(operators.calls) == 40


def test_it_is_woken(database: Engine) -> None:
    with running(database) as engine:
        time.sleep(0.1)  # it sleeps for a second from here
        one = accepted(database, received=system_clock())
        began = time.monotonic()
        engine.wake()
        until(lambda: state_of(database, one) is State.DELIVERED)
        assert time.monotonic() - began < 0.8


def test_what_waits_for_a_far_time_is_due_after_the_clock_was_set_back(database: Engine) -> None:
    """What was accepted while the clock was ahead, and what waits for another attempt since then."""
    ahead = system_clock() + timedelta(hours=1)
    rows = [accepted(database, received=ahead), sealed(database, due=ahead)]
    with running(database):
        until(lambda: {state_of(database, each) for each in rows} == {State.DELIVERED})


def test_what_a_crash_could_take_back_is_told_to_nobody(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hears of what was accepted before it is on disk; in PostgreSQL it cannot be seen before."""
    if database.dialect.name != "sqlite":
        return
    one = accepted(database, received=system_clock())
    looked_for, there, register = threading.Event(), threading.Event(), FakeRegister()
    real = os.fdatasync

    def slow(file: int) -> None:
        looked_for.set()
        assert there.wait(20)
        real(file)

    monkeypatch.setattr(os, "fdatasync", slow)
    with running(database, register):
        try:
            assert looked_for.wait(20)
            assert register.asked == []
        finally:
            there.set()
        until(lambda: state_of(database, one) is State.DELIVERED)


def test_each_end_is_written_down(database: Engine) -> None:
    register = FakeRegister(**{f"r{STRANGER}": reached(STRANGER, registered=False)})
    operators = FakeOperators(lambda address, before: delivered(told="false" if OTHER in address else "true"))
    with running(database, register, operators) as engine:
        there, nowhere = (accepted(database, each, received=system_clock()) for each in (RECIPIENT, STRANGER))
        refused = sealed(database, OTHER, due=system_clock())
        engine.wake()
        expected = {there: State.DELIVERED, nowhere: State.NOT_REGISTERED, refused: State.FAILED}
        until(lambda: {each: state_of(database, each) for each in expected} == expected)
    with reading(database) as connection:
        events = events_of(connection, distribution_id=there.distribution_id)
    assert [(each.kind, each.outcome) for each in events] == [("look-up", "sealed"), ("hand-over", "delivered")]
    assert events[-1].trans_id == "t-1"


def test_an_operators_id_of_any_length_stops_nobody(database: Engine) -> None:
    long = "t" * 300
    operators = FakeOperators(lambda address, before: delivered(trans_id=long if OTHER in address else "t-1"))
    one, other = sealed(database, due=system_clock()), sealed(database, OTHER, due=system_clock())
    with running(database, operators=operators):
        until(lambda: {state_of(database, each) for each in (one, other)} == {State.DELIVERED})
    with reading(database) as connection:
        (event,) = events_of(connection, trans_id=long)
    assert event.detail["whole_trans_id"] == long


@pytest.mark.parametrize("error", [TransportError("x"), RemoteFault(4000, "", None), ValueError("a bug of ours")])
def test_the_same_bytes_again_after_an_error(database: Engine, error: Exception) -> None:
    def answer(_address: str, before: int) -> etree._Element:
        if before < 2:
            raise error
        return delivered()

    operators = FakeOperators(answer)
    one = sealed(database, due=system_clock())
    with running(database, operators=operators):
        until(lambda: state_of(database, one) is State.DELIVERED)
    assert len(operators.calls) == 3
    assert len(set(operators.calls)) == 1


def test_it_is_given_up_after_the_time_that_is_set(database: Engine) -> None:
    def answer(_address: str, _before: int) -> etree._Element:
        raise TransportError("x")

    one = sealed(database, due=system_clock() - timedelta(seconds=4.8))
    with running(database, operators=FakeOperators(answer)):
        until(lambda: state_of(database, one) is State.FAILED)


def test_a_slow_operator_has_its_own_lane(database: Engine) -> None:
    release = threading.Event()
    under_way: list[int] = []

    def answer(address: str, _before: int) -> etree._Element:
        if OTHER in address:
            under_way.append(1)
            release.wait(10)
        return delivered()

    slow = [sealed(database, OTHER, due=system_clock()) for _ in range(6)]
    with running(database, operators=FakeOperators(answer)) as engine:
        until(lambda: len(under_way) == 2)
        quick = [accepted(database, received=system_clock()) for _ in range(10)]
        engine.wake()
        until(lambda: {state_of(database, each) for each in quick} == {State.DELIVERED})
        assert len(under_way) == 2
        assert {state_of(database, each) for each in slow} == {State.SEALED}
        release.set()
        until(lambda: {state_of(database, each) for each in slow} == {State.DELIVERED})


def test_stopping_writes_down_what_is_under_way(database: Engine) -> None:
    begun = threading.Event()

    def answer(_address: str, _before: int) -> etree._Element:
        begun.set()
        time.sleep(0.3)
        return delivered()

    one = sealed(database, due=system_clock())
    with running(database, operators=FakeOperators(answer)):
        assert begun.wait(10)
    assert state_of(database, one) is State.DELIVERED


def test_two_engines_on_one_database_take_turns(database: Engine) -> None:
    operators = [FakeOperators(), FakeOperators()]
    with running(database, operators=operators[0]):
        time.sleep(0.1)
        with running(database, operators=operators[1]):
            rows = [accepted(database, received=system_clock()) for _ in range(5)]
            until(lambda: {state_of(database, each) for each in rows} == {State.DELIVERED})
    assert [len(each.calls) for each in operators] == [5, 0]


def test_the_next_engine_takes_over(database: Engine) -> None:
    with running(database):
        pass
    one = accepted(database, received=system_clock())
    with running(database):
        until(lambda: state_of(database, one) is State.DELIVERED)


def test_an_error_of_the_register_client_ends_no_thread(database: Engine) -> None:
    register = FakeRegister(**{f"r{RECIPIENT}": ValueError("a bug of ours")})
    one = accepted(database, received=system_clock())
    with running(database, register):
        until(lambda: bool(register.asked))
        register.answers.clear()
        until(lambda: state_of(database, one) is State.DELIVERED)


def test_what_is_given_up_is_not_handed_over_as_well(database: Engine) -> None:
    """An overdue delivery of one operator, while the lane of another is full."""
    release, under_way = threading.Event(), []

    def answer(address: str, _before: int) -> etree._Element:
        if OTHER in address:
            under_way.append(1)
            release.wait(10)
        return delivered()

    operators = FakeOperators(answer)
    for _ in range(2):
        sealed(database, OTHER, due=system_clock())
    with running(database, operators=operators):
        until(lambda: len(under_way) == 2)
        late = sealed(database, due=system_clock() - timedelta(seconds=6))
        until(lambda: state_of(database, late) is not State.SEALED)
        release.set()
    calls = [address for address, _ in operators.calls if OTHER not in address]
    with reading(database) as connection:
        outcomes = [each.outcome for each in events_of(connection, distribution_id=late.distribution_id)]
    assert (outcomes, len(calls)) in ((["failed"], 0), (["delivered"], 1))
