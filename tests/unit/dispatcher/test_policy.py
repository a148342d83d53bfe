"""When an operator is tried again, given up or believed, as values: no threads, no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.dispatcher import Backoff, BreakerPolicy, DeliveryPolicy, Limit, Policies
from mm_soap.dispatcher.policy import CLOCKS_APART, Bucket
from tests.unit.dispatcher.fakes import NOON, OPERATOR, OTHER

SECONDS = st.floats(0.001, 1e6)
PARTS = st.floats(0, 1)
BACKOFFS = st.builds(Backoff, SECONDS, SECONDS, st.floats(1, 100), PARTS)
POLICIES = st.builds(DeliveryPolicy, backoff=BACKOFFS, give_up_after=SECONDS)
ATTEMPTS = st.integers(1, 100_000)


# Waits


@given(BACKOFFS, ATTEMPTS)
def test_waits_grow_up_to_the_longest(backoff: Backoff, attempts: int) -> None:
    limits = [backoff.limit(number) for number in (attempts, attempts + 1)]
    assert 0 < limits[0] <= limits[1] <= backoff.longest
    assert backoff.limit(1) == min(backoff.first, backoff.longest)


@given(BACKOFFS, ATTEMPTS, PARTS)
def test_jitter_stays_in_its_bounds(backoff: Backoff, attempts: int, chance: float) -> None:
    longest = backoff.limit(attempts)
    assert longest * (1 - backoff.jitter) * (1 - 1e-9) <= backoff.wait(attempts, chance) <= longest
    assert backoff.wait(attempts, 1.0) == longest
    assert replace(backoff, jitter=0.0).wait(attempts, chance) == longest


@pytest.mark.parametrize(
    ("factor", "waits"), [(2, [1, 2, 4, 8, 16, 32, 60, 60]), (1, [1] * 8), (3, [1, 3, 9, 27, 60, 60, 60, 60])]
)
def test_the_wait_grows_by_the_factor(factor: float, waits: list[float]) -> None:
    backoff = Backoff(1.0, 60.0, factor, 0.5)
    assert [backoff.wait(attempts, 1.0) for attempts in range(1, 9)] == waits


# The next attempt


@given(POLICIES, st.floats(-1e6, 1e6), ATTEMPTS, PARTS)
def test_the_next_attempt_is_later_and_within_the_time_that_is_set(
    policy: DeliveryPolicy, since: float, attempts: int, chance: float
) -> None:
    now = NOON + timedelta(seconds=since)
    deadline = NOON + timedelta(seconds=policy.give_up_after)
    again = policy.next_attempt(now, NOON, attempts, lambda: chance)
    if now >= deadline:
        assert again is None
    else:
        assert again is not None
        assert now <= again <= deadline
        waited = (again - now).total_seconds()
        assert again == deadline or abs(waited - policy.backoff.wait(attempts, chance)) < 1e-5


@given(POLICIES)
def test_it_ends(policy: DeliveryPolicy) -> None:
    """The last attempt is at the deadline; a failure there is the end."""
    deadline = NOON + timedelta(seconds=policy.give_up_after)
    assert policy.next_attempt(deadline, NOON, 1) is None


# What is technical


@given(st.integers(0, 9999))
def test_codes_below_5000_are_technical(code: int) -> None:
    assert DeliveryPolicy().is_technical(code) == (code < 5000)


def test_which_codes_are_technical_can_be_set() -> None:
    policy = DeliveryPolicy(technical_codes=((4000, 4000), (5003, 5004)))
    assert [code for code in range(10_000) if policy.is_technical(code)] == [4000, 5003, 5004]
    assert policy.is_technical(None)  # a fault without a code says nothing that could be final


def test_an_operator_may_have_a_policy_of_its_own() -> None:
    own = DeliveryPolicy(calls_at_once=1)
    policies = Policies(own={OTHER: own})
    assert (policies.of(OTHER), policies.of(OPERATOR)) == (own, DeliveryPolicy())


@pytest.mark.parametrize(("failures", "pause"), [(0, 0), (4, 0), (5, 2), (6, 4), (7, 8), (9, 32), (10, 60), (5000, 60)])
def test_pauses_double(failures: int, pause: int) -> None:
    found = BreakerPolicy().pause(failures)
    assert (found.total_seconds() if found else 0) == pause


# Messages a second

MOVES = st.lists(st.tuples(st.floats(-100_000, 100_000) | st.floats(0, 3), st.integers(1, 5)), max_size=60)
LIMITS = st.builds(Limit, st.floats(0.1, 50), st.integers(1, 20))


@given(LIMITS, st.lists(st.floats(0, 10), max_size=80))
def test_no_more_than_the_burst_and_what_came_since(limit: Limit, pauses: list[float]) -> None:
    bucket, now, sent = Bucket(float(limit.burst), NOON), NOON, 0
    for pause in pauses:
        now += timedelta(seconds=pause)
        left = bucket.take(now, limit)
        if left is not None:
            bucket, sent = left, sent + 1
        since = (now - NOON).total_seconds()
        assert sent <= limit.burst + since * limit.messages_per_second + 1e-6


@given(LIMITS, st.integers(1, 100))
def test_a_sender_that_keeps_to_it_is_never_refused(limit: Limit, messages: int) -> None:
    bucket, now = Bucket(1.0, NOON), NOON
    for _ in range(messages):
        left = bucket.take(now, limit)
        assert left is not None
        bucket, now = left, now + timedelta(seconds=1 / limit.messages_per_second + 1e-5)


@given(LIMITS, MOVES)
def test_a_clock_that_jumps_gives_at_most_a_burst_and_locks_nobody_out(
    limit: Limit, moves: list[tuple[float, int]]
) -> None:
    bucket, now = Bucket(float(limit.burst), NOON), NOON
    for seconds, messages in moves:
        now += timedelta(seconds=seconds)
        sent = 0
        while sent <= limit.burst and (left := bucket.take(now, limit)) is not None:
            bucket, sent = left, sent + 1
        assert sent <= limit.burst
        left = bucket.take(now, limit, messages)
        bucket = left or bucket
    # Wherever the clock stands now: after the time for what is owed, and what clocks may differ, a message goes.
    owed = max(0.0, 1 - bucket.tokens) / limit.messages_per_second
    assert bucket.take(now + timedelta(seconds=owed + 0.001) + CLOCKS_APART, limit) is not None


def test_more_messages_at_once_than_the_burst_go_when_the_bucket_is_full() -> None:
    limit = Limit(10, burst=5)
    left = Bucket(5.0, NOON).take(NOON, limit, 25)
    assert left is not None
    assert left.take(NOON + timedelta(seconds=2), limit) is None
    assert left.take(NOON + timedelta(seconds=2.1), limit) is not None


def test_a_machine_whose_clock_is_behind_neither_takes_tokens_nor_gives_any() -> None:
    limit, behind = Limit(10, burst=5), NOON - timedelta(seconds=3)
    left = Bucket(2.0, NOON).take(behind, limit)
    assert left == Bucket(1.0, NOON)
    assert left.take(behind, limit) == Bucket(0.0, NOON)
    assert Bucket(0.0, NOON).take(behind, limit) is None
