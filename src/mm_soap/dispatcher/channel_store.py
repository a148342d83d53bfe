"""The channels that deliveries took: a row for each, the mailbox too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from mm_soap.channels import ChannelName
from mm_soap.dispatcher.model import Cause, State
from mm_soap.dispatcher.store import metadata
from mm_soap.storage import UtcDateTime, big_key


class Step(StrEnum):
    """Where a delivery stands on one channel. The values are in the database."""

    CHOSEN = "chosen"
    """It is to go this way, at once or after a wait."""
    SENDING = "sending"
    """An attempt was begun. After a crash nobody knows whether it went: it goes again, as the same one."""
    HANDED_OVER = "handed_over"
    """The other end has it and will say what became of it."""
    DONE = "done"
    """It arrived, as far as the channel tells."""
    FAILED = "failed"
    """It did not go this way. The reason says why."""


@dataclass(frozen=True, slots=True)
class Way:
    """A delivery on one channel."""

    id: int
    delivery: int
    distribution_id: str
    sender: str
    recipient: str
    received: datetime
    channel: ChannelName
    step: Step
    tries: int
    begun: datetime
    reference: str | None


@dataclass(frozen=True, slots=True)
class Undecided:
    """A delivery that is to take another channel."""

    id: int
    distribution_id: str
    sender: str
    recipient: str
    received: datetime
    attempts: int
    state: State


@dataclass(frozen=True, slots=True)
class Ended:
    """A channel that a delivery was on. ``cause`` is the mailbox's."""

    channel: ChannelName
    cause: Cause | None
    begun: datetime


_channel: Final = Table(
    "channel",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("delivery", ForeignKey("delivery.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(20), nullable=False),
    Column("step", String(20), nullable=False),
    Column("cause", String(20)),
    Column("tries", Integer, nullable=False),
    Column("begun", UtcDateTime, nullable=False),
    # NULL: nothing is left to do.
    Column("next_attempt", UtcDateTime),
    Column("reference", String),
    Column("reason", String, nullable=False),
    Index("uq_channel_delivery_name", "delivery", "name", unique=True),
    Index("ix_channel_due", "name", "next_attempt"),
)
_delivery: Final = metadata.tables["delivery"]

_open: Final = (State.SWITCHING.value, State.SWITCHED.value, State.PRINTING.value)
_undecided: Final = (
    select(
        _delivery.c.id,
        _delivery.c.distribution_id,
        _delivery.c.sender,
        _delivery.c.recipient,
        _delivery.c.received,
        _delivery.c.attempts,
        _delivery.c.state,
    )
    .where(
        _delivery.c.state.in_(_open),
        _delivery.c.next_attempt <= bindparam("now"),
        ~exists().where(_channel.c.delivery == _delivery.c.id, _channel.c.next_attempt.is_not(None)),
    )
    .order_by(_delivery.c.next_attempt)
    .limit(bindparam("most"))
)
_ways: Final = select(
    _channel.c.id,
    _channel.c.delivery,
    _delivery.c.distribution_id,
    _delivery.c.sender,
    _delivery.c.recipient,
    _delivery.c.received,
    _channel.c.name,
    _channel.c.step,
    _channel.c.tries,
    _channel.c.begun,
    _channel.c.reference,
).join(_delivery, _delivery.c.id == _channel.c.delivery)
_due: Final = (
    _ways.where(_channel.c.name == bindparam("wanted"), _channel.c.next_attempt <= bindparam("now"))
    .order_by(_channel.c.next_attempt)
    .limit(bindparam("most"))
)
_of_job: Final = _ways.where(
    _delivery.c.distribution_id == bindparam("job"), _channel.c.name == ChannelName.PRINT.value
)
_ended: Final = (
    select(_channel.c.name, _channel.c.cause, _channel.c.begun)
    .where(_channel.c.delivery == bindparam("wanted"), _channel.c.next_attempt.is_(None))
    .order_by(_channel.c.id)
)
_advance: Final = (
    update(_channel)
    .where(_channel.c.id == bindparam("row"))
    .values(
        step=bindparam("new_step"),
        tries=bindparam("new_tries"),
        next_attempt=bindparam("new_next"),
        reference=func.coalesce(bindparam("new_reference"), _channel.c.reference),
        reason=bindparam("new_reason"),
    )
)


def add_mailbox(connection: Connection, rows: Iterable[tuple[int, Cause, int, str]], now: datetime) -> None:
    """Write that the mailbox did not take deliveries: each with its cause, its attempts and its reason."""
    new = [
        {
            "delivery": delivery,
            "name": ChannelName.MAILBOX.value,
            "step": Step.FAILED.value,
            "cause": cause.value,
            "tries": tries,
            "begun": now,
            "reason": reason,
        }
        for delivery, cause, tries, reason in rows
    ]
    if new:
        connection.execute(insert(_channel), new)


def add_way(connection: Connection, delivery: int, channel: ChannelName, now: datetime, reason: str) -> None:
    """Write that a delivery is to take a channel, at once."""
    connection.execute(
        insert(_channel),
        {
            "delivery": delivery,
            "name": channel.value,
            "step": Step.CHOSEN.value,
            "tries": 0,
            "begun": now,
            "next_attempt": now,
            "reason": reason,
        },
    )


def undecided(connection: Connection, now: datetime, most: int) -> Sequence[Undecided]:
    """Return deliveries that are to take another channel and are on none, the longest waiting first."""
    rows = connection.execute(_undecided, {"now": now, "most": most})
    return [
        Undecided(r.id, r.distribution_id, r.sender, r.recipient, r.received, r.attempts, State(r.state)) for r in rows
    ]


def due(connection: Connection, channel: ChannelName, now: datetime, most: int) -> Sequence[Way]:
    """Return what is to be done on a channel now, the longest waiting first."""
    return [_way(row) for row in connection.execute(_due, {"wanted": channel.value, "now": now, "most": most})]


def way_of_job(connection: Connection, job: str) -> Way | None:
    """Return the delivery that was handed over for print as this job, or None."""
    row = connection.execute(_of_job, {"job": job}).first()
    return _way(row) if row else None


def ended(connection: Connection, delivery: int) -> Sequence[Ended]:
    """Return the channels that a delivery was on, in order: the mailbox first."""
    rows = connection.execute(_ended, {"wanted": delivery})
    return [Ended(ChannelName(r.name), Cause(r.cause) if r.cause else None, r.begun) for r in rows]


def advance(
    connection: Connection,
    way: Way,
    step: Step,
    reason: str,
    *,
    tries: int,
    next_attempt: datetime | None,
    reference: str | None = None,
) -> None:
    """Write how far a delivery came on a channel."""
    connection.execute(
        _advance,
        {
            "row": way.id,
            "new_step": step.value,
            "new_tries": tries,
            "new_next": next_attempt,
            "new_reference": reference,
            "new_reason": reason,
        },
    )


def _way(r: Any) -> Way:
    return Way(
        r.id,
        r.delivery,
        r.distribution_id,
        r.sender,
        r.recipient,
        r.received,
        ChannelName(r.name),
        Step(r.step),
        r.tries,
        r.begun,
        r.reference,
    )
