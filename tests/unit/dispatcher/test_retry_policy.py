"""When a technical error is tried again, and when it is given up."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from mm_soap.dispatcher import RetryPolicy
from tests.unit.dispatcher.fakes import NOON

SECONDS = st.floats(0.001, 1e6)
POLICIES = st.builds(RetryPolicy, SECONDS, SECONDS, SECONDS)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(POLICIES, st.floats(-1e6, 1e6), st.integers(1, 10_000), CHANCES)
def test_it_is_later_and_within_the_time_that_is_set(
    policy: RetryPolicy, since: float, attempts: int, chance: float
) -> None:
    now = NOON + timedelta(seconds=since)
    deadline = NOON + timedelta(seconds=policy.give_up_after)
    again = policy.next_attempt(now, NOON, attempts, lambda: chance)
    if now >= deadline:
        assert again is None
    else:
        assert again is not None
        assert now <= again <= deadline
        longest = min(policy.longest, policy.first * 2.0 ** min(attempts - 1, 32))
        waited = (again - now).total_seconds()
        assert waited <= longest + 1e-5
        assert again == deadline or waited >= longest / 2 - 1e-5


def test_the_wait_doubles() -> None:
    policy = RetryPolicy(1.0, 60.0, 1e6)
    waits = [policy.next_attempt(NOON, NOON, n, lambda: 1.0) for n in range(1, 10)]
    assert [(each - NOON).total_seconds() for each in waits if each] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(POLICIES)
def test_it_ends(policy: RetryPolicy) -> None:
    """The last attempt is at the deadline; a failure there is the end."""
    deadline = NOON + timedelta(seconds=policy.give_up_after)
    assert policy.next_attempt(deadline, NOON, 1) is None
