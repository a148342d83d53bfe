"""From sealed to delivered: what an operator answers, and what becomes of the delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from mm_soap.dispatcher import Handover, Policies, State
from mm_soap.dispatcher.model import Outcome, Sealed
from mm_soap.errors import RemoteFault, TransportError
from tests.unit.dispatcher.fakes import (
    KOMMUN_A,
    NOON,
    OPERATOR,
    RECIPIENT,
    STRANGER,
    FakeOperators,
    delivered,
    noon,
    retrying,
)

SEALED = Sealed(1, "d-1", KOMMUN_A, RECIPIENT, NOON, 2, OPERATOR, "http://operator/")


def attempt(answer: etree._Element | Exception, one: Sealed = SEALED) -> tuple[Outcome, bool]:
    def told(_address: str, _before: int) -> etree._Element:
        if isinstance(answer, Exception):
            raise answer
        return answer

    operators = FakeOperators(told)
    outcome, technical = Handover(operators, retrying(1, 900, 60), noon()).step(one, b"<D/>", b"<S/>")
    ((address, body),) = operators.calls
    assert address == one.address
    assert b"<D/><S/>" in body
    assert outcome.attempts == 3
    return outcome, technical


def test_delivered() -> None:
    outcome, technical = attempt(delivered())
    assert (outcome.state, outcome.trans_id, outcome.next_attempt, technical) == (State.DELIVERED, "t-1", None, False)


@pytest.mark.parametrize("answer", [delivered(told="false"), delivered(told="0"), RemoteFault(5002, "Nej.", "c-1")])
def test_refused_for_good(answer: etree._Element | Exception) -> None:
    outcome, technical = attempt(answer)
    assert (outcome.state, outcome.next_attempt, technical) == (State.FAILED, None, False)


@pytest.mark.parametrize(
    "answer",
    [
        TransportError("no answer"),
        RemoteFault(4999, "", None),
        RemoteFault(None, "", None),
        delivered(STRANGER),
    ],
)
def test_to_be_tried_again(answer: etree._Element | Exception) -> None:
    outcome, technical = attempt(answer)
    assert (outcome.state, technical) == (State.SEALED, True)
    assert outcome.next_attempt is not None
    assert outcome.next_attempt > NOON
    assert (outcome.operator, outcome.seal) == (None, None)  # they stay as they are


def test_given_up() -> None:
    outcome, technical = attempt(TransportError("x"), replace(SEALED, received=NOON - timedelta(seconds=60)))
    assert (outcome.state, outcome.next_attempt, technical) == (State.FAILED, None, True)
    assert outcome.reason.startswith("Given up")


def test_an_error_of_our_own_is_tried_again() -> None:
    outcome = Handover(FakeOperators(), Policies(), noon()).unexpected(SEALED, ValueError(RECIPIENT))
    assert outcome.state is State.SEALED
    assert "ValueError" in outcome.reason
    assert RECIPIENT not in outcome.reason
