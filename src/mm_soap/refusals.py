"""Keeping what was refused: the same for every party."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.errors import Refused
from mm_soap.soap import Caller, RefusedHook
from mm_soap.storage import RETENTION, record_refusal, writing


def keep_refusals(database: Engine, clock: Clock = system_clock, retention: timedelta = RETENTION) -> RefusedHook:
    """Return the hook that keeps the event and the evidence of each refused call in a party's database.

    Args:
        database: the party's own, migrated.
        clock: the time.
        retention: how long the evidence is kept.
    """

    def keep(call_id: str, operation: str | None, caller: Caller, raw: bytes, refused: Refused) -> None:
        with writing(database) as connection:
            record_refusal(
                connection,
                at=clock(),
                call_id=call_id,
                operation=operation,
                organisation=caller.organisation,
                address=caller.address,
                raw=raw,
                refused=refused,
                retention=retention,
            )

    return keep
