"""The dispatcher's queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Connection,
    Select,
    bindparam,
    func,
    not_,
    select,
    update,
)

from mm_soap.dispatcher.documents import Kept, add_documents
from mm_soap.dispatcher.model import (
    TRANS_ID_LENGTH,
    Accepted,
    Kind,
    NewDelivery,
    Outcome,
    Sealed,
    State,
    accepted_of,
    sealed_of,
)
from mm_soap.dispatcher.tables import delivery as _delivery
from mm_soap.dispatcher.tables import metadata
from mm_soap.dispatcher.tables import seal as _seal
from mm_soap.storage import NewKey, PreparedInsert, PreparedQuery, PreparedUpdate, Together, UtcDateTime, among, id_list

__all__ = ["metadata"]  # with the migrations, what the tests compare

_add_delivery: Final = PreparedInsert(
    _delivery,
    left_out=(
        *("id", "operator", "address", "trans_id", "reason", "looked_up"),
        *("perhaps_taken", "claimed_by", "claimed_until"),
    ),
)
_add_seal: Final = PreparedInsert(_seal)
_known: Final = select(_delivery.c.distribution_id).where(
    _delivery.c.sender == bindparam("wanted_sender"), _delivery.c.digest == bindparam("wanted_digest")
)
_state: Final = select(_delivery.c.recipient, _delivery.c.state, _delivery.c.reason).where(
    _delivery.c.distribution_id == bindparam("wanted"),
    _delivery.c.sender == bindparam("wanted_sender"),
    _delivery.c.kind == Kind.SECURE.value,
)
_of_due: Final = (
    select(
        _delivery.c.id,
        _delivery.c.distribution_id,
        _delivery.c.sender,
        _delivery.c.recipient,
        _delivery.c.received,
        _delivery.c.attempts,
        _delivery.c.operator,
        _delivery.c.address,
        _delivery.c.perhaps_taken,
        _delivery.c.kind,
        _delivery.c.size,
        _delivery.c.seal_digest,
    )
    .where(_delivery.c.state == bindparam("wanted"), _delivery.c.next_attempt <= bindparam("now"))
    .order_by(_delivery.c.next_attempt)
    .limit(bindparam("most"))
)
_due: Final = PreparedQuery(_of_due)


@cache
def _due_but(dialect: str) -> PreparedQuery:
    return PreparedQuery(_of_due_but(dialect))


def _of_due_but(dialect: str) -> Select[Any]:
    return _of_due.where(not_(among(_delivery.c.id, "busy", dialect)))


# One look into the index for each operator: all that waits may be millions of rows.
_next_operator: Final = PreparedQuery(
    select(_delivery.c.operator)
    .where(
        _delivery.c.state == State.SEALED.value,
        _delivery.c.operator > bindparam("after"),
        _delivery.c.next_attempt.is_not(None),
    )
    .order_by(_delivery.c.operator)
    .limit(1)
)


@cache
def _due_for(dialect: str) -> PreparedQuery:
    return PreparedQuery(_of_due_for(dialect).add_columns(_delivery.c.next_attempt))


@cache
def _overdue(dialect: str) -> PreparedQuery:
    return PreparedQuery(_of_due_for(dialect).where(_delivery.c.received <= bindparam("accepted_before")))


def _of_due_for(dialect: str) -> Select[Any]:
    return _of_due_but(dialect).where(_delivery.c.operator == bindparam("one_operator"))


_next_due: Final = PreparedQuery(
    select(func.min(_delivery.c.next_attempt).label("due")).where(
        _delivery.c.state == bindparam("wanted"), _delivery.c.next_attempt > bindparam("now")
    )
)


_advance: Final = PreparedUpdate(
    update(_delivery)
    .where(_delivery.c.id == bindparam("row"))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        next_attempt=bindparam("new_next_attempt"),
        operator=func.coalesce(bindparam("new_operator"), _delivery.c.operator),
        address=func.coalesce(bindparam("new_address"), _delivery.c.address),
        trans_id=func.coalesce(bindparam("new_trans_id"), _delivery.c.trans_id),
        reason=bindparam("new_reason"),
        looked_up=func.coalesce(bindparam("new_looked_up", type_=UtcDateTime), _delivery.c.looked_up),
        perhaps_taken=func.coalesce(bindparam("new_perhaps_taken", type_=Boolean), _delivery.c.perhaps_taken),
    )
)


def distribution_of(connection: Connection, sender: str, digest: str) -> str | None:
    """Return the distribution id that the same signed bytes from this sender got before, or None."""
    return connection.execute(_known, {"wanted_sender": sender, "wanted_digest": digest}).scalar()


def add_delivery(connection: Connection | Together, new: NewDelivery, kept: Kept | None = None) -> int | NewKey:
    """Store an accepted delivery, due for its look-up at once, and return its key.

    Args:
        connection: of a transaction that writes.
        new: the delivery.
        kept: the evidence of the call, in which its document may stand.

    Raises:
        Conflict: the same signed bytes are there already (from :func:`mm_soap.storage.writing`).
    """
    key = _add_delivery.add(
        connection,
        {
            "distribution_id": new.distribution_id,
            "sender": new.sender,
            "recipient": new.recipient,
            "digest": new.digest,
            "received": new.received,
            "state": State.ACCEPTED.value,
            "attempts": 0,
            "next_attempt": new.received,
            "kind": new.kind.value,
            "size": max(1, len(new.recipients)),
            "seal_digest": new.seal_digest,
        },
    )
    add_documents(connection, {key: new.document}, kept)
    return key


def state_of(connection: Connection, sender: str, distribution_id: str) -> tuple[str, State, str | None] | None:
    """Return recipient, state and reason of a sender's delivery, or None."""
    row = connection.execute(_state, {"wanted": distribution_id, "wanted_sender": sender}).first()
    return (row.recipient, State(row.state), row.reason) if row else None


def due_for_look_up(connection: Connection, now: datetime, most: int) -> Sequence[Accepted]:
    """Return deliveries whose recipient is to be looked up now, the longest waiting first."""
    return [accepted_of(row) for row in _due.all(connection, _wanted(State.ACCEPTED, now, most))]


def due_for_delivery(
    connection: Connection, now: datetime, most: int, busy: Collection[int], full: Collection[str]
) -> Sequence[Sealed]:
    """Return sealed deliveries that are due, without the ``busy`` and those to the operators that are ``full``."""
    dialect = connection.dialect.name
    parameters = _wanted(State.SEALED, now, most) | {"busy": id_list(busy, dialect)}
    if not full:
        return [sealed_of(row) for row in _due_but(dialect).all(connection, parameters)]
    # One after the other: what waits for those that are full may be millions of rows.
    rows: list[Any] = []
    for operator in operators_waited_for(connection):
        if operator not in full:
            rows += _due_for(dialect).all(connection, parameters | {"one_operator": operator})
    return [sealed_of(row) for row in sorted(rows, key=lambda each: each.next_attempt)[:most]]


def operators_waited_for(connection: Connection) -> Sequence[str]:
    """Return the operators to which something is to be handed over, now or later."""
    found: list[str] = []
    while (row := _next_operator.first(connection, {"after": found[-1] if found else ""})) is not None:
        found.append(row.operator)
    return found


def overdue(
    connection: Connection, operator: str, now: datetime, accepted_before: datetime, most: int, busy: Collection[int]
) -> Sequence[Sealed]:
    """Return sealed deliveries to an operator that are due and were accepted long ago, without the ``busy``."""
    dialect = connection.dialect.name
    parameters = _wanted(State.SEALED, now, most) | {"busy": id_list(busy, dialect)}
    parameters |= {"accepted_before": accepted_before, "one_operator": operator}
    return [sealed_of(row) for row in _overdue(dialect).all(connection, parameters)]


def due_for_another_look_up(connection: Connection, now: datetime, most: int) -> Sequence[Sealed]:
    """Return deliveries whose address is old, the longest waiting first."""
    return [sealed_of(row) for row in _due.all(connection, _wanted(State.LOOK_UP_AGAIN, now, most))]


def next_due(connection: Connection, state: State, now: datetime) -> datetime | None:
    """Return when the next delivery in ``state`` becomes due after ``now``, or None."""
    due: datetime | None = _next_due.first(connection, {"wanted": state.value, "now": now}).due
    return due


def _wanted(state: State, now: datetime, most: int) -> dict[str, Any]:
    return {"wanted": state.value, "now": now, "most": most}


def write_outcomes(connection: Connection, outcomes: Iterable[Outcome]) -> None:
    """Write down what became of deliveries."""
    outcomes = list(outcomes)
    if not outcomes:
        return
    seals = [{"delivery": one.id, "content": one.seal} for one in outcomes if one.seal is not None]
    _add_seal.execute(connection, seals)
    _advance.execute(
        connection,
        [
            {
                "row": one.id,
                "new_state": one.state.value,
                "new_attempts": one.attempts,
                "new_next_attempt": one.next_attempt,
                "new_operator": one.operator,
                "new_address": one.address,
                "new_trans_id": one.trans_id[:TRANS_ID_LENGTH] if one.trans_id else None,
                "new_reason": one.reason,
                "new_looked_up": one.looked_up,
                "new_perhaps_taken": one.perhaps_taken or None,
            }
            for one in outcomes
        ],
    )
