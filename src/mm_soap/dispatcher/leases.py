"""Claims that last as long as the steps that hold them.

A claim is short, so that the deliveries of a worker that died are free within seconds; and it is renewed while its step
runs, so that a slow operator does not end it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine

from mm_soap.dispatcher.claims import Claims
from mm_soap.storage import writing
from mm_soap.unexpected import Repeated

_log = logging.getLogger(__name__)

_RENEWALS: Final = 3
"""How often a claim is renewed before it would end: one renewal may fail, and one may come late."""


class Leases:
    """Renews the claims of the steps that this process runs.

    Args:
        database: the dispatcher's own.
        claims: how long a claim lasts.
        longest: after how many seconds a step is taken to be stuck, and its claim is left to end.
    """

    def __init__(self, database: Engine, claims: Claims, longest: float) -> None:
        self._database = database
        self.claims = claims
        self._longest = longest
        self._kept: dict[str, float] = {}
        self._lock = threading.Lock()
        self._between = claims.lease.total_seconds() / _RENEWALS
        self._renewals = Repeated("leases", self._turn, _log, "The renewal of claims", self._between)

    def start(self) -> None:
        """Begin, and return at once."""
        self._renewals.start()

    def stop(self) -> None:
        """End. Claims that are still kept end by themselves."""
        self._renewals.stop()

    @contextmanager
    def keep(self, claim: str) -> Iterator[None]:
        """Renew a claim for as long as the block runs."""
        with self._lock:
            self._kept[claim] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._kept[claim]

    def renew(self) -> None:
        """Renew all claims whose steps run and are not stuck.

        Raises:
            Refused: the database is away.
        """
        oldest = time.monotonic() - self._longest
        with self._lock:
            running = [claim for claim, since in self._kept.items() if since > oldest]
        if running:
            with writing(self._database, durable=False) as connection:
                self.claims.renew(connection, running)

    def _turn(self) -> float:
        self.renew()
        return self._between
