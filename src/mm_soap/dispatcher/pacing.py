"""Searches that take longer the more waits, and are made again and again beside the work itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")

SHARE: Final = 0.05
"""Which part of the time one search may take."""


class Paced:
    """Makes a search when it is asked for it, but rests after each in proportion to what that took.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()

    def run(self, search: Callable[[], Sequence[_T]]) -> Sequence[_T]:
        """Return what the search finds; nothing while it rests."""
        begun = self._clock()
        if begun < self._next:
            return ()
        found = search()
        self._next = begun + (self._clock() - begun) / SHARE
        return found
