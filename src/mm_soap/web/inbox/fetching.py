"""How many fetch a whole mailbox at once, and how slowly: each of them holds a thread of the server for that time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from errno import ECONNRESET
from typing import Final

from mm_soap.unexpected import places

_log = logging.getLogger(__name__)

_SHARE: Final = 4
"""One of so many threads may send a mailbox."""
_LENIENT_SECONDS: Final = 30.0
"""For so long, on the whole, somebody may be slower than `_SLOWEST`."""
_SLOWEST: Final = 4096
"""Bytes a second. A phone with the poorest connection of today takes several times that."""


class Places:
    """The places for those who fetch a mailbox, in one process.

    Args:
        threads: how many requests the server answers at once.
    """

    def __init__(self, threads: int) -> None:
        self._most = max(1, threads // _SHARE)
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def take(self, person: str) -> bool:
        """Take a place for a person; False where none is free, or the person has one."""
        with self._lock:
            if person in self._taken or len(self._taken) >= self._most:
                return False
            self._taken.add(person)
            return True

    def give_back(self, person: str) -> None:
        """Free a person's place."""
        with self._lock:
            self._taken.discard(person)


def whole_or_broken_off(pieces: Iterator[bytes], elapsed: Callable[[], float] = time.monotonic) -> Iterator[bytes]:
    """Hand on pieces that are not empty: an empty one would end the file. On a failure the connection breaks off.

    It breaks off too when the client takes the file too slowly. The browser then says that the download failed, and the
    server logs no text of what went wrong.

    Args:
        pieces: the file.
        elapsed: seconds since some moment.
    """
    sent, waited = 0, 0.0
    try:
        for piece in filter(None, pieces):
            begun = elapsed()
            yield piece
            sent, waited = sent + len(piece), waited + elapsed() - begun
            if waited > _LENIENT_SECONDS and sent < waited * _SLOWEST:
                _log.warning("a mailbox was fetched so slowly that it was broken off")
                break
        else:
            return
    except Exception as error:
        _log.error("an export broke off: %s", places(error))
    raise ConnectionResetError(ECONNRESET, "the export broke off") from None
