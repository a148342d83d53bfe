"""What is kept for a limited time goes when that time is over, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from mm_soap.dispatcher import State, forget_documents, forget_evidence_of_ended, store
from mm_soap.dispatcher.documents import Kept, documents_of, sealed_parts
from mm_soap.dispatcher.model import NewDelivery, Outcome
from mm_soap.housekeeping import Housekeeping
from mm_soap.storage import (
    Event,
    Evidence,
    evidence_of,
    forget_evidence,
    migrate,
    reading,
    record_event,
    record_evidence,
    writing,
)
from mm_soap.testing.clock import FrozenClock

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def database(engine: Engine) -> Engine:
    migrate(engine, "dispatcher")
    return engine


def test_evidence_goes_when_its_time_is_over(database: Engine, clock: FrozenClock) -> None:
    with writing(database) as connection:
        for number in range(1200):
            until = clock() + (DAY if number % 2 else 3 * DAY)
            record_evidence(connection, Evidence(clock(), "in", f"c{number % 2}", None, "accepted", None, b"x", until))
    housekeeping = Housekeeping(database, clock, forget_evidence)
    assert housekeeping.once() == 0
    clock.advance(2 * DAY)
    assert housekeeping.once() == 600
    with reading(database) as connection:
        assert (len(evidence_of(connection, "c0")), len(evidence_of(connection, "c1"))) == (600, 0)


@pytest.mark.parametrize(("state", "kept"), [(State.DELIVERED, False), (State.FAILED, False), (State.SEALED, True)])
def test_documents_go_after_the_delivery_ended(database: Engine, clock: FrozenClock, state: State, kept: bool) -> None:
    new = NewDelivery("d-1", "162021004748", "192705178354", ("m-1",), "digest", b"document", clock())
    again = clock() if state is State.SEALED else None
    with writing(database) as connection:
        store.add_delivery(connection, new)
        store.write_outcomes(connection, [Outcome(1, "d-1", new.sender, State.SEALED, "", 0, clock(), seal=b"seal")])
        store.write_outcomes(connection, [Outcome(1, "d-1", new.sender, state, "", 1, again)])
    clock.advance(2 * DAY)
    housekeeping = Housekeeping(database, clock, lambda connection, now: forget_documents(connection, now - DAY))
    assert housekeeping.once() == (0 if kept else 1)
    with reading(database) as connection:
        assert documents_of(connection, [1]) == ({1: b"document"} if kept else {})
        assert sealed_parts(connection, [1]) == ({1: (b"document", b"seal")} if kept else {})
        assert store.state_of(connection, new.sender, "d-1") == (new.recipient, state, "")


@pytest.mark.parametrize(("state", "kept"), [(State.DELIVERED, False), (State.FAILED, False), (State.SEALED, True)])
def test_evidence_stays_while_a_delivery_needs_its_bytes(
    database: Engine, clock: FrozenClock, state: State, kept: bool
) -> None:
    request = b"<distributeSecure><signedDelivery>" + b"word " * 100 + b"</signedDelivery></distributeSecure>"
    document = b"<SignedDelivery>" + b"word " * 100 + b"</SignedDelivery>"
    evidence = Evidence(clock(), "in", "c-1", "distributeSecure", "accepted", None, request, clock() + DAY)
    new = NewDelivery("d-1", "162021004748", "192705178354", ("m-1",), "digest", document, clock())
    with writing(database) as connection:
        (key,) = record_evidence(connection, evidence, replace(evidence, call_id="c-2"))[:1]
        store.add_delivery(connection, new, Kept(key, request))
        record_event(connection, Event(clock(), "accepted", "accepted", "d-1", "m-1", call_id="c-1"))
        again = clock() if state is State.SEALED else None
        store.write_outcomes(connection, [Outcome(1, "d-1", new.sender, state, "", 1, again)])
    clock.advance(2 * DAY)
    housekeeping = Housekeeping(database, clock, forget_evidence_of_ended)
    assert housekeeping.once() == (1 if kept else 2)
    with reading(database) as connection:
        assert [one.content for one in evidence_of(connection, "c-1")] == ([request] if kept else [])
        if kept:
            assert documents_of(connection, [1]) == {1: document}
