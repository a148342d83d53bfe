"""Whether a delivery is free, and its operator has room for one more call: what all workers on one PostgreSQL see.

All times of claims are the database's: the clocks of the workers do not matter, and a clock of the database that was
set back ends the claims that would last too long.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    Select,
    String,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from mm_soap.dispatcher.tables import delivery as _delivery
from mm_soap.dispatcher.tables import operator_pause as _pause
from mm_soap.storage import UtcDateTime

NOW: Final[ColumnElement[datetime]] = func.clock_timestamp(type_=DateTime(timezone=True))
LEASE: Final = bindparam("lease", type_=Interval())
OPERATOR: Final = bindparam("one_operator", type_=String())

# Twice: a claim that ends later than any can was made before the clock was set back.
FREE: Final = or_(
    _delivery.c.claimed_by.is_(None),
    _delivery.c.claimed_until <= NOW,
    _delivery.c.claimed_until > NOW + LEASE + LEASE,
)
"""Whether no step has a row, or that one's claim has ended. Takes ``lease``."""

_now: Final = bindparam("now", type_=UtcDateTime())
_limit: Final = bindparam("calls_at_once", type_=Integer())
_under_way: Final = (
    select(func.count())
    .where(_delivery.c.operator == OPERATOR, _delivery.c.claimed_by.is_not(None), ~FREE)
    .scalar_subquery()
)
_allowed: Final = (
    select(
        case(
            (_pause.c.since == _pause.c.until, _limit),  # errors were counted, and no pause began yet
            (and_(_pause.c.since <= _now, _pause.c.until > _now), 0),
            else_=func.least(_limit, bindparam("probes", type_=Integer())),
        )
    )
    .where(_pause.c.operator == OPERATOR)
    .scalar_subquery()
)
ROOM: Final[ColumnElement[Any]] = func.coalesce(_allowed, _limit) - _under_way
"""How many calls to an operator may begin now, as `mm_soap.dispatcher.breaker.Breaker.room` says it; none below 1.

Takes ``one_operator``, ``now``, ``lease``, and of its policy ``calls_at_once`` and ``probes``.
"""


def _lock(name: ColumnElement[str]) -> Select[Any]:
    installation = func.hashtext(func.coalesce(func.current_schema(), ""))
    return select(func.pg_advisory_xact_lock(installation, func.hashtext(name)))


IN_TURN: Final = _lock(OPERATOR)
"""Lets one worker at a time count and claim an operator's deliveries, until the transaction ends."""
COUNTING: Final = _lock(OPERATOR + " errors")
"""Lets one worker at a time count an operator's errors, until the transaction ends."""
