"""What becomes of consents when an account ends."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta

import pytest

from mm_soap.errors import Refused
from mm_soap.far import Account
from mm_soap.far.rights import Consent, ConsentKind, Consents

from .world import ANNA, BO, CIA, ETT, TVA, TWO_TOGETHER, World, change, delete_pending, deregister, register


@pytest.fixture
def consents(world: World) -> Consents:
    return Consents(world.engine, world.clock)


def granted(world: World, user: str) -> list[tuple[str, str]]:
    return [(one.recipient, one.grant.value) for one in world.rights.of_user(user).rights if one.recipient == ANNA]


def test_consents_end_with_the_account_and_do_not_come_back(world: World, consents: Consents) -> None:
    world.call(register(ANNA))
    first = [consents.give(ANNA, user, kind) for user, kind in ((BO, ConsentKind.READ), (CIA, ConsentKind.MANAGE))]
    world.clock.advance(timedelta(days=1))
    assert world.ask(deregister(ANNA)) == "Complete"
    ended = world.clock()
    world.clock.advance(timedelta(days=1))
    assert world.ask(register(ANNA, TVA)) == "Complete"
    assert granted(world, BO) == granted(world, CIA) == []
    assert consents.of(ANNA) == [Consent(one.recipient, one.user, one.kind, one.given, ended) for one in first]
    consents.give(ANNA, BO, ConsentKind.READ)
    assert granted(world, BO) == [(ANNA, "ConsentRead")]


def test_consents_stay_while_the_account_does(world: World, consents: Consents) -> None:
    world.call(register(ANNA))
    consents.give(ANNA, BO, ConsentKind.READ)
    assert world.ask(change(ANNA, TVA)) == "Complete"
    assert granted(world, BO) == [(ANNA, "ConsentRead")]
    world.call(register(TWO_TOGETHER, ETT, ANNA, BO))
    consents.give(TWO_TOGETHER, CIA, ConsentKind.READ)
    assert world.ask(deregister(TWO_TOGETHER, ETT, ANNA)) == "Incomplete"
    assert [one.cancelled for one in consents.of(TWO_TOGETHER)] == [None]


def test_consents_end_with_a_registration_that_is_abandoned(world: World, consents: Consents) -> None:
    world.register.add_account(Account(ANNA, ETT.number))
    consents.give(ANNA, BO, ConsentKind.READ)
    world.register.add_account(Account(ANNA, ETT.number, pending=True))
    assert world.ask(delete_pending(ANNA)) == "deletePendingAccountRequestResponse"
    assert [one.cancelled for one in consents.of(ANNA)] == [world.clock()]


@pytest.mark.parametrize("_round", range(4))
def test_a_consent_given_while_the_account_ends(world: World, consents: Consents, _round: int) -> None:
    world.call(register(ANNA))
    barrier = threading.Barrier(2)

    def give() -> None:
        barrier.wait()
        with suppress(Refused):
            consents.give(ANNA, BO, ConsentKind.READ)

    giving = threading.Thread(target=give)
    giving.start()
    barrier.wait()
    assert world.ask(deregister(ANNA)) == "Complete"
    giving.join()
    assert all(one.cancelled for one in consents.of(ANNA))
