"""Keeping what was refused, and what was not in UTF-8: the same for every party."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.errors import Refused
from mm_soap.soap import Caller, RefusedHook, SentHook
from mm_soap.soap.request import HttpError
from mm_soap.storage import RETENTION, Evidence, record_evidence, record_refusal, writing


def keep_refusals(database: Engine, clock: Clock = system_clock, retention: timedelta = RETENTION) -> RefusedHook:
    """Return the hook that keeps the event and the evidence of each refused call in a party's database.

    Args:
        database: the party's own, migrated.
        clock: the time.
        retention: how long the evidence is kept.
    """

    def keep(call_id: str, operation: str | None, caller: Caller, raw: bytes, refused: Refused | HttpError) -> None:
        verdict, code, where = _reason(refused)
        with writing(database) as connection:
            record_refusal(
                connection,
                at=clock(),
                call_id=call_id,
                operation=operation,
                organisation=caller.organisation,
                address=caller.address,
                raw=raw,
                verdict=verdict,
                code=code,
                where=where,
                retention=retention,
            )

    return keep


def keep_sent(database: Engine, clock: Clock = system_clock, retention: timedelta = RETENTION) -> SentHook:
    """Return the hook that keeps what came in another encoding than UTF-8, before it is converted.

    What became of it is in the evidence of the same call that follows, with the request in UTF-8.
    """

    def keep(call_id: str, caller: Caller, raw: bytes) -> None:
        now = clock()
        told = caller.organisation or caller.address
        sent = Evidence(now, "in", call_id, None, "converted to UTF-8", told, raw, now + retention)
        with writing(database) as connection:
            record_evidence(connection, sent)

    return keep


def _reason(refused: Refused | HttpError) -> tuple[str, int | str, str | None]:
    if isinstance(refused, HttpError):
        return f"HTTP {refused.code}", f"http{refused.code}", None
    return refused.refusal.name, refused.refusal.code, refused.where
