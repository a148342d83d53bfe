"""What is kept for a limited time goes when that time is over, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from mm_soap.dispatcher import State, forget_documents, store
from mm_soap.dispatcher.model import NewDelivery, Outcome
from mm_soap.housekeeping import Housekeeping
from mm_soap.storage import (
    Evidence,
    evidence_of,
    forget_evidence,
    migrate,
    reading,
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
        assert store.documents_of(connection, [1]) == ({1: b"document"} if kept else {})
        assert store.sealed_parts(connection, [1]) == ({1: (b"document", b"seal")} if kept else {})
        assert store.state_of(connection, new.sender, "d-1") == (new.recipient, state, "")
