"""What came before and comes again: a retry by who missed the answer, or a replay of what somebody kept.

Both are answered as the first time, and nothing is stored or sent again. What differs is what the event says of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from mm_soap.storage import Event

REPEATED: Final = "answered as the first time"
"""The outcome of the event, and the verdict of the evidence, of what came again."""

RETRIES_WITHIN: Final = timedelta(days=2)
"""How long after the first call the same request is taken for a retry. A dispatcher gives up after a day."""


def repetition(first: Event | None, caller: str | None, now: datetime) -> Mapping[str, object]:
    """Return what the event of a repetition says beside the rest.

    It is a retry if the one who made the first call makes it again within two days, and a replay otherwise; also where
    nothing is known of the first call any more.

    Args:
        first: the oldest event that is known of what came before.
        caller: organisation number from the client certificate of the call now; None without one.
        now: the time.
    """
    if first is None or first.outcome == REPEATED:
        return {"repetition": "replay"}
    same = first.detail.get("caller") == caller
    word = "retry" if same and now - first.at <= RETRIES_WITHIN else "replay"
    return {"repetition": word, "first_at": first.at.isoformat(), "first_caller": first.detail.get("caller")}
