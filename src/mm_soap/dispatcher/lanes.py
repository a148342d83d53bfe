"""One lane for each operator, so that a slow or dead one holds nobody else up.

A lane bounds how many calls are under way at once, and stops for a while after several technical errors in a row: a
circuit breaker that lets one call through when the pause is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

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

    def room(self, now: datetime) -> int:
        """Return how many calls may begin now."""
        if self.closed_until is not None:
            if now < self.closed_until:
                return 0
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

    def full(self, now: datetime) -> set[str]:
        """Return the operators to which no call may begin now."""
        return {operator for operator, lane in self._lanes.items() if lane.room(now) == 0}
