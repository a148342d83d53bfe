"""Every edge of the account's state machine, over SOAP with the real schema."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from mm_soap.companies import Away
from mm_soap.far.accounts import Importer
from mm_soap.far.audit import Change
from mm_soap.far.bulk import ImportRules, import_accounts
from mm_soap.persons import RegisteredPerson

from .world import (
    ANNA,
    BO,
    CIA,
    DEAD,
    ETT,
    FOREIGN_FORM,
    HIDDEN,
    NAMES,
    NEW_NUMBER,
    NO_COMPANY,
    NOBODY,
    OLD_NUMBER,
    TEXT,
    TVA,
    TWO_TOGETHER,
    UNREADABLE,
    YOUNG,
    World,
    delete_pending,
    deregister,
    get_pending,
    register,
)


def test_none_to_active(world: World) -> None:
    answer = world.call(register(ANNA))
    assert [node.text for node in answer.iter() if node.text] == [
        ANNA,
        ANNA,
        "Anna",
        "Complete",
        "2026-05-04T12:00:00+00:00",
        f"Register {ANNA} at Brevlåda Ett, account type Secure.",
    ]
    assert world.state(ANNA) == "active Brevlåda Ett"


@pytest.mark.parametrize("account_type", ["Secure", "Anonymous"])
def test_the_account_type_is_kept(world: World, account_type: str) -> None:
    assert world.ask(register(ANNA, account_type=account_type)) == "Complete"
    (row,) = world.rows("account")
    assert (row["account_type"], row["last_registration"]) == (account_type, world.clock())


def test_none_to_pending_to_active(world: World) -> None:
    answer = world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert answer.findtext(".//a:Status", namespaces=NAMES) == "Incomplete"
    assert answer.xpath(".//a:SignedBy/a:Id/text()", namespaces=NAMES) == [ANNA]
    assert answer.xpath(".//a:PossibleSigners/a:Id/text()", namespaces=NAMES) == [BO, CIA]
    assert world.state(TWO_TOGETHER) == "pending Brevlåda Ett"
    answer = world.call(register(TWO_TOGETHER, ETT, BO))
    assert answer.findtext(".//a:Status", namespaces=NAMES) == "Complete"
    assert answer.xpath(".//a:SignedBy/a:Name/text()", namespaces=NAMES) == ["Anna", "Bo"]
    assert world.state(TWO_TOGETHER) == "active Brevlåda Ett"


def test_enough_signatures_in_one_call(world: World) -> None:
    assert world.ask(register(TWO_TOGETHER, ETT, ANNA, BO)) == "Complete"


def test_the_same_call_again_adds_nothing(world: World) -> None:
    first = world.call(register(TWO_TOGETHER, ETT, ANNA, ANNA))
    again = world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert list(first.itertext()) == list(again.itertext())
    assert len(world.rows("account_signature")) == len(world.rows("account_history")) == 1


def test_pending_stays_pending_at_another_operator(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert world.ask(register(TWO_TOGETHER, TVA, ANNA, BO)) == "5009"
    assert world.state(TWO_TOGETHER) == "pending Brevlåda Ett"


def test_pending_as_another_account_type_is_refused(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert world.ask(register(TWO_TOGETHER, ETT, BO, account_type="Anonymous")) == "5009"


@pytest.mark.parametrize("operator", [ETT, TVA])
def test_active_registered_again(world: World, operator: object) -> None:
    world.call(register(ANNA))
    assert world.ask(register(ANNA, operator)) == "5009"  # type: ignore[arg-type]
    assert world.state(ANNA) == "active Brevlåda Ett"


@pytest.mark.parametrize("caller", [ETT.number, TVA.number, None])
def test_pending_to_none_by_any_operator(world: World, caller: str | None) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert world.ask(delete_pending(TWO_TOGETHER, BO), caller) == "deletePendingAccountRequestResponse"
    assert world.state(TWO_TOGETHER) == "none"
    assert world.ask(register(TWO_TOGETHER, TVA, BO)) == "Incomplete", "the signature before does not count any more"


def test_nothing_pending(world: World) -> None:
    assert world.ask(delete_pending(ANNA)) == "5003"
    world.call(register(ANNA))
    assert world.ask(delete_pending(ANNA)) == "5011"
    assert world.state(ANNA) == "active Brevlåda Ett"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (register(ANNA, signed_text="En annan text."), "5010"),
        (register(ANNA, ETT, BO), "6009"),
        (register(ANNA, ETT, ANNA, BO), "6009"),
        (register(TWO_TOGETHER, ETT, NOBODY), "6009"),
        (register(TWO_TOGETHER, ETT, ANNA, BO, signed_text="Annat"), "5010"),
        (register(YOUNG), "5009"),
        (register(DEAD), "5009"),
        (register(HIDDEN), "6006"),
        (register(NOBODY), "6007"),
        (register(OLD_NUMBER, ETT, NEW_NUMBER), "6007"),
        (register(FOREIGN_FORM, ETT, ANNA), "6004"),
        (register(NO_COMPANY, ETT, ANNA), "5003"),
        (register(ANNA, "Brevlåda Tre"), "5003"),
        (register(ANNA, kind="Delete"), "5001"),
        (register(ANNA, account_type="Not"), "5001"),
        (register(ANNA, text=" "), "5001"),
        (register(ANNA[:-1] + str((int(ANNA[-1]) + 1) % 10)), "5001"),
        (register(ANNA, ETT, *[ANNA] * 101), "5005"),
    ],
)
def test_refused_and_nothing_stored(world: World, request_: str, code: str) -> None:
    assert world.ask(request_) == code
    assert not any(
        world.rows(table) for table in ("account", "account_request", "account_signature", "account_history")
    )


@pytest.mark.parametrize(
    ("born", "last_minute_of_17"),
    [
        (date(2008, 5, 5), datetime(2026, 5, 4, 21, 59, tzinfo=UTC)),  # summer: Sweden is two hours ahead of UTC
        (date(2008, 1, 15), datetime(2026, 1, 14, 22, 59, tzinfo=UTC)),  # winter: one hour
    ],
)
def test_eighteen_on_the_birthday_in_sweden(world: World, born: date, last_minute_of_17: datetime) -> None:
    world.persons.persons[YOUNG] = RegisteredPerson(YOUNG, "Ung", born)
    world.clock.set(last_minute_of_17)
    assert world.ask(register(YOUNG)) == "5009"
    world.clock.set(last_minute_of_17 + timedelta(minutes=1))
    assert world.clock().date() < born.replace(year=2026), "UTC has the day before"
    assert world.ask(register(YOUNG)) == "Complete"


def test_registers_that_are_away(world: World) -> None:
    world.companies.away = Away.UNREACHABLE
    assert world.ask(register(TWO_TOGETHER, ETT, ANNA)) == "5018"
    world.companies.away = None
    world.persons.away = True
    assert world.ask(register(ANNA)) == "4000"
    assert world.rows("account") == []


def test_a_rule_that_nobody_can_evaluate(world: World) -> None:
    assert world.ask(register(UNREADABLE, ETT, ANNA, BO)) == "RulesNotSupported"
    assert world.state(UNREADABLE) == "pending Brevlåda Ett"
    assert world.ask(delete_pending(UNREADABLE, ANNA)) == "deletePendingAccountRequestResponse"


def test_a_signatory_who_left_counts_no_more(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    before = world.companies.companies[TWO_TOGETHER]
    world.companies.companies[TWO_TOGETHER] = type(before)(
        before.number, before.name, before.form, before.rule, before.signatories[1:], before.rule_text
    )
    answer = world.call(register(TWO_TOGETHER, ETT, BO))
    assert answer.xpath(".//a:SignedBy/a:Id/text()", namespaces=NAMES) == [BO]
    assert world.state(TWO_TOGETHER) == "pending Brevlåda Ett"


def test_restarts_between_calls(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    world.engine.dispose()
    world.start()
    assert world.ask(register(TWO_TOGETHER, ETT, BO)) == "Complete"


def test_deregister_a_person_and_register_again_elsewhere(world: World) -> None:
    assert world.ask(deregister(ANNA)) == "5003"
    world.call(register(ANNA))
    assert world.ask(deregister(ANNA, TVA)) == "5002"
    assert world.ask(deregister(ANNA, signed_text="Annat")) == "5012"
    assert world.ask(deregister(ANNA, ETT, BO)) == "6009"
    assert world.ask(deregister(ANNA, kind="Create")) == "5001"
    assert world.state(ANNA) == "active Brevlåda Ett"
    assert world.ask(deregister(ANNA)) == "Complete"
    assert world.state(ANNA) == "none"
    assert world.ask(deregister(ANNA)) == "5003"
    assert world.ask(register(ANNA, TVA)) == "Complete"
    assert world.state(ANNA) == "active Brevlåda Två"


def test_deregister_a_company(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    assert world.ask(deregister(TWO_TOGETHER, ETT, ANNA, BO)) == "5011"
    world.call(register(TWO_TOGETHER, ETT, BO))
    assert world.ask(deregister(TWO_TOGETHER, ETT, ANNA)) == "Incomplete"
    assert world.state(TWO_TOGETHER) == "active Brevlåda Ett"
    assert world.ask(delete_pending(TWO_TOGETHER, ANNA), TVA.number) == "deletePendingAccountRequestResponse"
    assert world.ask(delete_pending(TWO_TOGETHER, ANNA)) == "5011"
    assert world.ask(deregister(TWO_TOGETHER, ETT, BO)) == "Incomplete"
    assert world.ask(deregister(TWO_TOGETHER, ETT, CIA)) == "Complete"
    assert world.state(TWO_TOGETHER) == "none"


def test_a_changed_number_signs_for_the_account_of_the_old_one(world: World) -> None:
    known = world.persons.persons
    old = known.pop(OLD_NUMBER)
    known[OLD_NUMBER] = type(old)(OLD_NUMBER, old.name, old.born)
    assert world.ask(register(OLD_NUMBER)) == "Complete"
    known[OLD_NUMBER] = old
    assert world.ask(deregister(OLD_NUMBER, ETT, NEW_NUMBER)) == "Complete"


def test_who_became_protected_can_still_leave_and_is_not_shown(world: World) -> None:
    world.call(register(ANNA))
    known = world.persons.persons
    known[ANNA] = type(known[ANNA])(ANNA, "Anna", known[ANNA].born, protected=True)
    answer = world.call(deregister(ANNA))
    assert answer.findtext(".//a:Status", namespaces=NAMES) == "Complete"
    assert answer.find(".//a:SignedBy", namespaces=NAMES) is None


def test_pending_requests_are_shown(world: World) -> None:
    odd = "Å & <b> ]]>"
    world.call(register(TWO_TOGETHER, ETT, ANNA, text=odd))
    for request in (get_pending(BO, TWO_TOGETHER, NO_COMPANY), get_pending(BO), get_pending(ANNA)):
        (row,) = world.call(request)
        assert row.findtext("r:AccountRequest/r:AgreementText", namespaces=NAMES) == odd
        assert row.findtext("r:AccountRequest/r:ServiceSupplier", namespaces=NAMES) == "Brevlåda Ett"
        assert row.xpath("r:SignatureStatus/a:SignedBy/a:Id/text()", namespaces=NAMES) == [ANNA]
        assert row.xpath("r:SignatureStatus/a:PossibleSigners/a:Id/text()", namespaces=NAMES) == [BO, CIA]
    assert len(world.call(get_pending(NOBODY))) == 0
    assert world.ask(get_pending(BO, ANNA)) == "5001"
    assert world.ask(get_pending(BO, *[TWO_TOGETHER] * 1001)) == "5005"
    world.companies.away = Away.UNREACHABLE
    assert world.ask(get_pending(BO, TWO_TOGETHER)) == "5018"


def test_an_account_entered_as_pending_goes_the_same_ways(world: World) -> None:
    from mm_soap.far import Account

    world.register.add_account(Account(ANNA, ETT.number, pending=True))
    (row,) = world.call(get_pending(ANNA, ANNA))
    assert row.findtext("r:AccountRequest/r:AgreementText", namespaces=NAMES) == ""
    assert world.ask(delete_pending(ANNA)) == "deletePendingAccountRequestResponse"
    world.register.add_account(Account(ANNA, ETT.number, pending=True))
    assert world.ask(register(ANNA, TVA)) == "5009"
    assert world.ask(register(ANNA)) == "Complete"


def test_each_step_is_in_the_history_with_what_was_signed(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA), ETT.number)
    world.call(register(TWO_TOGETHER, ETT, BO))
    world.call(deregister(TWO_TOGETHER, ETT, CIA))
    world.call(delete_pending(TWO_TOGETHER, CIA), TVA.number)
    history = world.accounts.history(TWO_TOGETHER)
    assert [(one.kind, one.step, one.operator, one.caller) for one in history] == [
        ("register", "begun", ETT.number, ETT.number),
        ("register", "completed", ETT.number, None),
        ("deregister", "begun", ETT.number, None),
        ("deregister", "abandoned", ETT.number, TVA.number),
    ]
    assert [[each.signer for each in one.signatures] for one in history] == [[ANNA], [BO], [CIA], []]
    first = history[0].signatures[0]
    assert first.signature.startswith(f"{ANNA}\nAnna\n".encode())
    assert first.agreement_text == TEXT
    assert first.sentence == history[0].sentence == f"Register {TWO_TOGETHER} at Brevlåda Ett, account type Secure."
    assert all(one.at == world.clock() for one in history)


def test_events_tell_of_changes_and_hold_no_personal_number(world: World) -> None:
    world.call(register(ANNA))
    world.call(register(TWO_TOGETHER, ETT, ANNA), ETT.number)
    world.call(delete_pending(TWO_TOGETHER, ANNA), TVA.number)
    events = world.rows("event")
    assert [(one["kind"], one["outcome"]) for one in events] == [
        ("register", "Complete"),
        ("register", "Incomplete"),
        ("register", "abandoned"),
    ]
    assert [(one["detail"]["caller"], one["detail"]["caller_identity"]) for one in events] == [
        (None, "unknown"),
        (ETT.number, "certificate"),
        (TVA.number, "certificate"),
    ]
    assert all(one["call_id"] for one in events)
    assert ANNA not in str(events)


def test_events_of_refused_calls_say_whether_the_caller_is_known(world: World) -> None:
    assert [world.ask(delete_pending(ANNA), caller) for caller in (None, ETT.number)] == ["5003"] * 2
    assert [
        (one["kind"], one["detail"]["caller"], one["detail"]["caller_identity"]) for one in world.rows("event")
    ] == [
        ("refusal", "127.0.0.1", "unknown"),
        ("refusal", ETT.number, "certificate"),
    ]


def test_the_history_of_an_imported_account_goes_on(world: World) -> None:
    row = (2, [ANNA, ETT.number, "", ""], "")
    change = Change(world.clock(), "Anna Ek", "aek", "accounts imported", None, None, {"file_sha256": "f" * 64})
    assert import_accounts(world.engine, [row], ImportRules(), lambda counts: change, lambda line, why: None).stored
    assert world.state(ANNA) == "active Brevlåda Ett"
    world.clock.advance(timedelta(days=1))
    world.call(deregister(ANNA))
    world.clock.advance(timedelta(days=1))
    world.call(register(ANNA, TVA))
    world.call(deregister(ANNA, TVA))
    change = replace(change, at=world.clock() + timedelta(days=1))
    assert import_accounts(world.engine, [row], ImportRules(), lambda counts: change, lambda line, why: None).stored
    history = world.accounts.history(ANNA)
    assert [(one.kind, one.step, one.operator) for one in history] == [
        ("register", "imported", ETT.number),
        ("deregister", "completed", ETT.number),
        ("register", "completed", TVA.number),
        ("deregister", "completed", TVA.number),
        ("register", "imported", ETT.number),
    ]
    assert history[0].importer == Importer("Anna Ek", "aek", "f" * 64, 1)
    assert [bool(one.importer) for one in history] == [True, False, False, False, True]
