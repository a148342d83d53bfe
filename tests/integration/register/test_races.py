"""Calls at the same moment for one account: one of two wins, and no signature is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from .world import (
    ANNA,
    BO,
    BY_BOARD,
    CIA,
    ETT,
    KOMMUN_A,
    TVA,
    World,
    change,
    delete_pending,
    deregister,
    preferences,
    register,
)

ROUNDS = range(4)


def at_once(*calls: Callable[[], str]) -> list[str]:
    """Run calls in a thread each, all let go at the same moment, and return their answers."""
    barrier = threading.Barrier(len(calls))
    answers = [""] * len(calls)

    def run(place: int) -> None:
        barrier.wait()
        answers[place] = calls[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("_round", ROUNDS)
def test_two_operators_register_a_person(world: World, _round: int) -> None:
    answers = at_once(*(lambda one=one: world.ask(register(ANNA, one)) for one in (ETT, TVA, ETT, TVA)))
    assert sorted(answers) == ["5009", "5009", "5009", "Complete"]
    winner = (ETT, TVA)[answers.index("Complete") % 2]
    assert world.state(ANNA) == f"active {winner.name}"
    assert len(world.rows("account_request")) == len(world.rows("account_signature")) == 1


@pytest.mark.parametrize("_round", ROUNDS)
def test_two_operators_begin_for_a_company(world: World, _round: int) -> None:
    answers = at_once(*(lambda one=one: world.ask(register(BY_BOARD, one, ANNA)) for one in (ETT, TVA)))
    assert sorted(answers) == ["5009", "Incomplete"]


@pytest.mark.parametrize("_round", ROUNDS)
def test_signatures_that_arrive_at_once_all_count(world: World, _round: int) -> None:
    for asked in (
        lambda one: register(BY_BOARD, ETT, one),
        lambda one: preferences(BY_BOARD, [KOMMUN_A], one),
        lambda one: change(BY_BOARD, TVA, one),
        lambda one: deregister(BY_BOARD, TVA, one),
    ):
        answers = at_once(*(lambda one=one, asked=asked: world.ask(asked(one)) for one in (ANNA, BO, CIA)))
        assert sorted(answers) == ["Complete", "Incomplete", "Incomplete"]
    assert world.state(BY_BOARD) == "none"
    assert len(world.rows("account_signature")) == 12


@pytest.mark.parametrize("_round", ROUNDS)
def test_the_same_call_twice_at_once(world: World, _round: int) -> None:
    assert at_once(*[lambda: world.ask(register(BY_BOARD, ETT, ANNA))] * 4) == ["Incomplete"] * 4
    assert len(world.rows("account_signature")) == len(world.rows("account_history")) == 1


@pytest.mark.parametrize("_round", ROUNDS)
def test_the_last_signature_against_the_end(world: World, _round: int) -> None:
    world.call(register(BY_BOARD, ETT, ANNA, BO))
    signed, abandoned = at_once(
        lambda: world.ask(register(BY_BOARD, ETT, CIA)), lambda: world.ask(delete_pending(BY_BOARD, ANNA))
    )
    assert (signed, abandoned, world.state(BY_BOARD)) in [
        ("Complete", "5011", "active Brevlåda Ett"),
        ("Incomplete", "deletePendingAccountRequestResponse", "pending Brevlåda Ett"),
    ]
