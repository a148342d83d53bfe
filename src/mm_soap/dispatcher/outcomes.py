"""Writing down what became of steps, with the event that tells of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock
from mm_soap.dispatcher import parts, store
from mm_soap.dispatcher.model import Outcome
from mm_soap.storage import Event, record_event, writing

_log = logging.getLogger(__name__)

Divert = Callable[[Connection, Sequence[Outcome]], Sequence[Outcome]]
"""Puts other outcomes in the place of those that need not be the end: the message takes another channel."""


def write_down(
    database: Engine, clock: Clock, kind: str, outcomes: Sequence[Outcome], divert: Divert | None = None
) -> None:
    """Write what became of deliveries in one transaction.

    Args:
        database: the dispatcher's own.
        clock: the time of the events.
        kind: the step, ``look-up`` or ``hand-over``.
        outcomes: one for each delivery.
        divert: looks at them first, in the same transaction.

    Raises:
        Refused: ``UNAVAILABLE`` or ``UNEXPECTED``, as :func:`mm_soap.storage.writing`.
    """
    now = clock()
    # Not durable: after a crash of the machine the step runs again, with the same bytes and the same answer.
    with writing(database, durable=False) as connection:
        if divert is not None:
            outcomes = divert(connection, outcomes)
        store.write_outcomes(connection, outcomes)
        parts.write_parts(connection, outcomes)
        record_event(connection, *(_event(now, kind, outcome) for outcome in outcomes))
    for outcome in outcomes:
        _log.debug("%s %s: %s", kind, outcome.distribution_id, outcome.state.value)


def _event(now: datetime, kind: str, outcome: Outcome) -> Event:
    retried = outcome.next_attempt is not None and outcome.attempts > 0 and outcome.cause is None
    return Event(
        now,
        kind,
        outcome.word or ("retry" if retried else outcome.state.value),
        outcome.distribution_id,
        trans_id=outcome.trans_id,
        sender=outcome.sender,
        detail={"reason": outcome.reason, "attempt": outcome.attempts, **(outcome.detail or {})},
    )
