"""Which way deliveries went, for those who ask: of one delivery, and of all of a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from mm_soap.channels import ChannelName
from mm_soap.dispatcher.channel_store import Step
from mm_soap.dispatcher.model import State
from mm_soap.dispatcher.store import metadata


@dataclass(frozen=True, slots=True)
class WayTaken:
    """What is told of one channel that a delivery took."""

    channel: ChannelName
    step: Step
    reason: str
    tries: int
    begun: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """Deliveries of one sender that went the same way and stand at the same place.

    ``way`` is the last channel; None for those whose mailbox was not left.
    """

    sender: str
    way: ChannelName | None
    state: State
    number: int


_channel: Final = metadata.tables["channel"]
_delivery: Final = metadata.tables["delivery"]

_taken: Final = (
    select(_channel.c.name, _channel.c.step, _channel.c.reason, _channel.c.tries, _channel.c.begun)
    .join(_delivery, _delivery.c.id == _channel.c.delivery)
    .where(_delivery.c.distribution_id == bindparam("job"), _delivery.c.sender == bindparam("whose"))
    .order_by(_channel.c.id)
)
_last: Final = (
    select(_channel.c.name)
    .where(_channel.c.delivery == _delivery.c.id)
    .order_by(_channel.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_each: Final = (
    select(_delivery.c.sender, _delivery.c.state, _last.label("way"))
    .where(_delivery.c.received >= bindparam("since"), _delivery.c.received < bindparam("until"))
    .subquery()
)
_books: Final = select(_each.c.sender, _each.c.state, _each.c.way, func.count().label("number")).group_by(
    _each.c.sender, _each.c.state, _each.c.way
)


def ways_taken(connection: Connection, sender: str, distribution_id: str) -> Sequence[WayTaken]:
    """Return the channels that a sender's delivery took, in order; none while the mailbox may take it, or if it did."""
    rows = connection.execute(_taken, {"job": distribution_id, "whose": sender})
    return [WayTaken(ChannelName(r.name), Step(r.step), r.reason, r.tries, r.begun) for r in rows]


def books(connection: Connection, since: datetime, until: datetime) -> Sequence[Entry]:
    """Return how many deliveries, accepted in a time, of each sender went which way and stand where."""
    rows = connection.execute(_books, {"since": since, "until": until})
    found = [Entry(r.sender, ChannelName(r.way) if r.way else None, State(r.state), r.number) for r in rows]
    return sorted(found, key=lambda one: (one.sender, one.way or "", one.state))
