"""Which caller may call what. Source: contract, services."""

from __future__ import annotations

import pytest

from mm_soap.xml import RECIPIENT_V3

from .world import (
    ANNA,
    BO,
    DISPATCHER,
    ETT,
    KOMMUN_A,
    KOMMUN_B,
    STRANGER,
    TVA,
    TWO_TOGETHER,
    World,
    authorized_signer,
    change,
    delete_pending,
    deregister,
    get_pending,
    get_preferences,
    pending,
    preferences,
    register,
)

FOR_OPERATORS = [
    register(BO),
    deregister(ANNA),
    change(ANNA, TVA),
    preferences(ANNA, []),
    get_preferences(ANNA),
    get_pending(ANNA, ANNA),
    delete_pending(ANNA),
    authorized_signer(TWO_TOGETHER, ANNA),
    *(
        pending(f"{verb}Pending{what}", ANNA, ANNA)
        for verb in ("get", "delete")
        for what in ("ChangeServiceSupplier", "AccountPreferences")
    ),
]


@pytest.mark.parametrize("caller", [KOMMUN_A, DISPATCHER, STRANGER])
def test_nobody_else_does_what_is_for_operators(world: World, caller: str) -> None:
    world.call(register(ANNA))
    assert {world.ask(request, caller) for request in FOR_OPERATORS} == {"5002"}
    assert world.state(ANNA) == "active Brevlåda Ett"


def test_an_operator_speaks_for_itself(world: World) -> None:
    assert world.ask(register(ANNA, ETT), TVA.number) == "5002"
    assert world.ask(register(ANNA, ETT), ETT.number) == "Complete"
    assert world.ask(change(ANNA, TVA), ETT.number) == "5002"
    assert world.ask(change(ANNA, TVA), TVA.number) == "Complete"


def test_an_operator_leaves_the_accounts_of_others_alone(world: World) -> None:
    world.call(register(ANNA))
    for request in (
        deregister(ANNA, TVA),
        deregister(ANNA, ETT),
        preferences(ANNA, [KOMMUN_A]),
        get_preferences(ANNA),
    ):
        assert world.ask(request, TVA.number) == "5002"
        assert world.ask(get_preferences(ANNA), ETT.number) == "getAccountPreferencesResponse"
    assert world.rows("sender_choice") == []


def test_what_waits_concerns_two_operators_at_most(world: World) -> None:
    from mm_soap.far import Operator

    world.register.add_operator(Operator(STRANGER, "Tre", "http://tre", "http://tre"))
    world.call(register(TWO_TOGETHER, ETT, ANNA, BO))
    world.call(change(TWO_TOGETHER, TVA, ANNA))
    world.call(preferences(TWO_TOGETHER, [], ANNA))
    shown = {
        (what, caller): world.ask(pending(f"getPending{what}", TWO_TOGETHER, ANNA), caller)
        for what in ("ChangeServiceSupplier", "AccountPreferences")
        for caller in (ETT.number, TVA.number, STRANGER)
    }
    assert shown == {
        ("ChangeServiceSupplier", ETT.number): "Incomplete",
        ("ChangeServiceSupplier", TVA.number): "Incomplete",
        ("ChangeServiceSupplier", STRANGER): "5002",
        ("AccountPreferences", ETT.number): "Incomplete",
        ("AccountPreferences", TVA.number): "5002",
        ("AccountPreferences", STRANGER): "5002",
    }
    assert world.ask(pending("deletePendingChangeServiceSupplier", TWO_TOGETHER, ANNA), STRANGER) == "5002"
    assert world.ask(pending("deletePendingAccountPreferences", TWO_TOGETHER, ANNA), TVA.number) == "5002"


def is_registered() -> str:
    return f'<isRegistered xmlns="{RECIPIENT_V3}"><recipientId>{ANNA}</recipientId></isRegistered>'


def is_reachable(sender: str) -> str:
    asked = f"<senderOrgNr>{sender}</senderOrgNr><recipientId>{ANNA}</recipientId>"
    return f'<isReachable xmlns="{RECIPIENT_V3}">{asked}</isReachable>'


@pytest.mark.parametrize("caller", [KOMMUN_B, DISPATCHER, ETT.number])
def test_any_connected_party_asks_who_is_registered(world: World, caller: str) -> None:
    assert world.ask(is_registered(), caller) == "isRegisteredResponse"
    assert world.ask(is_registered(), STRANGER) == "5002"


@pytest.mark.parametrize(
    ("caller", "sender", "expected"),
    [
        (KOMMUN_A, KOMMUN_A, "isReachableResponse"),
        (KOMMUN_A, KOMMUN_B, "5002"),
        (DISPATCHER, KOMMUN_A, "isReachableResponse"),
        (DISPATCHER, KOMMUN_B, "5002"),
        (DISPATCHER, DISPATCHER, "5002"),
        (TVA.number, KOMMUN_B, "isReachableResponse"),
        (STRANGER, STRANGER, "5002"),
        (STRANGER, KOMMUN_A, "5002"),
    ],
)
def test_who_asks_whom_a_sender_reaches(world: World, caller: str, sender: str, expected: str) -> None:
    assert world.ask(is_reachable(sender), caller) == expected


def test_without_a_certificate_only_a_demonstration_answers(world: World) -> None:
    world.start(unknown_allowed=False)
    for request in (is_registered(), is_reachable(KOMMUN_A), *FOR_OPERATORS):
        assert world.ask(request) == "5002"
    assert world.ask(register(ANNA), ETT.number) == "Complete"
