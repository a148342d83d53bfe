"""One lane for each operator, so that a slow or dead one holds nobody else up.

A lane bounds how many calls are under way at once, and stops for a while after several technical errors in a row: a
circuit breaker that lets one call through when the pause is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from mm_soap.dispatcher.model import Sealed

_FAILURES_TO_OPEN: Final = 5
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 60.0


@dataclass
class Lane:
    """The calls to one operator. Used by one thread alone."""

    limit: int
    """Calls at once."""
    under_way: int = 0
    failures: int = 0
    """Technical errors in a row."""
    closed_until: datetime | None = None
    """No calls before this time."""
    waiting: deque[Sealed] = field(default_factory=deque)
    """What goes next, in order."""

    def paused(self, now: datetime) -> bool:
        """Tell whether no call may begin now, however few are under way."""
        return self.closed_until is not None and now < self.closed_until

    def room(self, now: datetime) -> int:
        """Return how many calls may begin now."""
        if self.paused(now):
            return 0
        if self.closed_until is not None:
            return max(0, 1 - self.under_way)
        return max(0, self.limit - self.under_way)

    def begin(self) -> None:
        """Count a call that begins."""
        self.under_way += 1

    def end(self, technical_error: bool, now: datetime) -> None:
        """Count a call that ended."""
        self.under_way -= 1
        if not technical_error:
            self.failures = 0
            self.closed_until = None
            return
        if self.paused(now):
            return  # it began before the pause, and says nothing new
        self.failures += 1
        if self.failures >= _FAILURES_TO_OPEN:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self.failures - _FAILURES_TO_OPEN, 16))
            self.closed_until = now + timedelta(seconds=pause)


@dataclass
class Lanes:
    """The lanes by the operator's organisation number."""

    limit: int
    _lanes: dict[str, Lane] = field(default_factory=dict)

    def of(self, operator: str) -> Lane:
        """Return the lane of an operator."""
        return self._lanes.setdefault(operator, Lane(self.limit))

    def full(self, now: datetime, most: int) -> set[str]:
        """Return the operators for which nothing more is to be fetched: a pause, or ``most`` wait already."""
        return {operator for operator, lane in self._lanes.items() if lane.paused(now) or len(lane.waiting) >= most}

    def waiting(self) -> int:
        """Return how many deliveries wait, in all lanes."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def each(self) -> Iterator[Lane]:
        """Yield every lane."""
        yield from self._lanes.values()

    def next_up(self, now: datetime, most: int) -> list[Sealed]:
        """Return at most ``most`` deliveries whose calls may begin now, one of each lane in turn; they stay waiting."""
        chosen: list[Sealed] = []
        rooms = [(lane, min(lane.room(now), len(lane.waiting))) for lane in self._lanes.values()]
        for place in range(max((room for _, room in rooms), default=0)):
            chosen += [lane.waiting[place] for lane, room in rooms if room > place]
        # Whoever went first now goes last: were there never room for all, the last would else never have a turn.
        if len(chosen) > most:
            first = next(iter(self._lanes))
            self._lanes[first] = self._lanes.pop(first)
        return chosen[:most]
