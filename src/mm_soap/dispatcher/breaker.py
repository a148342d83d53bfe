"""The circuit breaker of one operator: closed, open for a pause, then half-open for probes.

It knows nothing of threads and holds no clock: whoever runs deliveries tells it when calls begin and end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mm_soap.dispatcher.policy import BreakerPolicy


@dataclass
class Breaker:
    """Counts technical errors in a row, and says how many calls may begin.

    A pause is a time between two moments of the clock. Were the clock set back before the first of them, the pause is
    over: an operator is never left alone for longer than was meant.
    """

    policy: BreakerPolicy
    failures: int = 0
    """Technical errors in a row."""
    opened: datetime | None = None
    """When the last pause began; None while the breaker is closed."""
    until: datetime | None = None
    """When it ends. After it the breaker is half-open."""

    def paused(self, now: datetime) -> bool:
        """Tell whether no call may begin now."""
        return self.opened is not None and self.until is not None and self.opened <= now < self.until

    def room(self, now: datetime, limit: int, under_way: int) -> int:
        """Return how many calls may begin now, where ``limit`` at once are allowed and some are under way."""
        if self.paused(now):
            return 0
        allowed = limit if self.until is None else min(limit, self.policy.probes)
        return max(0, allowed - under_way)

    def succeeded(self) -> bool:
        """Count an answer, also a refusal: the operator works. Returns whether the breaker was open before."""
        was_open = self.until is not None
        self.failures, self.opened, self.until = 0, None, None
        return was_open

    def failed(self, now: datetime) -> bool:
        """Count a technical error. Returns whether a pause begins with it."""
        if self.paused(now):
            return False  # its call began before the pause, and says nothing new
        self.failures += 1
        pause = self.policy.pause(self.failures)
        if pause is None:
            return False
        self.opened, self.until = now, now + pause
        return True
