"""Where the time comes from, so that a test can hand in its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time with a time zone."""


def system_clock() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
