"""From accepted to sealed: what the register answers, and what becomes of the delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from mm_soap.dispatcher import Addressing, DeliveryPolicy, State
from mm_soap.dispatcher.model import Accepted, Outcome
from mm_soap.errors import RemoteFault, TransportError
from tests.unit.dispatcher.fakes import (
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    NOON,
    OPERATOR,
    RECIPIENT,
    STRANGER,
    FakeRegister,
    accepted,
    noon,
    reached,
)

REFUSED, TECHNICAL = RemoteFault(5001, "", None), RemoteFault(4000, "", None)


def step(database: Engine, register: FakeRegister, *batch: Accepted) -> list[Outcome]:
    addressing = Addressing(database, register, DISPATCHER, DeliveryPolicy(give_up_after=60), noon())
    outcomes = list(addressing.step(batch))
    assert sorted(each.id for each in outcomes) == sorted(each.id for each in batch)
    return outcomes


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, State.SEALED),
        ({"sender_accepted": False}, State.PAPER),
        ({"registered": False}, State.NOT_REGISTERED),
        ({"registered": False, "sender_accepted": False}, State.NOT_REGISTERED),
        ({"operator": None}, State.NOT_REGISTERED),
        ({"address": None}, State.NOT_REGISTERED),
    ],
)
def test_where_it_goes(database: Engine, change: dict[str, object], expected: State) -> None:
    register = FakeRegister(**{f"r{RECIPIENT}": reached(**change)})  # type: ignore[arg-type]
    (outcome,) = step(database, register, accepted(database))
    assert outcome.state is expected
    assert (outcome.seal is not None) == (expected is State.SEALED)
    if expected is State.SEALED:
        assert (outcome.operator, outcome.next_attempt) == (OPERATOR, NOON)


def test_all_recipients_of_a_sender_are_asked_at_once(database: Engine) -> None:
    register = FakeRegister()
    batch = [accepted(database, recipient, sender) for sender in (KOMMUN_A, KOMMUN_B) for recipient in (RECIPIENT,) * 2]
    step(database, register, *batch)
    assert register.asked == [(KOMMUN_A, [RECIPIENT] * 2), (KOMMUN_B, [RECIPIENT] * 2)]


def test_a_refusal_for_one_of_many_fails_that_one_alone(database: Engine) -> None:
    register = FakeRegister(**{f"r{STRANGER}": REFUSED})
    good, wrong, also_good = (accepted(database, each) for each in (RECIPIENT, STRANGER, RECIPIENT))
    states = {outcome.id: outcome.state for outcome in step(database, register, good, wrong, also_good)}
    assert states == {good.id: State.SEALED, wrong.id: State.FAILED, also_good.id: State.SEALED}


@pytest.mark.parametrize("error", [TECHNICAL, RemoteFault(None, "", None), TransportError("no answer")])
def test_a_technical_error_is_tried_again_for_all(database: Engine, error: Exception) -> None:
    register = FakeRegister(**{f"r{STRANGER}": error})
    for outcome in step(database, register, accepted(database), accepted(database, STRANGER)):
        assert (outcome.state, outcome.attempts) == (State.ACCEPTED, 1)
        assert outcome.next_attempt is not None
        assert outcome.next_attempt > NOON
    assert len(register.asked) == 1


def test_it_is_given_up_in_the_end(database: Engine) -> None:
    old = replace(accepted(database), received=NOON - timedelta(seconds=60))
    (outcome,) = step(database, FakeRegister(**{f"r{RECIPIENT}": TECHNICAL}), old)
    assert (outcome.state, outcome.next_attempt) == (State.FAILED, None)
    assert outcome.reason.startswith("Given up")


@pytest.mark.parametrize("wrong", [STRANGER, ""])
def test_answers_in_another_order_are_no_answers(database: Engine, wrong: str) -> None:
    register = FakeRegister(**{f"r{RECIPIENT}": reached(wrong)})
    (outcome,) = step(database, register, accepted(database))
    assert outcome.state is State.ACCEPTED
    assert "does not match" in outcome.reason


def test_no_reason_names_the_recipient(database: Engine) -> None:
    for answer in (reached(), reached(registered=False), REFUSED, TECHNICAL):
        (outcome,) = step(database, FakeRegister(**{f"r{RECIPIENT}": answer}), accepted(database))
        assert RECIPIENT not in outcome.reason + str(outcome.detail)
