"""Keeping what was refused, and what was not in UTF-8: the same for every party."""

from __future__ import annotations

import logging
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.errors import MmSoapError, Refused
from mm_soap.soap import Caller, RefusedHook, SentHook
from mm_soap.soap.request import HttpError
from mm_soap.storage import RETENTION, Evidence, Spool, Spooled, record_evidence, record_refusal, writing

_log = logging.getLogger(__name__)


def keep_refusals(
    database: Engine, clock: Clock = system_clock, retention: timedelta = RETENTION, spool: Spool | None = None
) -> RefusedHook:
    """Return the hook that keeps the event and the evidence of each refused call in a party's database.

    Args:
        database: the party's own, migrated.
        clock: the time.
        retention: how long the evidence is kept.
        spool: where it waits when the database does not take it.
    """

    def keep(call_id: str, operation: str | None, caller: Caller, raw: bytes, refused: Refused | HttpError) -> None:
        at = clock()
        verdict, code, where = _reason(refused)
        try:
            with writing(database) as connection:
                record_refusal(
                    connection,
                    at=at,
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
        except MmSoapError as failure:
            if spool is None:
                raise
            names = (call_id, operation, caller.organisation, caller.address)
            _let_wait(spool, Spooled(at, *names, verdict, code, where, at + retention, raw), failure)

    return keep


def keep_sent(
    database: Engine, clock: Clock = system_clock, retention: timedelta = RETENTION, spool: Spool | None = None
) -> SentHook:
    """Return the hook that keeps what came in another encoding than UTF-8, before it is converted.

    What became of it is in the evidence of the same call that follows, with the request in UTF-8. Where the database
    does not take it the call is refused, and both wait in the spool.
    """

    def keep(call_id: str, caller: Caller, raw: bytes) -> None:
        now, verdict = clock(), "converted to UTF-8"
        told = caller.organisation or caller.address
        sent = Evidence(now, "in", call_id, None, verdict, told, raw, now + retention)
        try:
            with writing(database) as connection:
                record_evidence(connection, sent)
        except MmSoapError as failure:
            if spool is not None:
                names = (call_id, None, caller.organisation, caller.address)
                _let_wait(spool, Spooled(now, *names, verdict, None, None, now + retention, raw), failure)
            raise

    return keep


def _let_wait(spool: Spool, one: Spooled, failure: MmSoapError) -> None:
    spool.put(one)
    digest = sha256(one.content).hexdigest()
    told = "evidence waits in the spool: call_id=%s verdict=%s bytes=%d sha256=%s: %s"
    _log.warning(told, one.call_id, one.verdict, len(one.content), digest, failure)


def _reason(refused: Refused | HttpError) -> tuple[str, int | str, str | None]:
    if isinstance(refused, HttpError):
        return f"HTTP {refused.code}", f"http{refused.code}", None
    return refused.refusal.name, refused.refusal.code, refused.where
