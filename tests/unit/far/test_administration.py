"""Adding, changing and closing senders, dispatchers and operators, and what the audit keeps of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from mm_soap.errors import Refusal, Refused
from mm_soap.far import Account, Dispatcher, Operator, Register, Sender
from mm_soap.far.administration import Administration, NotChanged, Who
from mm_soap.far.parties import Entry
from mm_soap.storage import migrate
from mm_soap.testing import FrozenClock, TestPki

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KOMMUN_A, KOMMUN_B = Sender("162021004748", "Kommun A", "Växeln"), Sender("162021003898", "Kommun B")
DISPATCHER = Dispatcher("165599999900", "Förmedlare", (KOMMUN_B.number, KOMMUN_A.number))
OPERATOR = Operator("165599999918", "Brevlådan", "https://o.example/Service/v3", "https://o.example/Service/v3")
RECIPIENT = "192705178354"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def register(engine: Engine, clock: FrozenClock) -> Register:
    migrate(engine, "far")
    return Register(engine, clock)


@pytest.fixture
def admin(engine: Engine, register: Register, clock: FrozenClock) -> Administration:
    return Administration(engine, Who("anna", "Anna Ek"), clock=clock)


@pytest.fixture
def filled(admin: Administration) -> Administration:
    for party in (KOMMUN_A, KOMMUN_B):
        admin.add(party)
    admin.add(DISPATCHER)
    admin.add(OPERATOR)
    return admin


def test_what_is_added_is_connected(filled: Administration, register: Register) -> None:
    assert register.get_senders() == [KOMMUN_B, KOMMUN_A]
    assert register.get_dispatchers() == [DISPATCHER]
    assert filled.entries(Operator) == [Entry(OPERATOR)]


def test_a_change_leaves_the_rest(filled: Administration, register: Register) -> None:
    filled.change(Sender, KOMMUN_A.number, lambda _: {"name": "Kommun Å"})
    filled.change(Dispatcher, DISPATCHER.number, lambda before: {"senders": before.senders[:1]})
    assert Sender(KOMMUN_A.number, "Kommun Å", "Växeln") in register.get_senders()
    assert register.get_dispatchers() == [Dispatcher(DISPATCHER.number, DISPATCHER.name, (KOMMUN_B.number,))]


def test_a_closed_sender_is_connected_no_more(filled: Administration, register: Register) -> None:
    register.add_operator(OPERATOR)
    register.add_account(Account(RECIPIENT, OPERATOR.number))
    register.deselect(RECIPIENT, KOMMUN_B.number)
    filled.close(Sender, KOMMUN_A.number)
    filled.close(Sender, KOMMUN_B.number)
    assert register.get_senders() == []
    assert not register.is_sender_accepted(KOMMUN_A.number)
    assert not register.is_reachable(KOMMUN_A.number, [RECIPIENT])[0].sender_accepted
    assert register.get_dispatchers() == [Dispatcher(DISPATCHER.number, DISPATCHER.name)]
    assert filled.entries(Sender) == []
    assert filled.entries(Sender, closed=True) == [Entry(KOMMUN_B, None, NOW), Entry(KOMMUN_A, None, NOW)]
    # What recipients chose is kept for the day when it comes back.
    filled.add(KOMMUN_B)
    assert not register.is_reachable(KOMMUN_B.number, [RECIPIENT])[0].sender_accepted


def test_a_closed_dispatcher_signs_for_nobody(filled: Administration, register: Register) -> None:
    filled.close(Dispatcher, DISPATCHER.number)
    assert register.get_dispatchers() == []
    filled.add(Dispatcher(DISPATCHER.number, "Igen"))
    assert register.get_dispatchers() == [Dispatcher(DISPATCHER.number, "Igen")]


def test_an_operator_is_closed_when_it_has_no_accounts(filled: Administration, register: Register) -> None:
    register.add_account(Account(RECIPIENT, OPERATOR.number))
    with pytest.raises(NotChanged, match="has 1 accounts"):
        filled.close(Operator, OPERATOR.number)
    other = Operator("165599999926", "Den andra", "https://p.example/", "https://p.example/")
    filled.add(other)
    register.add_account(Account(RECIPIENT, other.number))
    filled.close(Operator, OPERATOR.number)
    assert filled.entries(Operator) == [Entry(other)]
    assert register.is_registered([RECIPIENT])[0].operator == other


def test_who_writes_a_party_anew_does_not_open_it(filled: Administration, register: Register) -> None:
    """A demonstration writes the addresses of its operators at each start."""
    filled.close(Operator, OPERATOR.number)
    register.add_operator(OPERATOR)
    assert filled.entries(Operator) == []


def test_certificates(admin: Administration, clock: FrozenClock) -> None:
    pki = TestPki(clock)
    own = pki.organisation(KOMMUN_A.number, KOMMUN_A.name).certificate
    foreign = pki.organisation(KOMMUN_B.number, KOMMUN_B.name).certificate
    with pytest.raises(NotChanged, match="another organisation"):
        admin.add(KOMMUN_A, foreign)
    assert admin.entries(Sender) == []
    added = admin.add(KOMMUN_A, own)
    assert added.certificate is not None
    assert len(bytes.fromhex(added.certificate)) == 32
    with pytest.raises(NotChanged, match="another organisation"):
        admin.change(Sender, KOMMUN_A.number, lambda _: {}, foreign)
    assert admin.change(Sender, KOMMUN_A.number, lambda _: {"name": "Nu"}).certificate == added.certificate
    clock.advance(timedelta(days=36_500))
    with pytest.raises(NotChanged, match="expired"):
        admin.change(Sender, KOMMUN_A.number, lambda _: {}, own)
    assert admin.entries(Sender)[0].certificate == added.certificate


def test_a_certificate_of_nobody(admin: Administration, clock: FrozenClock) -> None:
    nobody = TestPki(clock).organisation(None, "Ingen").certificate
    with pytest.raises(Refused) as caught:
        admin.add(KOMMUN_A, nobody)
    assert caught.value.refusal is Refusal.CERTIFICATE_NO_ORGANISATION


WRONG: list[tuple[Callable[[Administration], Any], str]] = [
    (lambda a: a.add(KOMMUN_A), "connected already"),
    (lambda a: a.add(Sender("191212121212", "En person")), "begin with 16"),
    (lambda a: a.add(Sender("162021004749", "Fel siffra")), "check digit"),
    (lambda a: a.add(Sender("165599999942", "X")), "2 to 256"),
    (lambda a: a.add(Sender("165599999942", "X\ny")), "control"),
    (lambda a: a.add(Sender("165599999942", "Namn", "")), "attention"),
    (lambda a: a.add(Dispatcher("165599999942", "Namn", ("165599999942",))), "not a connected sender"),
    (lambda a: a.change(Dispatcher, DISPATCHER.number, lambda _: {"senders": ("1",)}), "not a connected sender"),
    (lambda a: a.add(Operator("165599999942", "Brevlådan", "https://x/", "https://x/")), "has that name"),
    (lambda a: a.add(Operator("165599999942", "Ny", "javascript:x", "https://x/")), "service address"),
    (lambda a: a.add(Operator("165599999942", "Ny", "https://x/", "https://x/", "https://x y")), "web pages"),
    (lambda a: a.change(Sender, "165599999942", lambda _: {}), "There is no sender"),
    (lambda a: a.close(Sender, DISPATCHER.number), "There is no sender"),
    (lambda a: (a.close(Dispatcher, DISPATCHER.number), a.close(Dispatcher, DISPATCHER.number)), "is closed"),
]


@pytest.mark.parametrize(("attempt", "why"), WRONG)
def test_what_is_wrong_is_not_stored(filled: Administration, attempt: Callable[[Any], Any], why: str) -> None:
    before = filled.entries(Sender), filled.entries(Operator)
    with pytest.raises(NotChanged, match=why):
        attempt(filled)
    assert (filled.entries(Sender), filled.entries(Operator)) == before
    assert [change.what for change in filled.changes()][-4:] == [
        "operator added",
        "dispatcher added",
        "sender added",
        "sender added",
    ]


def test_check_digits_are_a_setting(engine: Engine, register: Register) -> None:
    lenient = Administration(engine, Who("anna"), check_digits=False)
    lenient.add(Sender("162021004749", "Fel siffra"))
    assert len(register.get_senders()) == 1


def test_each_change_tells_who_and_what(filled: Administration, clock: FrozenClock) -> None:
    clock.advance(timedelta(hours=1))
    filled.change(Sender, KOMMUN_A.number, lambda _: {"name": "Kommun Å"})
    filled.change(Sender, KOMMUN_A.number, lambda _: {"name": "Kommun Å"})
    filled.close(Sender, KOMMUN_A.number)
    closed, unlisted, changed = filled.changes(most=3)
    for change in (closed, unlisted, changed):
        assert (change.at, change.who, change.login) == (NOW + timedelta(hours=1), "Anna Ek", "anna")
    assert (closed.what, unlisted.what, changed.what) == ("sender closed", "dispatcher changed", "sender changed")
    assert changed.before is not None
    assert changed.after is not None
    assert (changed.before["name"], changed.after["name"]) == ("Kommun A", "Kommun Å")
    assert unlisted.party == DISPATCHER.number
    assert unlisted.before is not None
    assert unlisted.after is not None
    assert set(unlisted.before["senders"]) - set(unlisted.after["senders"]) == {KOMMUN_A.number}
    assert closed.after is not None
    assert closed.after["closed"] == (NOW + timedelta(hours=1)).isoformat()
    assert [change.what for change in filled.changes(KOMMUN_A.number)] == [
        "sender closed",
        "sender changed",
        "sender added",
    ]
