"""Bounded calls to each operator, and none while its breaker is open."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from mm_soap.dispatcher import DeliveryPolicy, Policies
from mm_soap.dispatcher.lanes import Lane, Lanes
from mm_soap.dispatcher.model import Sealed
from tests.unit.dispatcher.fakes import NOON

SECOND = timedelta(seconds=1)


def lane_of(limit: int) -> Lane:
    return Lane(DeliveryPolicy(calls_at_once=limit))


def lanes_of(limit: int) -> Lanes:
    return Lanes(Policies(DeliveryPolicy(calls_at_once=limit)))


def test_room_is_bounded() -> None:
    lane = lane_of(2)
    assert lane.room(NOON) == 2
    lane.begin()
    lane.begin()
    assert lane.room(NOON) == 0
    lane.end(False, NOON)
    assert lane.room(NOON) == 1


def test_calls_that_began_before_the_pause_do_not_make_it_longer() -> None:
    lane = lane_of(8)
    for _ in range(8):
        lane.begin()
    for _ in range(8):
        lane.end(True, NOON)
    assert lane.room(NOON + 2 * SECOND) == 1


def test_an_operator_has_the_room_of_its_own_policy() -> None:
    lanes = Lanes(Policies(DeliveryPolicy(), {"one": DeliveryPolicy(calls_at_once=1)}))
    assert (lanes.of("one").room(NOON), lanes.of("two").room(NOON)) == (1, 4)


def waiting(lanes: Lanes, operator: str, number: int) -> list[Sealed]:
    made = [Sealed(n, f"{operator}-{n}", "", "", NOON, 0, operator, "") for n in range(number)]
    lanes.of(operator).waiting.extend(made)
    return made


def test_each_operator_has_its_own() -> None:
    lanes = lanes_of(1)
    one, two = waiting(lanes, "one", 2), waiting(lanes, "two", 2)
    assert lanes.next_up(NOON, 9) == [one[0], two[0]]
    lanes.of("one").begin()
    assert lanes.next_up(NOON, 9) == [two[0]]
    assert lanes.waiting() == 4


def test_nothing_more_is_fetched_for_a_long_queue_or_in_a_pause() -> None:
    lanes = lanes_of(1)
    waiting(lanes, "one", 3)
    for _ in range(5):
        lanes.of("two").begin()
        lanes.of("two").end(True, NOON)
    assert lanes.full(NOON, 4) == {"two"}
    assert lanes.full(NOON, 3) == {"one", "two"}
    assert lanes.full(NOON + 2 * SECOND, 3) == {"one"}


def test_all_have_their_turn_where_there_is_never_room_for_all() -> None:
    lanes, went = lanes_of(4), []
    for name in ("one", "two", "three"):
        waiting(lanes, name, 20)
    for _ in range(12):
        for each in lanes.next_up(NOON, 1):
            lanes.of(each.operator).waiting.popleft()
            went.append(each.operator)
    assert {name: went.count(name) for name in set(went)} == {"one": 4, "two": 4, "three": 4}


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 120)), max_size=60), st.integers(1, 8))
def test_never_more_at_once_than_allowed(steps: list[tuple[bool, bool, int]], limit: int) -> None:
    lane, now = lane_of(limit), NOON
    for begin, error, seconds in steps:
        now += seconds * SECOND
        assert 0 <= lane.room(now) <= limit - lane.under_way
        if begin and lane.room(now):
            lane.begin()
        elif lane.under_way:
            lane.end(error, now)
    assert lane.under_way <= limit
    assert Lane.room(lane, now + timedelta(minutes=1)) >= (1 if lane.under_way == 0 else 0)
