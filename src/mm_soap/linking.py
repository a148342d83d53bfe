"""The chain of evidence grows: once a second, what was written since then gets its place in it.

What had to wait for the database is taken in first.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from sqlalchemy import Engine

from mm_soap.spooling import Spooling
from mm_soap.storage import Head, head_of, link_records, reading, waits_for_links, writing
from mm_soap.unexpected import Repeated, guarded

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_ROUNDS: Final = 1.0
_SECONDS_AFTER_AN_ERROR: Final = 10.0
_SECONDS_BETWEEN_HEADS: Final = 3600.0
_WHO: Final = "The chain of evidence"


class Linking:
    """Links the evidence of a party, in the background: at the start, once a second, and at the end.

    Any number of processes may do so for one database; one of them links at a time. The head of the chain goes into the
    log at the start and every hour, if it has moved: a log that is kept elsewhere shows whether the chain was cut.

    Args:
        database: the party's own.
        party: its name, for the log.
        spooling: takes in what waits for the database; None where nothing can.
    """

    def __init__(self, database: Engine, party: str, spooling: Spooling | None = None) -> None:
        self._database = database
        self._party = party
        self._spooling = spooling
        self._thread = Repeated("linking", self._turn, _log, _WHO, _SECONDS_AFTER_AN_ERROR)
        self._told = Head(0, "")
        self._tell_at = 0.0

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def settle(self) -> None:
        """Return at once: no call waits for this."""

    def stop(self) -> None:
        """End, after what has no place yet has got one."""
        self._thread.stop()
        guarded(self._last, _log, _WHO)

    def _turn(self) -> float:
        if self._spooling is not None:
            self._spooling.turn()
        link_all(self._database)
        if time.monotonic() >= self._tell_at:
            self._tell()
            self._tell_at = time.monotonic() + _SECONDS_BETWEEN_HEADS
        return _SECONDS_BETWEEN_ROUNDS

    def _last(self) -> None:
        link_all(self._database)
        self._tell()

    def _tell(self) -> None:
        with reading(self._database) as connection:
            head = head_of(connection)
        if head != self._told and head.position:
            self._told = head
            _log.info("evidence party=%s head=%d:%s", self._party, head.position, head.hash)


def link_all(database: Engine) -> int:
    """Give each record that has none its place in the chain, and return how many those were.

    Raises:
        Refused: ``UNAVAILABLE`` when the database is away or busy.
    """
    total = 0
    while True:
        with reading(database) as connection:
            if not waits_for_links(connection):
                return total
        with writing(database) as connection:
            linked = link_records(connection)
        if not linked:
            return total  # another process is at it
        total += linked
