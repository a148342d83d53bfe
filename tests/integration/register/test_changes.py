"""Change of operator, preferences, and isAuthorizedSigner, over SOAP with the real schema."""

from __future__ import annotations

import pytest
from lxml import etree

from mm_soap.companies import Away
from mm_soap.far import Sender

from .world import (
    ANNA,
    BO,
    BY_BOARD,
    CIA,
    DEAD,
    ETT,
    FOREIGN_FORM,
    HIDDEN,
    KOMMUN_A,
    KOMMUN_B,
    KOMMUN_C,
    NAMES,
    NO_COMPANY,
    NOBODY,
    TEXT,
    TVA,
    TWO_TOGETHER,
    UNREADABLE,
    World,
    authorized_signer,
    change,
    deregister,
    get_preferences,
    pending,
    preferences,
    register,
)


@pytest.fixture
def company(world: World) -> str:
    """A company with an account at Brevlåda Ett."""
    world.call(register(TWO_TOGETHER, ETT, ANNA, BO))
    return TWO_TOGETHER


def accepted(answer: etree._Element) -> list[str]:
    return [str(one) for one in answer.xpath(".//r:AcceptedSenders/s:Id/text()", namespaces=NAMES)]


def test_a_person_moves(world: World) -> None:
    assert world.ask(change(ANNA)) == "5003"
    world.call(register(ANNA))
    before = world.rows("account")[0]["last_registration"]
    assert world.ask(change(ANNA, TVA, text=" ")) == "5001"
    assert world.ask(change(ANNA, TVA, BO, user=ANNA)) == "6009"
    assert world.ask(change(ANNA, TVA, ANNA, user=BO)) == "5001"
    assert world.state(ANNA) == "active Brevlåda Ett"
    assert world.ask(change(ANNA)) == "Complete"
    assert world.state(ANNA) == "active Brevlåda Två"
    assert world.rows("account")[0]["last_registration"] == before
    assert world.ask(change(ANNA)) == "5011", "it is there already: a call repeated after a lost answer sees that"


def test_a_company_moves_when_enough_have_signed(world: World, company: str) -> None:
    assert world.ask(change(company, TVA, ANNA)) == "Incomplete"
    assert world.state(company) == "active Brevlåda Ett"
    answer = world.call(pending("getPendingChangeServiceSupplier", company, BO))
    assert answer.findtext(".//v2:serviceSupplier/r:Name", namespaces=NAMES) == "Brevlåda Två"
    assert answer.xpath(".//a:SignedBy/a:Id/text()", namespaces=NAMES) == [ANNA]
    assert world.ask(change(company, TVA, CIA)) == "Complete"
    assert world.state(company) == "active Brevlåda Två"
    assert world.ask(pending("getPendingChangeServiceSupplier", company, BO)) == "5003"


def test_a_pending_account_does_not_move(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert world.ask(change(TWO_TOGETHER, TVA, ANNA, BO)) == "5011"


def test_a_change_is_abandoned(world: World, company: str) -> None:
    assert world.ask(pending("deletePendingChangeServiceSupplier", company, ANNA)) == "5003"
    world.call(change(company, TVA, ANNA))
    answer = world.call(pending("deletePendingChangeServiceSupplier", company, BO))
    assert answer.findtext("v2:serviceSupplier/r:Id", namespaces=NAMES) == TVA.number
    assert world.ask(change(company, TVA, BO)) == "Incomplete"


def test_a_change_elsewhere_replaces_the_one_that_waits(world: World, company: str) -> None:
    from mm_soap.far import Operator

    third = Operator(NO_COMPANY, "Brevlåda Tre", "http://tre", "http://tre")
    world.register.add_operator(third)
    world.call(change(company, TVA, ANNA))
    assert world.ask(change(company, third, BO)) == "Incomplete"
    assert world.ask(change(company, third, CIA)) == "Complete"
    assert world.state(company) == "active Brevlåda Tre"
    assert [one.step for one in world.accounts.history(company)][1:] == ["begun", "replaced", "begun", "completed"]


def test_moving_ends_what_waits_at_the_operator_before(world: World, company: str) -> None:
    world.call(deregister(company, ETT, ANNA))
    world.call(preferences(company, [KOMMUN_A], ANNA))
    world.call(change(company, TVA, ANNA, BO))
    assert world.ask(pending("getPendingAccountPreferences", company, ANNA)) == "5003"
    assert world.ask(deregister(company, TVA, BO)) == "Incomplete", "signatures for the other operator do not count"


def test_all_are_accepted_until_deselected(world: World) -> None:
    assert world.ask(get_preferences(ANNA)) == "5003"
    world.call(register(ANNA))
    assert accepted(world.call(get_preferences(ANNA))) == [KOMMUN_B, KOMMUN_A]
    assert world.accepted(ANNA, KOMMUN_A) == ("true", False)
    assert world.ask(preferences(ANNA, [KOMMUN_B])) == "Complete"
    assert accepted(world.call(get_preferences(ANNA))) == [KOMMUN_B]
    assert world.accepted(ANNA, KOMMUN_A) == ("false", True)
    assert world.accepted(ANNA, KOMMUN_B) == ("true", False)
    world.register.add_sender(Sender(KOMMUN_C, "Kommun C"))
    assert accepted(world.call(get_preferences(ANNA))) == sorted([KOMMUN_B, KOMMUN_C])
    assert world.accepted(ANNA, KOMMUN_C) == ("true", False)
    assert world.ask(preferences(ANNA, [KOMMUN_A, KOMMUN_B, KOMMUN_C])) == "Complete"
    assert world.accepted(ANNA, KOMMUN_A) == ("true", True)
    assert world.ask(preferences(ANNA, [])) == "Complete"
    assert accepted(world.call(get_preferences(ANNA))) == []


def test_what_preferences_are_refused(world: World) -> None:
    assert world.ask(preferences(ANNA, [])) == "5003"
    world.call(register(ANNA))
    assert world.ask(preferences(ANNA, [KOMMUN_C])) == "5003"
    assert world.ask(preferences(ANNA, [], of=BO)) == "5001"
    assert world.ask(preferences(ANNA, [], BO)) == "5001"
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert world.ask(preferences(TWO_TOGETHER, [], ANNA)) == "5011"
    assert world.rows("sender_choice") == []


def test_preferences_of_a_company_wait_for_signatures(world: World, company: str) -> None:
    assert world.ask(pending("getPendingAccountPreferences", company, BO)) == "5003"
    assert world.ask(preferences(company, [KOMMUN_A], ANNA)) == "Incomplete"
    assert world.accepted(company, KOMMUN_B) == ("true", False)
    answer = world.call(pending("getPendingAccountPreferences", company, BO))
    assert accepted(answer) == [KOMMUN_A]
    assert answer.xpath(".//a:SignedBy/a:Id/text()", namespaces=NAMES) == [ANNA]
    assert world.ask(preferences(company, [KOMMUN_A], CIA)) == "Complete"
    assert world.accepted(company, KOMMUN_B) == ("false", True)


def test_another_list_replaces_the_one_that_waits(world: World, company: str) -> None:
    world.call(preferences(company, [KOMMUN_A], ANNA))
    assert world.ask(preferences(company, [KOMMUN_B], BO)) == "Incomplete"
    assert accepted(world.call(pending("getPendingAccountPreferences", company, BO))) == [KOMMUN_B]
    assert world.ask(preferences(company, [KOMMUN_B], ANNA)) == "Complete"


@pytest.mark.parametrize("second", [[KOMMUN_A], [KOMMUN_A, KOMMUN_C]])
def test_a_sender_that_joins_between_two_signatures_is_accepted(world: World, company: str, second: list[str]) -> None:
    world.call(preferences(company, [KOMMUN_A], ANNA))
    world.register.add_sender(Sender(KOMMUN_C, "Kommun C"))
    assert accepted(world.call(pending("getPendingAccountPreferences", company, BO))) == sorted([KOMMUN_A, KOMMUN_C])
    assert world.ask(preferences(company, second, BO)) == "Complete"
    assert world.accepted(company, KOMMUN_C)[0] == "true"
    assert world.accepted(company, KOMMUN_B)[0] == "false"


def test_pending_preferences_are_abandoned(world: World, company: str) -> None:
    assert world.ask(pending("deletePendingAccountPreferences", company, BO)) == "5003"
    world.call(preferences(company, [KOMMUN_A], ANNA))
    answer = world.call(pending("deletePendingAccountPreferences", company, BO))
    assert list(answer.itertext()) == [company, BO]
    assert world.ask(pending("getPendingAccountPreferences", company, BO)) == "5003"


def test_preferences_go_with_the_account(world: World) -> None:
    world.call(register(ANNA))
    world.call(preferences(ANNA, []))
    world.call(deregister(ANNA))
    world.call(register(ANNA))
    assert world.accepted(ANNA, KOMMUN_A) == ("true", False)


def information(world: World, company: str, user: str) -> tuple[str | None, list[str], list[str | None]]:
    """Whether the user may sign, the possible signers, and what is told of the account."""
    answer = world.call(authorized_signer(company, user))
    found = answer.find(".//v2:AccountInformation", namespaces=NAMES)
    return (
        answer.findtext(".//v2:isAccountAuthorizedSigner", namespaces=NAMES),
        [str(one) for one in answer.xpath(".//v2:PossibleSigners/a:Id/text()", namespaces=NAMES)],
        [] if found is None else [node.text for node in found.iter() if node.text],
    )


def test_who_may_open_a_companys_mailbox(world: World) -> None:
    everybody = [ANNA, BO, CIA]
    assert information(world, BY_BOARD, ANNA) == ("true", everybody, [])
    assert information(world, BY_BOARD, NOBODY) == ("false", everybody, [])
    assert information(world, BY_BOARD, "fi" + "1" * 10)[0] == "false"
    world.call(register(BY_BOARD, ETT, ANNA))
    told = ["Pending", ANNA, "Anna", "Incomplete", "Brevlåda Ett", TEXT]
    assert information(world, BY_BOARD, BO) == ("true", everybody, told)
    world.call(register(BY_BOARD, ETT, BO, CIA))
    told = ["Active", ANNA, "Anna", BO, "Bo", CIA, "Cia", "Complete", "Brevlåda Ett", TEXT]
    assert information(world, BY_BOARD, BO) == ("true", everybody, told)
    world.call(deregister(BY_BOARD, ETT, ANNA, BO, CIA))
    assert information(world, BY_BOARD, BO) == ("true", everybody, [])


@pytest.mark.parametrize(
    ("company", "user", "code"),
    [
        (UNREADABLE, ANNA, "6005"),
        (FOREIGN_FORM, ANNA, "6004"),
        (NO_COMPANY, ANNA, "5003"),
        (TWO_TOGETHER, HIDDEN, "6006"),
        (ANNA, ANNA, "5001"),
        (TWO_TOGETHER, ANNA[:-1] + str((int(ANNA[-1]) + 1) % 10), "5001"),
    ],
)
def test_what_is_not_answered(world: World, company: str, user: str, code: str) -> None:
    assert world.ask(authorized_signer(company, user)) == code


def test_the_company_register_is_away(world: World, company: str) -> None:
    world.companies.away = Away.UNREACHABLE
    for request in (
        authorized_signer(company, ANNA),
        change(company, TVA, ANNA),
        preferences(company, [], ANNA),
        deregister(company, ETT, ANNA),
    ):
        assert world.ask(request) == "5018"
    assert len(world.rows("account_request")) == 1


def test_who_is_protected_or_dead_is_no_possible_signer(world: World) -> None:
    known = world.persons.persons
    known[BO] = type(known[BO])(BO, "Bo", known[BO].born, protected=True)
    known[CIA] = type(known[CIA])(CIA, "Cia", known[CIA].born, dead=True)
    assert information(world, TWO_TOGETHER, ANNA) == ("true", [ANNA], [])
    assert world.ask(register(TWO_TOGETHER, ETT, ANNA, CIA)) == "6009"
    assert world.ask(register(TWO_TOGETHER, ETT, ANNA, BO)) == "6006"
    assert DEAD in known
