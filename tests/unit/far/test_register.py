"""The use cases of the register."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from mm_soap.errors import Refusal, Refused
from mm_soap.far import Account, AccountStatus, AccountType, Dispatcher, Operator, Reachability, Register, Sender
from mm_soap.storage import migrate
from mm_soap.testing import FrozenClock

KOMMUN_A, KOMMUN_B, STRANGER = "162021004748", "162021003898", "165560360793"
REACHABLE, PENDING, COMPANY, UNKNOWN = "192705178354", "191212121220", "165560000001", "191212121212"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPERATOR = Operator("165560000019", "Brevlådan", "http://o/Service/v3", "http://i/Service/v3", "http://o/ui")
OTHER = Operator("165560000027", "Postlådan", "http://p/Service/v3", "http://p/Service/v3")

# The schema's digits are those of all scripts.
FULL_WIDTH = "".join(chr(ord(digit) + 0xFEE0) for digit in REACHABLE)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def register(engine: Engine, clock: FrozenClock) -> Register:
    migrate(engine, "far")
    made = Register(engine, clock)
    made.add_operator(OPERATOR)
    made.add_operator(OTHER)
    made.add_sender(Sender(KOMMUN_A, "Kommun A"))
    made.add_sender(Sender(KOMMUN_B, "Kommun B", "Växeln"))
    made.add_account(Account(REACHABLE, OPERATOR.number, last_registration=NOW))
    made.add_account(Account(PENDING, OTHER.number, pending=True))
    made.add_account(Account(COMPANY, OTHER.number, AccountType.ANONYMOUS))
    return made


ACTIVE = AccountStatus(REACHABLE, "Secure", False, OPERATOR, NOW)
NOT_THERE = AccountStatus(UNKNOWN, "Not", False, None, None)


def test_registered_accounts_and_others(register: Register) -> None:
    assert register.is_registered([UNKNOWN, REACHABLE, PENDING, COMPANY]) == [
        NOT_THERE,
        ACTIVE,
        AccountStatus(PENDING, "Secure", True, OTHER, None),
        AccountStatus(COMPANY, "Anonymous", False, OTHER, None),
    ]


def test_reachable_for_a_connected_sender(register: Register) -> None:
    assert register.is_reachable(KOMMUN_A, [REACHABLE, UNKNOWN]) == [
        Reachability(ACTIVE, True, None),
        Reachability(NOT_THERE, False, None),
    ]


def test_a_pending_account_says_so(register: Register) -> None:
    (answer,) = register.is_reachable(KOMMUN_A, [PENDING])
    assert answer.status.pending


def test_a_sender_that_is_not_connected_is_accepted_by_nobody(register: Register) -> None:
    assert register.is_reachable(STRANGER, [REACHABLE]) == [Reachability(ACTIVE, False, None)]


def test_a_deselected_sender_alone_is_not_accepted(register: Register) -> None:
    register.deselect(REACHABLE, KOMMUN_A)
    assert register.is_reachable(KOMMUN_A, [REACHABLE]) == [Reachability(ACTIVE, False, NOW)]
    assert register.is_reachable(KOMMUN_B, [REACHABLE]) == [Reachability(ACTIVE, True, None)]


def test_a_sender_that_joins_later_is_accepted(register: Register) -> None:
    register.deselect(REACHABLE, KOMMUN_A)
    register.add_sender(Sender(STRANGER, "Ny"))
    assert register.is_reachable(STRANGER, [REACHABLE]) == [Reachability(ACTIVE, True, None)]


def test_the_time_of_the_last_change_stays_until_something_changes(register: Register, clock: FrozenClock) -> None:
    register.select(REACHABLE, KOMMUN_A)
    assert register.is_reachable(KOMMUN_A, [REACHABLE])[0].last_sender_accept_change is None
    register.deselect(REACHABLE, KOMMUN_A)
    clock.advance(timedelta(days=1))
    register.deselect(REACHABLE, KOMMUN_A)
    assert register.is_reachable(KOMMUN_A, [REACHABLE])[0].last_sender_accept_change == NOW
    register.select(REACHABLE, KOMMUN_A)
    assert register.is_reachable(KOMMUN_A, [REACHABLE]) == [Reachability(ACTIVE, True, NOW + timedelta(days=1))]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([REACHABLE, PENDING, COMPANY, UNKNOWN, "200001012384"]), max_size=30))
def test_each_id_is_answered_in_its_place(register: Register, ids: list[str]) -> None:
    alone = {one: register.is_reachable(KOMMUN_A, [one])[0] for one in set(ids)}
    assert register.is_reachable(KOMMUN_A, ids) == [alone[one] for one in ids]
    assert register.is_registered(ids) == [alone[one].status for one in ids]


@pytest.mark.parametrize("ids", [[FULL_WIDTH], ["\u00b2" * 12], ["0192705178354"], [""], ["19270517835x"]])
def test_an_id_that_nobody_can_have_is_unknown(register: Register, ids: list[str]) -> None:
    assert register.is_registered(ids) == [AccountStatus(ids[0], "Not", False, None, None)]


def test_a_thousand_ids_and_no_more(register: Register) -> None:
    thousand = [str(190001010000 + number) for number in range(999)] + [REACHABLE]
    assert register.is_registered(thousand)[-1] == ACTIVE
    assert register.is_reachable(KOMMUN_A, thousand)[-1].sender_accepted
    for ask in (register.is_registered, lambda ids: register.is_reachable(KOMMUN_A, ids)):
        with pytest.raises(Refused) as caught:
            ask([*thousand, REACHABLE])
        assert caught.value.refusal is Refusal.TOO_MANY


def test_senders_and_dispatchers(register: Register) -> None:
    register.add_dispatcher(Dispatcher(STRANGER, "Förmedlaren", (KOMMUN_B, KOMMUN_A)))
    register.add_dispatcher(Dispatcher(KOMMUN_A, "Kommun A", (KOMMUN_A,)))
    assert register.get_senders() == [Sender(KOMMUN_B, "Kommun B", "Växeln"), Sender(KOMMUN_A, "Kommun A")]
    assert register.get_dispatchers() == [
        Dispatcher(KOMMUN_A, "Kommun A", (KOMMUN_A,)),
        Dispatcher(STRANGER, "Förmedlaren", (KOMMUN_B, KOMMUN_A)),
    ]
    assert register.is_sender_accepted(KOMMUN_A)
    assert not register.is_sender_accepted(STRANGER)


def test_adding_again_changes_and_never_doubles(register: Register) -> None:
    for name, senders in (("Förr", (KOMMUN_A, KOMMUN_B)), ("Nu", (KOMMUN_B,))):
        register.add_dispatcher(Dispatcher(STRANGER, name, senders))
    register.add_sender(Sender(KOMMUN_A, "Kommun A, nytt namn"))
    register.add_operator(OPERATOR)
    register.add_account(Account(REACHABLE, OTHER.number))
    assert register.get_dispatchers() == [Dispatcher(STRANGER, "Nu", (KOMMUN_B,))]
    assert Sender(KOMMUN_A, "Kommun A, nytt namn") in register.get_senders()
    assert register.is_registered([REACHABLE]) == [AccountStatus(REACHABLE, "Secure", False, OTHER, None)]


def test_what_names_something_unknown_is_refused_and_nothing_stored(register: Register) -> None:
    new = "200001012384"
    attempts = [
        (lambda: register.add_dispatcher(Dispatcher(STRANGER, "F", (KOMMUN_A, STRANGER))), Refusal.NOT_FOUND),
        (lambda: register.add_accounts([Account(new, OTHER.number), Account(UNKNOWN, STRANGER)]), Refusal.NOT_FOUND),
        (lambda: register.add_account(Account("12", OTHER.number)), Refusal.BAD_IDENTIFIER),
        (lambda: register.deselect(UNKNOWN, KOMMUN_A), Refusal.NOT_FOUND),
        (lambda: register.deselect(REACHABLE, STRANGER), Refusal.NOT_FOUND),
        (lambda: register.add_operator(Operator(STRANGER, OTHER.name, "http://x", "http://x")), Refusal.OBJECT_EXISTS),
    ]
    for attempt, refusal in attempts:
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.refusal is refusal
    assert register.get_dispatchers() == []
    assert register.is_registered([new])[0].account_type == "Not"
