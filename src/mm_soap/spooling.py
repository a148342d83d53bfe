"""Taking the evidence that waits in a party's spool into its database, once, and in the order of its time."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, select

from mm_soap.clock import Clock
from mm_soap.errors import MmSoapError, Refusal, Refused
from mm_soap.storage import Evidence, Spool, Spooled, record_evidence, record_refusal, writing
from mm_soap.storage.chain import hold_chain
from mm_soap.storage.evidence import evidence, record
from mm_soap.unexpected import guarded

_log = logging.getLogger(__name__)

_TAKEN_TOGETHER: Final = 500
_MOST_ERRORS: Final = 10
_SECONDS_AFTER_AN_ERROR: Final = 10.0
_BYTES_SURELY_THERE: Final = timedelta(days=1)
"""How long before their time is over bytes are relied on to be there still."""

_with_bytes, _in_chain = (
    select(table.c.id)
    .where(table.c.call_id == bindparam("wanted"), table.c.verdict == bindparam("wanted_verdict"))
    .limit(1)
    for table in (evidence, record)
)


class Spooling:
    """Takes in what waits in one spool, in turns.

    Args:
        database: the party's own.
        spool: its spool.
        clock: the time.
    """

    def __init__(self, database: Engine, spool: Spool, clock: Clock) -> None:
        self._database = database
        self._spool = spool
        self._clock = clock
        self._again_at = 0.0

    def turn(self) -> None:
        """Take in some of what waits. An error is logged, and goes no further; then nothing is done for ten seconds."""
        if time.monotonic() >= self._again_at and not guarded(self._turn, _log, "The spool of evidence"):
            self._again_at = time.monotonic() + _SECONDS_AFTER_AN_ERROR

    def _turn(self) -> None:
        self._spool.clear_up()
        number = take_in(self._database, self._spool, self._clock)
        if number:
            _log.info("%d pieces of evidence that waited in the spool are in the database", number)


def take_in(database: Engine, spool: Spool, clock: Clock) -> int:
    """Take some of what waits in a spool into the database, and return how much that was.

    A file goes once its transaction is on disk. What was cut short in between, or taken by another process at the same
    time, is known by its call and verdict. Of several processes one takes in at a time: the one that holds the chain.

    Raises:
        MmSoapError: some of it could not be taken in; it waits. ``UNAVAILABLE`` when the database is away.
        OSError: a file cannot be read or removed.
    """
    taken, errors = 0, list[MmSoapError | OSError]()
    for file in spool.waiting():
        try:
            one = spool.read(file)
            if one is None:
                continue
            if not _store(database, one, clock()):
                return taken
            spool.remove(file)
        except (MmSoapError, OSError) as error:
            errors.append(error)
            if len(errors) == _MOST_ERRORS or (isinstance(error, Refused) and error.refusal is Refusal.UNAVAILABLE):
                break
        else:
            taken += 1
            if taken == _TAKEN_TOGETHER:
                break
    if errors:
        raise errors[0]
    return taken


def _store(database: Engine, one: Spooled, now: datetime) -> bool:
    """Store a piece unless it is stored already. False where another process is at it."""
    with writing(database) as connection:
        if hold_chain(connection) is None:
            return False
        if not _is_stored(connection, one, now):
            _record(connection, one, now)
    return True


def _is_stored(connection: Connection, one: Spooled, now: datetime) -> bool:
    # Records have no index by call. They are searched for what is so old that its bytes may have come and gone.
    statement = _with_bytes if now < one.keep_until - _BYTES_SURELY_THERE else _in_chain
    return connection.execute(statement, {"wanted": one.call_id, "wanted_verdict": one.verdict}).first() is not None


def _record(connection: Connection, one: Spooled, now: datetime) -> None:
    if one.code is None:
        caller = one.organisation or one.address
        came = Evidence(one.at, "in", one.call_id, None, one.verdict, caller, one.content, one.keep_until)
        record_evidence(connection, came)
        return
    record_refusal(
        connection,
        at=one.at,
        call_id=one.call_id,
        operation=one.operation,
        organisation=one.organisation,
        address=one.address,
        raw=one.content,
        verdict=one.verdict,
        code=one.code,
        where=one.where,
        retention=one.keep_until - one.at,
        taken_in=now,
    )
