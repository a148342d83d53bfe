"""The chain of evidence grows: once a second, what was written since then gets its place in it."""

from __future__ import annotations

import logging
import threading
from typing import Final

from sqlalchemy import Engine

from mm_soap.errors import MmSoapError
from mm_soap.storage import head_of, link_records, reading, waits_for_links, writing

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_ROUNDS: Final = 1.0
_ROUNDS_BETWEEN_HEADS: Final = 3600


class Linking:
    """Links the evidence of a party, in the background: at the start, once a second, and at the end.

    Any number of processes may do so for one database; one of them links at a time. The head of the chain goes into the
    log at the start and every hour, if it has moved: a log that is kept elsewhere shows whether the chain was cut.

    Args:
        database: the party's own.
        party: its name, for the log.
    """

    def __init__(self, database: Engine, party: str) -> None:
        self._database = database
        self._party = party
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._told = 0
        self._away = False

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread = threading.Thread(target=self._run, name="linking", daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Return at once: no call waits for this."""

    def stop(self) -> None:
        """End, after what has no place yet has got one."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        rounds = 0
        while not self._stopping.is_set():
            self._round(tell=rounds % _ROUNDS_BETWEEN_HEADS == 0)
            rounds += 1
            self._stopping.wait(_SECONDS_BETWEEN_ROUNDS)
        self._round(tell=True)

    def _round(self, tell: bool) -> None:
        try:
            link_all(self._database)
            if tell:
                self._tell()
            self._away = False
        except MmSoapError as error:
            if not self._away:  # once, not every second
                _log.error("The chain of evidence waits: %s", error)
            self._away = True

    def _tell(self) -> None:
        with reading(self._database) as connection:
            head = head_of(connection)
        if head.position != self._told:
            self._told = head.position
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
