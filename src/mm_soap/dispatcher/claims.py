"""Claims on deliveries, for any number of workers on one PostgreSQL database.

A step claims its rows before it does anything, and writes its outcome only if the claim is still its own. A claim has
an end, so that those of a worker that died are taken over; while the step runs, it is renewed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, null, or_, select, update

from mm_soap.dispatcher.model import Accepted, Outcome, Sealed, State, accepted_of, sealed_of
from mm_soap.dispatcher.policy import DeliveryPolicy
from mm_soap.dispatcher.tables import delivery as _delivery
from mm_soap.dispatcher.turns import FREE, IN_TURN, LEASE, NOW, OPERATOR, ROOM
from mm_soap.storage import PreparedQuery, end_with

_OF_SEALED: Final = (
    *("id", "distribution_id", "sender", "recipient", "received", "attempts", "operator", "address"),
    *("perhaps_taken", "kind", "looked_up"),
)
_due: Final = (_delivery.c.state == bindparam("wanted_state"), _delivery.c.next_attempt <= bindparam("now"), FREE)
_claimed: Final = {"claimed_by": bindparam("claim"), "claimed_until": NOW + LEASE}

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
_has_turn: Final = (_delivery.c.operator == OPERATOR, ROOM > 0)
_first: Final = (
    select(_delivery.c.id)
    .where(*_due, *_has_turn)
    .order_by(_delivery.c.next_attempt)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_sealed_claim: Final = (
    update(_delivery)
    # Who had it before is gone, or late, and may have handed it over.
    .values(perhaps_taken=or_(_delivery.c.perhaps_taken, _delivery.c.claimed_by.is_not(None)), **_claimed)
    .returning(*(_delivery.c[name] for name in _OF_SEALED))
)
_claim_sealed: Final = PreparedQuery(_sealed_claim.where(_delivery.c.id.in_(_one)))
_claim_one: Final = PreparedQuery(_sealed_claim.where(_delivery.c.id.in_(_one.where(*_has_turn))))
_claim_first: Final = PreparedQuery(_sealed_claim.where(_delivery.c.id.in_(_first)))
_in_turn: Final = PreparedQuery(IN_TURN)
_kept: Final = (
    select(_delivery.c.id)
    .where(_delivery.c.claimed_by.in_(bindparam("running", expanding=True)))
    # What is locked is being written down at this moment. To wait for it could end in a deadlock.
    .with_for_update(skip_locked=True)
)
_renew: Final = update(_delivery).where(_delivery.c.id.in_(_kept)).values(claimed_until=NOW + LEASE)
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
_waits: Final = select(_delivery.c.id).where(*_due, _delivery.c.operator == OPERATOR).order_by(_delivery.c.next_attempt)
_next: Final = _waits.limit(func.greatest(0, ROOM))
_overdue: Final = _waits.where(_delivery.c.received <= bindparam("accepted_before")).limit(bindparam("most"))
_waiting_senders: Final = (
    select(func.min(_delivery.c.id).label("row"), func.count().label("many")).where(*_due).group_by(_delivery.c.sender)
)
_back_to_sealed: Final = (
    update(_delivery).where(_delivery.c.state == State.LOOK_UP_AGAIN.value).values(state=State.SEALED.value)
)


class Claimed(NamedTuple):
    """A sealed delivery that a step has.

    Args:
        claim: what shows that the step still has it.
        sealed: the delivery.
        looked_up: when the register was asked for its address.
    """

    claim: str
    sealed: Sealed
    looked_up: datetime | None


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
        return claim, [accepted_of(row) for row in rows]

    def addressee(self, connection: Connection, delivery: int, now: datetime) -> tuple[str, datetime] | None:
        """Return a sealed delivery's operator and when it was accepted; None if it is not due, or is claimed."""
        row = connection.execute(_addressee, self._due(State.SEALED, now) | {"row": delivery}).first()
        return (row.operator, row.received) if row is not None and row.operator is not None else None

    def sealed(self, connection: Connection, delivery: int, now: datetime) -> Claimed | None:
        """Claim a sealed delivery, whether its operator has room for a call or not; None if another step has it."""
        claim = uuid4().hex
        wanted = self._due(State.SEALED, now) | {"row": delivery, "claim": claim}
        return _claimed_of(claim, _claim_sealed.first(connection, wanted))

    def in_turn(
        self,
        connection: Connection,
        operator: str,
        policy: DeliveryPolicy,
        now: datetime,
        delivery: int | None = None,
    ) -> Claimed | None:
        """Claim a delivery to an operator that has room for one more call, and commit.

        Args:
            connection: of a transaction that writes, in which nothing was done yet.
            operator: which.
            policy: the operator's.
            now: the time.
            delivery: which one; without it, what has waited longest of what is due.

        Returns:
            None if nothing is due that no other step has, or the operator has no room.
        """
        claim = uuid4().hex
        wanted = self._of_operator(operator, policy, now) | {"claim": claim}
        statement = _claim_first if delivery is None else _claim_one
        row = end_with(connection, (_in_turn, wanted), (statement, wanted | {"row": delivery}))
        return _claimed_of(claim, row)

    def renew(self, connection: Connection, running: Sequence[str]) -> None:
        """Let claims last for another lease from now. Those that are gone stay gone."""
        connection.execute(_renew, {"running": list(running), "lease": self.lease})

    def next(self, connection: Connection, operator: str, policy: DeliveryPolicy, now: datetime) -> Sequence[int]:
        """Return the keys of what is due for an operator and not claimed, the longest waiting first.

        No more than calls may begin now.
        """
        return list(connection.execute(_next, self._of_operator(operator, policy, now)).scalars())

    def overdue(
        self, connection: Connection, operator: str, now: datetime, accepted_before: datetime, most: int
    ) -> Sequence[int]:
        """Return the keys of what is due for an operator, not claimed, and was accepted long ago."""
        wanted = self._due(State.SEALED, now) | {"one_operator": operator, "most": most}
        return list(connection.execute(_overdue, wanted | {"accepted_before": accepted_before}).scalars())

    def waiting_senders(self, connection: Connection, now: datetime) -> Sequence[tuple[int, int]]:
        """Return, for each sender with something to look up, the key of the first of its deliveries and how many."""
        return [(r.row, r.many) for r in connection.execute(_waiting_senders, self._due(State.ACCEPTED, now))]

    def _of_operator(self, operator: str, policy: DeliveryPolicy, now: datetime) -> dict[str, Any]:
        room = {"calls_at_once": policy.calls_at_once, "probes": policy.breaker.probes}
        return self._due(State.SEALED, now) | room | {"one_operator": operator}

    def _due(self, state: State, now: datetime) -> dict[str, Any]:
        return {"wanted_state": state.value, "now": now, "lease": self.lease}


def release(connection: Connection, claim: str, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Let go of a claim's deliveries, and return the outcomes of those that were still its own."""
    return [one for one in outcomes if connection.execute(_release, {"row": one.id, "claim": claim}).rowcount == 1]


def note_look_up(connection: Connection, claim: str, delivery: int, asked: datetime) -> None:
    """Write when the register said that an address is as it was."""
    connection.execute(_looked_up, {"row": delivery, "claim": claim, "asked": asked})


def put_back_all(connection: Connection) -> None:
    """Take what an embedded engine had set aside for another look-up; the step of handing over asks the register."""
    connection.execute(_back_to_sealed)


def _claimed_of(claim: str, row: Any) -> Claimed | None:
    if row is None:
        return None
    return Claimed(claim, sealed_of(row), row.looked_up)
