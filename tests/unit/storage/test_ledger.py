"""Events and evidence: written together, found by any id, forgotten in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine

from mm_soap.storage import (
    Event,
    Evidence,
    events_of,
    evidence_of,
    first_event_of,
    forget_evidence,
    migrate,
    reading,
    record_event,
    record_evidence,
    record_refusal,
    writing,
)

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
EVENT = Event(NOW, "delivery", "stored", "d-1", "m-1", "t-1", "c-1", "162021004748", {"bytes": 7})
EVIDENCE = Evidence(NOW, "in", "c-1", "deliverSecure", "accepted", "162021004748", b"\x00<x/>", NOW + timedelta(days=1))


@pytest.fixture
def ledger(engine: Engine) -> Engine:
    migrate(engine, "far")
    return engine


@pytest.mark.parametrize(
    "ids", [{"distribution_id": "d-1"}, {"message_id": "m-1"}, {"trans_id": "t-1"}, {"call_id": "c-1"}]
)
def test_events_are_found_by_each_id_oldest_first(ledger: Engine, ids: dict[str, str]) -> None:
    later = replace(EVENT, at=NOW + timedelta(seconds=1), outcome="answered", detail={})
    other = Event(NOW, "delivery", "stored", "d-2", "m-2", "t-2", "c-2")
    with writing(ledger) as connection:
        record_event(connection, later, EVENT, other)
    with reading(ledger) as connection:
        assert events_of(connection, **ids) == [EVENT, later]


def test_the_first_of_a_kind_is_the_one_that_was_written_first(ledger: Engine) -> None:
    again = replace(EVENT, at=NOW - timedelta(days=1), outcome="again")  # a clock that was set back
    before = replace(EVENT, kind="look-up")
    with writing(ledger) as connection:
        record_event(connection, before, EVENT, again, replace(EVENT, distribution_id="d-2", trans_id="t" * 300))
    with reading(ledger) as connection:
        assert first_event_of(connection, EVENT.kind, distribution_id=EVENT.distribution_id) == EVENT
        assert first_event_of(connection, EVENT.kind, trans_id=EVENT.trans_id) == EVENT
        found = first_event_of(connection, EVENT.kind, trans_id="t" * 300)
        assert found is not None
        assert found.distribution_id == "d-2"
        assert first_event_of(connection, "none such", trans_id=EVENT.trans_id) is None


def test_an_id_of_any_length_is_kept_and_found(ledger: Engine) -> None:
    long = "x" * 5000
    with writing(ledger) as connection:
        record_event(connection, replace(EVENT, message_id=long), replace(EVENT, message_id="m-2", trans_id=long))
    with reading(ledger) as connection:
        assert [event.trans_id for event in events_of(connection, message_id=long)] == ["t-1"]
        assert [event.message_id for event in events_of(connection, trans_id=long)] == ["m-2"]


def test_no_id_finds_nothing(ledger: Engine) -> None:
    with writing(ledger) as connection:
        record_event(connection, Event(NOW, "start", "done"))
    with reading(ledger) as connection:
        assert events_of(connection) == []


def test_a_moment_keeps_its_place_in_time(ledger: Engine) -> None:
    stockholm = timezone(timedelta(hours=2))
    with writing(ledger) as connection:
        record_event(connection, replace(EVENT, at=NOW.astimezone(stockholm)))
    with reading(ledger) as connection:
        (event,) = events_of(connection, call_id="c-1")
    assert event.at == NOW
    assert event.at.utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused(ledger: Engine) -> None:
    with pytest.raises(ValueError, match="time zone"), writing(ledger) as connection:
        record_event(connection, replace(EVENT, at=NOW.replace(tzinfo=None)))


def test_evidence_keeps_the_exact_bytes(ledger: Engine) -> None:
    with writing(ledger) as connection:
        record_evidence(connection, EVIDENCE, replace(EVIDENCE, direction="out", content=b"answer"))
    with reading(ledger) as connection:
        found: Sequence[Evidence] = evidence_of(connection, "c-1")
    assert found == [EVIDENCE, replace(EVIDENCE, direction="out", content=b"answer")]


def test_evidence_is_forgotten_when_its_time_is_over(ledger: Engine) -> None:
    with writing(ledger) as connection:
        record_evidence(connection, EVIDENCE, replace(EVIDENCE, keep_until=NOW + timedelta(days=9)))
        assert forget_evidence(connection, NOW + timedelta(days=2)) == 1
    with reading(ledger) as connection:
        assert [one.keep_until for one in evidence_of(connection, "c-1")] == [NOW + timedelta(days=9)]


def test_a_refusal_leaves_an_event_and_the_bytes(ledger: Engine) -> None:
    with writing(ledger) as connection:
        record_refusal(
            connection,
            at=NOW,
            call_id="c-9",
            operation="deliverSecure",
            organisation=None,
            address="127.0.0.1",
            raw=b"sent",
            verdict="BAD_CHECKSUM",
            code=5001,
            where="Message/Attachment/Checksum",
            retention=timedelta(days=30),
        )
    with reading(ledger) as connection:
        (event,) = events_of(connection, call_id="c-9")
        (evidence,) = evidence_of(connection, "c-9")
    assert (event.kind, event.outcome) == ("refusal", "BAD_CHECKSUM")
    assert event.detail["code"] == 5001
    assert event.detail["where"] == "Message/Attachment/Checksum"
    assert (evidence.content, evidence.verdict) == (b"sent", "BAD_CHECKSUM")
    assert evidence.keep_until == NOW + timedelta(days=30)
