"""A search that takes long is made seldom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mm_soap.dispatcher.pacing import SHARE, Paced


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_search_that_takes_no_time_is_made_each_time_it_is_asked_for() -> None:
    paced = Paced(Clock())
    assert [list(paced.run(lambda: [1])) for _ in range(3)] == [[1], [1], [1]]


@given(times=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=50))
def test_searches_take_their_share_of_the_time_at_most(times: list[tuple[int, int]]) -> None:
    clock = Clock()
    paced = Paced(clock)
    spans: list[tuple[float, float]] = []
    for wait, took in times:
        clock.now += wait

        def search(took: int = took) -> Sequence[int]:
            begun = clock.now
            clock.now += took
            spans.append((begun, clock.now))
            return [took]

        before = len(spans)
        found = paced.run(search)
        assert list(found) == ([took] if len(spans) > before else [])
    for (begun, ended), (following, _) in pairwise(spans):
        assert ended - begun <= SHARE * (following - begun) * 1.000001


def test_it_is_made_again_once_it_has_rested() -> None:
    clock = Clock()
    paced = Paced(clock)

    def slow() -> Sequence[int]:
        clock.now += 1
        return [1]

    paced.run(slow)
    clock.now = 1 / SHARE - 0.001
    assert list(paced.run(slow)) == []
    clock.now = 1 / SHARE
    assert list(paced.run(slow)) == [1]
