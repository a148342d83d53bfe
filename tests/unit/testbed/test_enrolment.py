"""Whoever gets a certificate becomes a sender; nobody gets one for another's number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.far import Dispatcher, Operator, Register, Sender
from mm_soap.far.administration import Administration, Who
from mm_soap.storage import migrate
from mm_soap.testbed.authority import RequestRefused, TestbedAuthority
from mm_soap.testbed.enrolment import WHO, Enrolment
from mm_soap.testbed.requesting import new_request
from mm_soap.testing.certificates import kept_key
from mm_soap.testing.clock import FrozenClock
from mm_soap.testing.databases import fresh_database

NUMBER, OTHER = "165599999942", "165599999959"
DISPATCHER, OPERATOR, SENDER = "165599999900", "165599999918", "162021004748"
KEY = kept_key("testbed requester")


@pytest.fixture
def register(engine: Engine) -> Engine:
    migrate(engine, "far")
    made = Register(engine)
    made.add_sender(Sender(SENDER, "Kommun A"))
    made.add_dispatcher(Dispatcher(DISPATCHER, "Förmedlare Demo", (SENDER,)))
    made.add_operator(Operator(OPERATOR, "Brevlåda Ett", "http://127.0.0.1/a", "http://127.0.0.1/a"))
    return engine


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def enrolment(
    register: Engine, clock: FrozenClock, tmp_path: Path, postgresql_or_none: str | None
) -> Iterator[Enrolment]:
    authority = TestbedAuthority.load(tmp_path / "ca.pem", tmp_path / "ca.key", timedelta(days=30), clock)
    with fresh_database(tmp_path, postgresql_or_none) as database:
        migrate(database, "testbed")
        yield Enrolment(authority, register, database, DISPATCHER, 3, clock)


def test_the_number_becomes_a_sender_that_the_dispatcher_serves(enrolment: Enrolment) -> None:
    got = enrolment.enrol(new_request(NUMBER, "Kommun X", KEY))
    assert (got.organisation, got.name) == (NUMBER, "Kommun X")
    assert got.chain.count(b"BEGIN CERTIFICATE") == 2
    register = Register(enrolment.register)
    assert Sender(NUMBER, "Kommun X") in register.get_senders()
    assert [one.senders for one in register.get_dispatchers()] == [(SENDER, NUMBER)]
    changes = Administration(enrolment.register, Who("x")).changes(NUMBER)
    assert {change.who for change in changes} == {WHO}


def test_the_same_organisation_may_ask_again_with_another_key_and_name(enrolment: Enrolment) -> None:
    enrolment.enrol(new_request(NUMBER, "Kommun X", KEY))
    enrolment.enrol(new_request(NUMBER, "Kommun Xy", kept_key("another requester")))
    register = Register(enrolment.register)
    assert Sender(NUMBER, "Kommun Xy") in register.get_senders()
    assert [one.senders for one in register.get_dispatchers()] == [(SENDER, NUMBER)]


@pytest.mark.parametrize("taken", [DISPATCHER, OPERATOR, SENDER])
def test_nobody_gets_a_certificate_for_a_party_of_the_test_bed(enrolment: Enrolment, taken: str) -> None:
    with pytest.raises(RequestRefused, match="own parties"):
        enrolment.enrol(new_request(taken, "Somebody", KEY))


def test_nobody_gets_a_certificate_for_a_sender_that_somebody_administers(enrolment: Enrolment) -> None:
    Administration(enrolment.register, Who("admin")).add(Sender(OTHER, "Kommun O"))
    with pytest.raises(RequestRefused, match="own parties"):
        enrolment.enrol(new_request(OTHER, "Kommun O", KEY))
    enrolment.enrol(new_request(NUMBER, "Kommun X", KEY))
    Administration(enrolment.register, Who("admin")).close(Sender, NUMBER)
    with pytest.raises(RequestRefused, match="own parties"):
        enrolment.enrol(new_request(NUMBER, "Kommun X", KEY))


def test_only_so_many_in_an_hour(enrolment: Enrolment, clock: FrozenClock) -> None:
    for _ in range(3):
        enrolment.enrol(new_request(NUMBER, "Kommun X", KEY))
    with pytest.raises(RequestRefused, match="last hour"):
        enrolment.enrol(new_request(OTHER, "Kommun O", KEY))
    assert not Register(enrolment.register).is_sender_accepted(OTHER)
    clock.advance(timedelta(hours=1, seconds=1))
    enrolment.enrol(new_request(OTHER, "Kommun O", KEY))
