"""Claims on deliveries, for any number of workers on one PostgreSQL database.

A step claims its rows before it does anything, and writes its outcome only if the claim is still its own. A claim has
an end, so that those of a worker that died are taken over; while the step runs, it is renewed. All times of claims are
the database's: the clocks of the workers do not matter, and a clock of the database that was set back ends the claims
that would last too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Interval,
    bindparam,
    func,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from mm_soap.dispatcher.model import Accepted, Kind, Outcome, Sealed, State, whole_id
from mm_soap.dispatcher.tables import delivery as _delivery

_now: Final[ColumnElement[datetime]] = func.clock_timestamp(type_=DateTime(timezone=True))
_lease: Final = bindparam("lease", type_=Interval())
# Twice: a claim that ends later than any can was made before the clock was set back.
FREE: Final = or_(
    _delivery.c.claimed_by.is_(None),
    _delivery.c.claimed_until <= _now,
    _delivery.c.claimed_until > _now + _lease + _lease,
)
"""Whether no step has a row, or that one's claim has ended. Takes ``lease``."""
_due: Final = (_delivery.c.state == bindparam("wanted_state"), _delivery.c.next_attempt <= bindparam("now"), FREE)
_claimed: Final = {"claimed_by": bindparam("claim"), "claimed_until": _now + _lease}

_alike: Final = _delivery.alias("alike")
_of_one_sender: Final = (
    select(_delivery.c.id)
    .where(
        *_due, _delivery.c.sender == select(_alike.c.sender).where(_alike.c.id == bindparam("row")).scalar_subquery()
    )
    .order_by(_delivery.c.next_attempt)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_claim_accepted: Final = (
    update(_delivery).where(_delivery.c.id.in_(_of_one_sender)).values(_claimed).returning(_delivery)
)
_one: Final = select(_delivery.c.id).where(_delivery.c.id == bindparam("row"), *_due).with_for_update(skip_locked=True)
_first: Final = (
    select(_delivery.c.id)
    .where(*_due, _delivery.c.operator == bindparam("one_operator"))
    .order_by(_delivery.c.next_attempt)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_sealed_claim: Final = (
    update(_delivery)
    # Who had it before is gone, or late, and may have handed it over.
    .values(perhaps_taken=or_(_delivery.c.perhaps_taken, _delivery.c.claimed_by.is_not(None)), **_claimed)
    .returning(_delivery)
)
_claim_sealed: Final = _sealed_claim.where(_delivery.c.id.in_(_one))
_claim_first: Final = _sealed_claim.where(_delivery.c.id.in_(_first))
_kept: Final = (
    select(_delivery.c.id)
    .where(_delivery.c.claimed_by.in_(bindparam("running", expanding=True)))
    # What is locked is being written down at this moment. To wait for it could end in a deadlock.
    .with_for_update(skip_locked=True)
)
_renew: Final = update(_delivery).where(_delivery.c.id.in_(_kept)).values(claimed_until=_now + _lease)
_release: Final = (
    update(_delivery)
    .where(_delivery.c.id == bindparam("row"), _delivery.c.claimed_by == bindparam("claim"))
    .values(claimed_by=null(), claimed_until=null())
)
_looked_up: Final = (
    update(_delivery)
    .where(_delivery.c.id == bindparam("row"), _delivery.c.claimed_by == bindparam("claim"))
    .values(looked_up=bindparam("asked"))
)
_addressee: Final = select(_delivery.c.operator, _delivery.c.received).where(_delivery.c.id == bindparam("row"), *_due)
_under_way: Final = select(func.count()).where(
    _delivery.c.operator == bindparam("one_operator"), _delivery.c.claimed_by.is_not(None), ~FREE
)
_next: Final = (
    select(_delivery.c.id)
    .where(*_due, _delivery.c.operator == bindparam("one_operator"))
    .order_by(_delivery.c.next_attempt)
    .limit(bindparam("most"))
)
_overdue: Final = _next.where(_delivery.c.received <= bindparam("accepted_before"))
_waiting_senders: Final = (
    select(func.min(_delivery.c.id).label("row"), func.count().label("many")).where(*_due).group_by(_delivery.c.sender)
)
_back_to_sealed: Final = (
    update(_delivery).where(_delivery.c.state == State.LOOK_UP_AGAIN.value).values(state=State.SEALED.value)
)
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext(coalesce(current_schema(), '')), hashtext(:operator))")


@dataclass(frozen=True, slots=True)
class Claims:
    """How one installation claims deliveries.

    Args:
        lease: how long a claim lasts that is not renewed.
    """

    lease: timedelta

    def accepted(
        self, connection: Connection, delivery: int, now: datetime, most: int
    ) -> tuple[str, Sequence[Accepted]]:
        """Claim what waits for its look-up, of the sender of a delivery. Returns the claim and what it holds."""
        claim = uuid4().hex
        wanted = self._due(State.ACCEPTED, now) | {"row": delivery, "most": most, "claim": claim}
        rows = connection.execute(_claim_accepted, wanted).all()
        found = [
            Accepted(
                *(r.id, r.distribution_id, r.sender, r.recipient, r.received, r.attempts, Kind(r.kind), r.size),
                seal_digest=r.seal_digest,
            )
            for r in rows
        ]
        return claim, found

    def addressee(self, connection: Connection, delivery: int, now: datetime) -> tuple[str, datetime] | None:
        """Return a sealed delivery's operator and when it was accepted; None if it is not due, or is claimed."""
        row = connection.execute(_addressee, self._due(State.SEALED, now) | {"row": delivery}).first()
        return (row.operator, row.received) if row is not None and row.operator is not None else None

    def sealed(
        self, connection: Connection, delivery: int, now: datetime
    ) -> tuple[str, Sealed, datetime | None] | None:
        """Claim a sealed delivery: the claim, the delivery, and when it was looked up; None if another step has it."""
        return self._claim_one(connection, _claim_sealed, now, {"row": delivery})

    def first(self, connection: Connection, operator: str, now: datetime) -> tuple[str, Sealed, datetime | None] | None:
        """Claim what has waited longest of what is due for an operator, as `sealed` does; None if nothing is."""
        return self._claim_one(connection, _claim_first, now, {"one_operator": operator})

    def renew(self, connection: Connection, running: Sequence[str]) -> None:
        """Let claims last for another lease from now. Those that are gone stay gone."""
        connection.execute(_renew, {"running": list(running), "lease": self.lease})

    def under_way(self, connection: Connection, operator: str) -> int:
        """Return how many deliveries to an operator are claimed now, by all workers."""
        wanted = {"one_operator": operator, "lease": self.lease}
        return connection.execute(_under_way, wanted).scalar_one()

    def next(self, connection: Connection, operator: str, now: datetime, most: int) -> Sequence[int]:
        """Return the keys of what is due for an operator and not claimed, the longest waiting first."""
        wanted = self._due(State.SEALED, now) | {"one_operator": operator, "most": most}
        return list(connection.execute(_next, wanted).scalars())

    def overdue(
        self, connection: Connection, operator: str, now: datetime, accepted_before: datetime, most: int
    ) -> Sequence[int]:
        """Return the keys of what is due for an operator, not claimed, and was accepted long ago."""
        wanted = self._due(State.SEALED, now) | {"one_operator": operator, "most": most}
        return list(connection.execute(_overdue, wanted | {"accepted_before": accepted_before}).scalars())

    def waiting_senders(self, connection: Connection, now: datetime) -> Sequence[tuple[int, int]]:
        """Return, for each sender with something to look up, the key of the first of its deliveries and how many."""
        return [(r.row, r.many) for r in connection.execute(_waiting_senders, self._due(State.ACCEPTED, now))]

    def _claim_one(
        self, connection: Connection, statement: ReturningUpdate[Any], now: datetime, which: dict[str, Any]
    ) -> tuple[str, Sealed, datetime | None] | None:
        claim = uuid4().hex
        row = connection.execute(statement, self._due(State.SEALED, now) | which | {"claim": claim}).first()
        return (claim, _sealed(row), row.looked_up) if row is not None else None

    def _due(self, state: State, now: datetime) -> dict[str, Any]:
        return {"wanted_state": state.value, "now": now, "lease": self.lease}


def release(connection: Connection, claim: str, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Let go of a claim's deliveries, and return the outcomes of those that were still its own."""
    return [one for one in outcomes if connection.execute(_release, {"row": one.id, "claim": claim}).rowcount == 1]


def note_look_up(connection: Connection, claim: str, delivery: int, asked: datetime) -> None:
    """Write when the register said that an address is as it was."""
    connection.execute(_looked_up, {"row": delivery, "claim": claim, "asked": asked})


def lock_operator(connection: Connection, operator: str) -> None:
    """Let one worker at a time count and claim an operator's deliveries, until the transaction ends."""
    connection.execute(_LOCK, {"operator": operator})


def put_back_all(connection: Connection) -> None:
    """Take what an embedded engine had set aside for another look-up; the step of handing over asks the register."""
    connection.execute(_back_to_sealed)


def _sealed(r: Any) -> Sealed:
    return Sealed(
        *(r.id, whole_id(r.distribution_id), r.sender, r.recipient, r.received, r.attempts, r.operator, r.address),
        perhaps_taken=r.perhaps_taken,
        kind=Kind(r.kind),
    )
