"""What the database knows of deliveries that wait: how old their addresses are, and which operators are left alone."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    delete,
    false,
    func,
    not_,
    select,
    true,
    update,
)

from mm_soap.dispatcher.breaker import Breaker
from mm_soap.dispatcher.model import Sealed, State
from mm_soap.dispatcher.policy import CLOCKS_APART, BreakerPolicy, Policies
from mm_soap.dispatcher.tables import delivery as _delivery
from mm_soap.dispatcher.tables import operator_pause as _pause
from mm_soap.dispatcher.turns import COUNTING, FREE
from mm_soap.storage import among, id_list, reading, upsert, writing

_log = logging.getLogger(__name__)

MOVED_TOGETHER: Final = 100
"""Rows that are set aside, or put back, in one transaction: with SQLite calls that are to be accepted wait for it."""

_due_now: Final = (_delivery.c.state == State.SEALED.value, _delivery.c.next_attempt <= bindparam("now"))
_mark_due: Final = update(_delivery).where(*_due_now, _delivery.c.perhaps_taken == false()).values(perhaps_taken=true())
_forget_pauses: Final = delete(_pause)
_end_pause: Final = delete(_pause).where(_pause.c.operator == bindparam("wanted"))
_pause_of: Final = select(_pause).where(_pause.c.operator == bindparam("wanted"))
_NOT_ENDED: Final = (State.ACCEPTED.value, State.SEALED.value, State.LOOK_UP_AGAIN.value)
_far: Final = (
    _delivery.c.state.in_(_NOT_ENDED),
    _delivery.c.next_attempt > bindparam("latest"),
)
_any_far: Final = select(_delivery.c.id).where(*_far).limit(1)
_make_due: Final = update(_delivery).where(*_far).values(next_attempt=bindparam("now"))
_any_far_and_free: Final = _any_far.where(FREE)
_make_free_due: Final = _make_due.where(FREE)
_next_end: Final = select(func.min(_pause.c.until)).where(_pause.c.until > bindparam("now"))
_close: Final = _end_pause.returning(_pause.c.since != _pause.c.until)
_row: Final = update(_delivery).where(_delivery.c.id == bindparam("row"), _delivery.c.state == bindparam("before"))
_aside: Final = _row.values(state=bindparam("after"))
_back: Final = _row.values(state=bindparam("after"), looked_up=bindparam("asked"))
_ASIDE: Final = {"before": State.SEALED.value, "after": State.LOOK_UP_AGAIN.value}
_BACK: Final = {"before": State.LOOK_UP_AGAIN.value, "after": State.SEALED.value}


@dataclass(frozen=True, slots=True)
class Pause:
    """An operator that is left alone."""

    operator: str
    since: datetime
    until: datetime
    failures: int
    """Technical errors in a row."""
    cause: str
    """The last of them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a delivery stands now."""

    state: State
    sender: str
    reason: str | None
    attempts: int
    next_attempt: datetime | None
    pause: Pause | None
    """That of its operator, if it is left alone."""

    @property
    def waits(self) -> bool:
        """Whether anything is still to happen."""
        return self.next_attempt is not None

    def told(self, now: datetime) -> tuple[str, datetime | None]:
        """Return, for a case handler, why the delivery waits, and when it goes on."""
        if self.pause is None or self.state not in (State.SEALED, State.LOOK_UP_AGAIN):
            return self.reason or "The delivery is accepted. The register is asked where its recipient is.", (
                self.next_attempt
            )
        pause, again = self.pause, max(filter(None, (self.next_attempt, self.pause.until)))
        times = "once" if pause.failures == 1 else f"{pause.failures} times in a row"
        trial = (
            "It is left alone for a while; then some calls go first, and the others follow when one is answered."
            if now < pause.until
            else "Some calls go first now, and the others follow when one is answered."
        )
        return f"The operator did not answer as it should {times} (the last time: {pause.cause}). {trial}", again


def take_over(connection: Connection, now: datetime) -> int:
    """Note, before an engine begins, what another one may have left under way when it ended.

    What is due may have been at its operator already: it is marked as perhaps taken. Returns how many those are.
    """
    connection.execute(_forget_pauses)
    return mark_due(connection, now)


def mark_due(connection: Connection, now: datetime) -> int:
    """Mark what is due as perhaps taken, and return how many were not before."""
    return connection.execute(_mark_due, {"now": now}).rowcount


def mend_clock(database: Engine, policies: Policies, now: datetime, lease: timedelta | None = None) -> int:
    """Make due what would wait for longer than any delivery does: the clock was set back since.

    Args:
        database: the dispatcher's own.
        policies: how long a delivery waits at most.
        now: the time.
        lease: how long a claim lasts: what a worker has is left to it. None without workers.

    Returns:
        How many deliveries those were.

    Raises:
        Refused: the database is away.
    """
    every = (policies.default, *policies.own.values())
    latest = now + timedelta(seconds=max(each.backoff.longest for each in every)) + CLOCKS_APART
    far: dict[str, object] = {"latest": latest} | ({} if lease is None else {"lease": lease})
    with reading(database) as connection:
        if connection.execute(_any_far if lease is None else _any_far_and_free, far).first() is None:
            return 0
    with writing(database, durable=False) as connection:
        mended = connection.execute(_make_due if lease is None else _make_free_due, far | {"now": now}).rowcount
    _log.warning("The clock was set back: %d deliveries that waited for a far time are due.", mended)
    return mended


def set_aside(connection: Connection, old: Collection[int]) -> None:
    """Let the register be asked again for deliveries, before anybody hands them over."""
    if old:
        connection.execute(_aside, [{"row": each, **_ASIDE} for each in old])


def with_old_addresses(
    connection: Connection, now: datetime, before: datetime, most: int, busy: Collection[int]
) -> list[int]:
    """Return sealed deliveries that are due and were looked up before a time, without the ``busy``."""
    dialect = connection.dialect.name
    statement = (
        select(_delivery.c.id)
        .where(*_due_now, _delivery.c.looked_up < bindparam("before"))
        .where(not_(among(_delivery.c.id, "busy", dialect)))
        .order_by(_delivery.c.next_attempt)
        .limit(most)
    )
    wanted = {"now": now, "before": before, "busy": id_list(busy, dialect)}
    return list(connection.execute(statement, wanted).scalars())


def put_back(connection: Connection, same: Collection[Sealed], asked: datetime) -> None:
    """Let deliveries go on as before, with addresses that were asked for at a time."""
    if same:
        connection.execute(_back, [{"row": each.id, "asked": asked, **_BACK} for each in same])


def write_pauses(connection: Connection, changed: dict[str, Pause | None]) -> None:
    """Write down which operators are left alone; None for one that is not any more."""
    for operator, pause in changed.items():
        if pause is None:
            connection.execute(_end_pause, {"wanted": operator})
        else:
            values = {"since": pause.since, "until": pause.until, "failures": pause.failures, "cause": pause.cause}
            connection.execute(upsert(_pause, connection.dialect.name), {"operator": operator, **values})


def breaker_to_change(connection: Connection, operator: str, policy: BreakerPolicy) -> Breaker:
    """Return the breaker of an operator that all workers share, and keep it from the others until the transaction ends.

    Those who hand over do not wait for it.
    """
    connection.execute(COUNTING, {"one_operator": operator})
    row = connection.execute(_pause_of, {"wanted": operator}).first()
    if row is None:
        return Breaker(policy)
    if row.since == row.until:
        return Breaker(policy, row.failures)
    return Breaker(policy, row.failures, row.since, row.until)


def count_failure(connection: Connection, operator: str, breaker: Breaker, now: datetime, cause: str) -> None:
    """Write down a breaker after a technical error."""
    pause = Pause(operator, breaker.opened or now, breaker.until or now, breaker.failures, cause)
    write_pauses(connection, {operator: pause})


def count_answer(connection: Connection, operator: str) -> bool:
    """Write down that an operator answered. Returns whether it was left alone before."""
    return bool(connection.execute(_close, {"wanted": operator}).scalar())


def next_end_of_pause(connection: Connection, now: datetime) -> datetime | None:
    """Return when the next operator is tried that is left alone now, or None."""
    return connection.execute(_next_end, {"now": now}).scalar()


def tell(operator: str, breaker: Breaker, now: datetime, cause: str | None) -> None:
    """Log that an operator is left alone, or answers again."""
    if breaker.until is None:
        _log.info("The operator %s answers again.", operator)
        return
    seconds = (breaker.until - now).total_seconds()
    told = "The operator %s is left alone for %.0f seconds after %d technical errors in a row: %s"
    _log.warning(told, operator, seconds, breaker.failures, cause)


def standing_of(connection: Connection, distribution_id: str) -> Standing | None:
    """Return where a delivery stands, or None if there is none of this id."""
    row = connection.execute(
        select(
            *(_delivery.c[name] for name in ("state", "sender", "reason", "attempts", "next_attempt", "operator"))
        ).where(_delivery.c.distribution_id == distribution_id)
    ).first()
    if row is None:
        return None
    found = connection.execute(_pause_of, {"wanted": row.operator}).first()
    pause = Pause(*found) if found is not None and found.since != found.until else None
    return Standing(State(row.state), row.sender, row.reason, row.attempts, row.next_attempt, pause)
