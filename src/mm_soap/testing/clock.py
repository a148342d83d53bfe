"""A clock that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FrozenClock:
    """A `Clock` for tests: returns the same moment until `set` or `advance`.

    Args:
        now: the moment, with a time zone.
    """

    def __init__(self, now: datetime = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)) -> None:
        self.set(now)

    def __call__(self) -> datetime:
        """Return the moment."""
        return self._now

    def set(self, now: datetime) -> None:
        """Move to a moment, with a time zone, forwards or backwards.

        Raises:
            ValueError: the moment has no time zone.
        """
        if now.utcoffset() is None:
            raise ValueError("a clock needs a moment with a time zone")
        self._now = now

    def advance(self, by: timedelta) -> None:
        """Move on by a duration."""
        self._now += by
