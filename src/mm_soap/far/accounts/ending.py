"""How requests end without being completed, and the events that tell of every change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from mm_soap.far import store as register_store
from mm_soap.far.accounts import store
from mm_soap.far.accounts.model import HistoryEntry, Kind, Origin, Pending, Step, sentence_of
from mm_soap.storage import Event, Evidence, caller_identity, record_event, record_evidence

Closing = Callable[[Connection, str, datetime], None]
"""Called with the recipient and the time when an account ends, in the transaction that ends it: for whatever else must
end with it and stands over the accounts, such as consents."""


def end(connection: Connection, one: Pending, step: Step, origin: Origin, now: datetime) -> None:
    """Write that a request waits no more, in the history too. An account without a request has nothing to end."""
    if one.id is None:
        return
    name = register_store.all_operators(connection)[one.operator].name
    sentence = sentence_of(one.kind, one.recipient, name, one.account_type, one.deselected or ())
    entry = HistoryEntry(now, one.kind, step, one.operator, origin.organisation, origin.call_id, sentence)
    store.end(connection, one.id, step, now)
    store.record_step(connection, one.id, one.recipient, entry)


def close(connection: Connection, recipient: str, now: datetime, closing: Closing) -> None:
    """Take an account away, with all that must end with it."""
    store.close(connection, recipient)
    closing(connection, recipient, now)


def replace_all(connection: Connection, recipient: str, origin: Origin, now: datetime) -> None:
    """Write of every request that still waits for an account that another one replaced it."""
    for one in store.find_pending(connection, [recipient]):
        end(connection, one, Step.REPLACED, origin, now)


def record(
    connection: Connection,
    kind: Kind,
    outcome: str,
    operator: str,
    origin: Origin,
    now: datetime,
    signatures: int | None = None,
) -> None:
    """Write the event and the evidence of a change. The event says who called, or that nobody knows; no recipient."""
    detail = {
        "caller": origin.organisation,
        "caller_identity": caller_identity(origin.organisation),
        "operator": operator,
        "signatures": signatures,
    }
    record_event(connection, Event(now, kind.value, outcome, call_id=origin.call_id, detail=detail))
    until = now + origin.retention
    record_evidence(
        connection,
        Evidence(now, "in", origin.call_id, origin.operation, "accepted", origin.organisation, origin.raw, until),
    )
