"""The ledger of a party: what happened. The bytes of what came are in `mm_soap.storage.evidence`.

Events hold no personal numbers and no content. They are written in the transaction of the use case that they tell of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, MetaData, String, Table, bindparam, delete, select

from mm_soap.storage.columns import NAMING, UtcDateTime, big_key
from mm_soap.storage.evidence import RETENTION, Evidence, add_evidence, record_evidence
from mm_soap.storage.rows import PreparedInsert, Together

_FORGOTTEN_TOGETHER: Final = 500
"""Events deleted in one transaction, so that others do not wait long."""

# A sender, and an operator, may make its ids as long as it likes; an index cannot. What is longer is cut, here and when
# it is asked for.
_ID_LENGTH: Final = 255
_TRANS_ID_LENGTH: Final = 50

_own = MetaData(naming_convention=NAMING)

_event = Table(
    "event",
    _own,
    Column("id", big_key(), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("outcome", String(60), nullable=False),
    Column("distribution_id", String(50), index=True),
    Column("message_id", String(_ID_LENGTH), index=True),
    Column("trans_id", String(_TRANS_ID_LENGTH), index=True),
    Column("call_id", String(50), index=True),
    Column("sender", String(12)),
    Column("detail", JSON(none_as_null=True)),
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Args:
        at: when, with a time zone.
        kind: what was done, at most 40 characters.
        outcome: how it ended, at most 60 characters.
        distribution_id: the dispatcher's id of the distribution.
        message_id: the sender's MessageHeader.Id.
        trans_id: the mailbox operator's id of the delivery.
        call_id: the id of the call in which it happened.
        sender: the organisation number of the sender.
        detail: more to know, as JSON. No personal numbers, no content.
    """

    at: datetime
    kind: str
    outcome: str
    distribution_id: str | None = None
    message_id: str | None = None
    trans_id: str | None = None
    call_id: str | None = None
    sender: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


_insert_event = PreparedInsert(_event, left_out=["id"])
_events = select(*(column for column in _event.columns if column.name != "id")).order_by(_event.c.at, _event.c.id)
_events_of = {
    name: _events.where(_event.c[name] == bindparam("wanted"))
    for name in ("distribution_id", "message_id", "trans_id", "call_id")
}
_first_of = {
    name: _events.where(_event.c[name] == bindparam("wanted"), _event.c.kind == bindparam("wanted_kind"))
    .order_by(None)
    .order_by(_event.c.id)
    .limit(1)
    for name in ("distribution_id", "trans_id")
}
_forget_events = delete(_event).where(
    _event.c.id.in_(select(_event.c.id).where(_event.c.at < bindparam("before")).limit(_FORGOTTEN_TOGETHER))
)


def add_ledger(metadata: MetaData) -> None:
    """Add the tables of events and of evidence to a party's metadata."""
    _event.to_metadata(metadata)
    add_evidence(metadata)


def record_event(connection: Connection | Together, *events: Event) -> None:
    """Write events, in one statement."""
    if events:
        _insert_event.execute(
            connection,
            [
                {
                    "at": one.at,
                    "kind": one.kind,
                    "outcome": one.outcome,
                    "distribution_id": one.distribution_id,
                    "message_id": one.message_id[:_ID_LENGTH] if one.message_id else None,
                    "trans_id": one.trans_id[:_TRANS_ID_LENGTH] if one.trans_id else None,
                    "call_id": one.call_id,
                    "sender": one.sender,
                    "detail": one.detail or None,
                }
                for one in events
            ],
        )


def caller_identity(organisation: str | None) -> str:
    """Return what events say of how a caller is known: by its ``certificate``, or ``unknown`` without one."""
    return "certificate" if organisation else "unknown"


def record_refusal(
    connection: Connection,
    *,
    at: datetime,
    call_id: str,
    operation: str | None,
    organisation: str | None,
    address: str | None,
    raw: bytes,
    verdict: str,
    code: int | str,
    where: str | None,
    retention: timedelta = RETENTION,
    taken_in: datetime | None = None,
) -> None:
    """Write the event and the evidence of a request that was refused.

    Args:
        connection: of the party's database, in a transaction that writes.
        at: when.
        call_id: the call.
        operation: what was asked, where it is known.
        organisation: of the caller's certificate; None where it has none: the event says that nobody knows who called.
        address: where the call came from.
        raw: the request.
        verdict: the name of the reason.
        code: its ErrorCode, or ``http`` and a status.
        where: in the request, in the contract's names.
        retention: how long the evidence is kept.
        taken_in: when it got here, where it had to wait for the database; the event says so.
    """
    caller = organisation or address
    detail = {
        "code": code,
        "where": where,
        "operation": operation,
        "caller": caller,
        "caller_identity": caller_identity(organisation),
    }
    if taken_in is not None:
        detail["taken_in"] = taken_in.isoformat(timespec="seconds")
    record_event(connection, Event(at, "refusal", verdict, call_id=call_id, detail=detail))
    record_evidence(connection, Evidence(at, "in", call_id, operation, verdict, caller, raw, keep_until=at + retention))


def events_of(
    connection: Connection,
    *,
    distribution_id: str | None = None,
    message_id: str | None = None,
    trans_id: str | None = None,
    call_id: str | None = None,
) -> Sequence[Event]:
    """Return the events of one distribution, message, delivery or call, oldest first. Give one of the ids."""
    ids = {
        "distribution_id": distribution_id,
        "message_id": message_id[:_ID_LENGTH] if message_id else None,
        "trans_id": trans_id[:_TRANS_ID_LENGTH] if trans_id else None,
        "call_id": call_id,
    }
    name, wanted = next(((name, value) for name, value in ids.items() if value is not None), ("call_id", None))
    rows = connection.execute(_events_of[name], {"wanted": wanted}).mappings()
    return [Event(**{**row, "detail": row["detail"] or {}}) for row in rows]


def first_event_of(
    connection: Connection, kind: str, *, distribution_id: str | None = None, trans_id: str | None = None
) -> Event | None:
    """Return the first event of a kind of one distribution or delivery; None without any. Give one of the ids.

    What comes again and again leaves an event each time, so all of them are more than a call may read.
    """
    name, wanted = ("trans_id", trans_id[:_TRANS_ID_LENGTH]) if trans_id else ("distribution_id", distribution_id)
    row = connection.execute(_first_of[name], {"wanted": wanted, "wanted_kind": kind}).mappings().first()
    return None if row is None else Event(**{**row, "detail": row["detail"] or {}})


def forget_events(connection: Connection, before: datetime) -> int:
    """Delete some of the events from before a time, and return how many; 0 when none is left.

    For a test bed: elsewhere events stay.
    """
    return connection.execute(_forget_events, {"before": before}).rowcount
