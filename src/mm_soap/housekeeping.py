"""Forgetting in time: what is kept for a limited time goes when that time is over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock
from mm_soap.storage import writing
from mm_soap.unexpected import Repeated

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_ROUNDS: Final = 600.0

Forget = Callable[[Connection, datetime], int]
"""Deletes some of what is over at a time, and returns how many records it deleted."""

Chore = Callable[[datetime], int]
"""Does some of what is to be done at a time, and returns how much that was."""


class Housekeeping:
    """Runs what a party forgets, in the background: at the start and every ten minutes.

    Args:
        database: the party's own.
        clock: the time.
        forget: each deletes a bounded number of records in a transaction of its own, until nothing is left.
        chores: each does a bounded number of things outside any transaction, until nothing is left.
    """

    def __init__(self, database: Engine, clock: Clock, *forget: Forget, chores: Sequence[Chore] = ()) -> None:
        self._database = database
        self._clock = clock
        self._forget = forget
        self._chores = chores
        self._thread = Repeated("housekeeping", self._turn, _log, "Housekeeping", _SECONDS_BETWEEN_ROUNDS)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def settle(self) -> None:
        """Return at once: no call waits for this."""

    def stop(self) -> None:
        """End after the transaction that is under way."""
        self._thread.stop()

    def once(self) -> int:
        """Forget all that is over now, and return how many records that were."""
        chores = (*map(self._in_transaction, self._forget), *self._chores)
        return sum(map(self._until_nothing_is_left, chores))

    def _in_transaction(self, forget: Forget) -> Chore:
        def chore(now: datetime) -> int:
            with writing(self._database) as connection:
                return forget(connection, now)

        return chore

    def _until_nothing_is_left(self, chore: Chore) -> int:
        total = 0
        while not self._thread.stopping:
            number = chore(self._clock())
            total += number
            if number == 0:
                break
        return total

    def _turn(self) -> float:
        number = self.once()
        if number:
            _log.info("%d records whose time was over are deleted", number)
        return _SECONDS_BETWEEN_ROUNDS
