"""Many deliveries at a time: nothing is handed over twice, lost, or held up by another operator's errors."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from lxml import etree
from sqlalchemy import Engine

from mm_soap.clock import system_clock
from mm_soap.dispatcher import Handover, Policies, State, carrier
from mm_soap.dispatcher.carrier import Carrier
from mm_soap.dispatcher.model import Sealed
from mm_soap.errors import Refusal, Refused, TransportError
from tests.unit.dispatcher.fakes import OPERATOR, OTHER, FakeOperators, delivered, retrying, sealed, state_of
from tests.unit.dispatcher.test_engine import until


class Running:
    """A carrier in a thread of the test's own, as the engine runs it."""

    def __init__(self, database: Engine, operators: FakeOperators, policies: Policies | None = None) -> None:
        handover = Handover(operators, policies or retrying(0.02, 0.05, 60), system_clock)
        self.carrier = Carrier(database, handover, system_clock, threads=6)
        self.errors: list[Exception] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        self.carrier.start()
        while not self.stopping.is_set():
            try:
                self.carrier.turn()
            except Refused as error:
                self.errors.append(error)
        self.carrier.finish()

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.carrier.wake()
        self.thread.join()


def many(database: Engine, number: int, operator: str = OPERATOR) -> list[Sealed]:
    return [sealed(database, operator, due=system_clock()) for _ in range(number)]


def states(database: Engine, rows: list[Sealed]) -> Counter[State]:
    return Counter(state_of(database, each) for each in rows)


def calls_to(operators: FakeOperators, operator: str) -> int:
    return sum(operator in address for address, _ in operators.calls)


def test_each_of_many_is_handed_over_once(database: Engine) -> None:
    operators = FakeOperators()
    rows = many(database, 90) + many(database, 90, OTHER)
    with Running(database, operators):
        until(lambda: states(database, rows) == {State.DELIVERED: 180})
    assert (calls_to(operators, OPERATOR), calls_to(operators, OTHER)) == (90, 90)


def test_a_result_that_could_not_be_written_is_written_later(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    operators, write, away = FakeOperators(), carrier.write_down, [Refused(Refusal.UNAVAILABLE)] * 5

    def sometimes(*arguments: object) -> None:
        if away:
            raise away.pop()
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(carrier, "write_down", sometimes)
    rows = many(database, 20)
    with Running(database, operators) as running:
        until(lambda: states(database, rows) == {State.DELIVERED: 20})
    assert len(running.errors) == 5
    assert len(operators.calls) == 20


def test_documents_that_could_not_be_read_are_read_later(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    operators, read, away = FakeOperators(), carrier.sealed_parts, [Refused(Refusal.UNAVAILABLE)] * 3

    def sometimes(*arguments: object) -> object:
        if away:
            raise away.pop()
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(carrier, "sealed_parts", sometimes)
    rows = many(database, 20)
    with Running(database, operators) as running:
        until(lambda: states(database, rows) == {State.DELIVERED: 20})
    assert (len(running.errors), len(operators.calls)) == (3, 20)


def test_an_operator_in_trouble_keeps_nothing_in_memory(database: Engine) -> None:
    """Its lane pauses after some errors. What waited there is in the database, and goes out when it is well again."""
    well = threading.Event()

    def answer(address: str, _before: int) -> etree._Element:
        if OTHER in address and not well.is_set():
            raise TransportError("x")
        return delivered()

    operators = FakeOperators(answer)
    troubled = many(database, 40, OTHER)
    rows = many(database, 60)
    with Running(database, operators) as running:
        until(lambda: states(database, rows) == {State.DELIVERED: 60})
        until(lambda: calls_to(operators, OTHER) >= 5 and running.carrier._lanes.waiting() == 0)
        assert states(database, troubled) == {State.SEALED: 40}
        well.set()
        until(lambda: states(database, troubled) == {State.DELIVERED: 40}, 20)
    assert len(operators.calls) < 200


def test_what_waits_behind_a_slow_operator_is_given_up_in_time(database: Engine) -> None:
    release = threading.Event()

    def answer(address: str, _before: int) -> etree._Element:
        release.wait(20)
        return delivered()

    operators = FakeOperators(answer)
    rows = many(database, 30)
    with Running(database, operators, retrying(0.02, 0.05, 2)):
        until(lambda: states(database, rows) == {State.FAILED: 26, State.SEALED: 4})
        release.set()
        until(lambda: states(database, rows) == {State.FAILED: 26, State.DELIVERED: 4})
    assert len(operators.calls) == 4
