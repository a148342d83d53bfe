"""Bounded calls to each operator, and a pause after several technical errors."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.dispatcher.lanes import Lane, Lanes
from mm_soap.dispatcher.model import Sealed
from tests.unit.dispatcher.fakes import NOON

SECOND = timedelta(seconds=1)


def failing(times: int) -> Lane:
    """Return a lane after errors in a row, the last of them at noon and each other after the pause before it."""
    lane, now = Lane(4), NOON - timedelta(days=1)
    for number in range(times):
        lane.begin()
        now = NOON if number == times - 1 else now + 61 * SECOND
        lane.end(True, now)
    return lane


def test_room_is_bounded() -> None:
    lane = Lane(2)
    assert lane.room(NOON) == 2
    lane.begin()
    lane.begin()
    assert lane.room(NOON) == 0
    lane.end(False, NOON)
    assert lane.room(NOON) == 1


@pytest.mark.parametrize(("failures", "pause"), [(4, 0), (5, 2), (6, 4), (7, 8), (9, 32), (10, 60), (500, 60)])
def test_it_pauses_longer_after_each_error_in_a_row(failures: int, pause: int) -> None:
    lane = failing(failures)
    assert (lane.room(NOON) > 0) == (pause == 0)
    if pause:
        assert lane.room(NOON + pause * SECOND - SECOND / 1000) == 0
        assert lane.room(NOON + pause * SECOND) == 1  # one call tries whether it is over


def test_calls_that_began_before_the_pause_do_not_make_it_longer() -> None:
    lane = Lane(8)
    for _ in range(8):
        lane.begin()
    for _ in range(8):
        lane.end(True, NOON)
    assert lane.room(NOON + 2 * SECOND) == 1


def test_one_good_answer_ends_the_pause() -> None:
    lane = failing(7)
    lane.begin()
    assert lane.room(NOON + 60 * SECOND) == 0
    lane.end(False, NOON + 60 * SECOND)
    assert lane.room(NOON + 60 * SECOND) == 4
    lane.begin()
    lane.end(True, NOON)
    assert lane.room(NOON) == 4  # it counts from the beginning


def waiting(lanes: Lanes, operator: str, number: int) -> list[Sealed]:
    made = [Sealed(n, f"{operator}-{n}", "", "", NOON, 0, operator, "") for n in range(number)]
    lanes.of(operator).waiting.extend(made)
    return made


def test_each_operator_has_its_own() -> None:
    lanes = Lanes(1)
    one, two = waiting(lanes, "one", 2), waiting(lanes, "two", 2)
    assert lanes.next_up(NOON, 9) == [one[0], two[0]]
    lanes.of("one").begin()
    assert lanes.next_up(NOON, 9) == [two[0]]
    assert lanes.waiting() == 4


def test_nothing_more_is_fetched_for_a_long_queue_or_in_a_pause() -> None:
    lanes = Lanes(1)
    waiting(lanes, "one", 3)
    for _ in range(5):
        lanes.of("two").begin()
        lanes.of("two").end(True, NOON)
    assert lanes.full(NOON, 4) == {"two"}
    assert lanes.full(NOON, 3) == {"one", "two"}
    assert lanes.full(NOON + 2 * SECOND, 3) == {"one"}


def test_all_have_their_turn_where_there_is_never_room_for_all() -> None:
    lanes, went = Lanes(4), []
    for name in ("one", "two", "three"):
        waiting(lanes, name, 20)
    for _ in range(12):
        for each in lanes.next_up(NOON, 1):
            lanes.of(each.operator).waiting.popleft()
            went.append(each.operator)
    assert {name: went.count(name) for name in set(went)} == {"one": 4, "two": 4, "three": 4}


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 120)), max_size=60), st.integers(1, 8))
def test_never_more_at_once_than_allowed(steps: list[tuple[bool, bool, int]], limit: int) -> None:
    lane, now = Lane(limit), NOON
    for begin, error, seconds in steps:
        now += seconds * SECOND
        assert 0 <= lane.room(now) <= limit - lane.under_way
        if begin and lane.room(now):
            lane.begin()
        elif lane.under_way:
            lane.end(error, now)
    assert lane.under_way <= limit
    assert Lane.room(lane, now + timedelta(minutes=1)) >= (1 if lane.under_way == 0 else 0)
