"""The circuit breaker against a model of it: closed, open, half-open."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mm_soap.dispatcher import BreakerPolicy
from mm_soap.dispatcher.breaker import Breaker
from tests.unit.dispatcher.fakes import NOON

POLICY = BreakerPolicy(failures=3, first_pause=2.0, longest_pause=10.0, probes=2)


def opened(policy: BreakerPolicy = POLICY) -> Breaker:
    breaker = Breaker(policy)
    assert [breaker.failed(NOON) for _ in range(3)] == [False, False, True]
    return breaker


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_half_open_lets_so_many_probes_through() -> None:
    breaker = opened()
    assert [breaker.room(after(1.9), 8, under_way) for under_way in (0, 3)] == [0, 0]
    assert [breaker.room(after(2), 8, under_way) for under_way in (0, 1, 2, 3)] == [2, 1, 0, 0]
    assert breaker.room(after(2), 1, 0) == 1  # never more than the operator may have


def test_a_probe_that_fails_opens_it_for_longer_and_one_that_is_answered_closes_it() -> None:
    breaker = opened()
    assert breaker.failed(after(2))
    assert breaker.room(after(5.9), 8, 0) == 0
    assert breaker.room(after(6), 8, 0) == 2
    assert breaker.succeeded()
    assert breaker.room(after(6), 8, 0) == 8
    assert not breaker.succeeded()
    assert not breaker.failed(after(6))  # it counts from the beginning


def test_the_second_of_two_probes_does_not_make_the_pause_longer() -> None:
    breaker = opened()
    assert [breaker.failed(after(2)), breaker.failed(after(2.1))] == [True, False]
    assert breaker.until == after(6)


def test_a_clock_that_is_set_back_ends_the_pause() -> None:
    breaker = opened()
    assert breaker.room(NOON - timedelta(hours=1), 8, 0) == 2
    assert breaker.failed(NOON - timedelta(hours=1))
    assert breaker.room(NOON - timedelta(hours=1), 8, 0) == 0
    assert breaker.room(after(4) - timedelta(hours=1), 8, 0) == 2


class Against(RuleBasedStateMachine):
    """Calls that begin when there is room, end well or badly, and a clock that goes on."""

    @initialize(limit=st.integers(1, 6), probes=st.integers(1, 4), failures=st.integers(1, 4))
    def begin(self, limit: int, probes: int, failures: int) -> None:
        self.policy = BreakerPolicy(failures, 2.0, 10.0, probes)
        self.breaker, self.limit, self.now = Breaker(self.policy), limit, NOON
        self.under_way = 0
        self.in_a_row = 0
        self.pause_ends: datetime | None = None

    def state(self) -> str:
        if self.pause_ends is None:
            return "closed"
        return "open" if self.now < self.pause_ends else "half-open"

    @rule(seconds=st.floats(0, 15))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.breaker.room(self.now, self.limit, self.under_way))
    @rule()
    def a_call_begins(self) -> None:
        self.under_way += 1

    @precondition(lambda self: self.under_way)
    @rule()
    def a_call_is_answered(self) -> None:
        self.under_way -= 1
        assert self.breaker.succeeded() == (self.state() != "closed")
        self.in_a_row, self.pause_ends = 0, None

    @precondition(lambda self: self.under_way)
    @rule()
    def a_call_fails(self) -> None:
        self.under_way -= 1
        opens = False
        if self.state() != "open":
            self.in_a_row += 1
            opens = self.in_a_row >= self.policy.failures
            if opens:
                length = min(10.0, 2.0 * 2 ** (self.in_a_row - self.policy.failures))
                self.pause_ends = self.now + timedelta(seconds=length)
        assert self.breaker.failed(self.now) == opens

    @invariant()
    def the_room_is_that_of_the_state(self) -> None:
        if not hasattr(self, "breaker"):
            return
        allowed = {"closed": self.limit, "open": 0, "half-open": min(self.limit, self.policy.probes)}[self.state()]
        assert self.breaker.room(self.now, self.limit, self.under_way) == max(0, allowed - self.under_way)
        assert self.breaker.paused(self.now) == (self.state() == "open")


TestAgainstTheModel = Against.TestCase
TestAgainstTheModel.settings = settings(max_examples=60, stateful_step_count=40)
