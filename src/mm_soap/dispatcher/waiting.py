"""What the database knows of deliveries that wait: how old their addresses are, and which operators are left alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Connection, Integer, String, Table, bindparam, delete, false, not_, select, true, update

from mm_soap.dispatcher.model import Sealed, State
from mm_soap.dispatcher.store import metadata
from mm_soap.storage import UtcDateTime, among, id_list, upsert

_delivery: Final = metadata.tables["delivery"]

_pause: Final = Table(
    "operator_pause",
    metadata,
    Column("operator", String(12), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("cause", String, nullable=False),
)
"""For whoever asks why a delivery waits. The breakers themselves are in the engine's memory."""

_due_now: Final = (_delivery.c.state == State.SEALED.value, _delivery.c.next_attempt <= bindparam("now"))
_mark_due: Final = update(_delivery).where(*_due_now, _delivery.c.perhaps_taken == false()).values(perhaps_taken=true())
_forget_pauses: Final = delete(_pause)
_end_pause: Final = delete(_pause).where(_pause.c.operator == bindparam("wanted"))
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
    return connection.execute(_mark_due, {"now": now}).rowcount


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


def standing_of(connection: Connection, distribution_id: str) -> Standing | None:
    """Return where a delivery stands, or None if there is none of this id."""
    row = connection.execute(
        select(
            *(_delivery.c[name] for name in ("state", "sender", "reason", "attempts", "next_attempt", "operator"))
        ).where(_delivery.c.distribution_id == distribution_id)
    ).first()
    if row is None:
        return None
    found = connection.execute(select(_pause).where(_pause.c.operator == row.operator)).first()
    pause = Pause(*found) if found is not None else None
    return Standing(State(row.state), row.sender, row.reason, row.attempts, row.next_attempt, pause)
