"""What keeps a party's evidence, built from settings."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock
from mm_soap.config import Settings
from mm_soap.housekeeping import Housekeeping
from mm_soap.linking import Linking
from mm_soap.refusals import keep_refusals, keep_sent
from mm_soap.soap import RefusedHook, SentHook
from mm_soap.storage import forget_records


def retention_of(settings: Settings) -> timedelta:
    """Return how long the bytes of what was accepted are kept."""
    return timedelta(days=settings.evidence.keep_days)


def evidence_hooks(settings: Settings, database: Engine, clock: Clock) -> tuple[RefusedHook, SentHook]:
    """Return what keeps the calls that a party refuses, and those that it had to convert."""
    days = settings.evidence.refused_days
    refused = keep_refusals(database, clock, timedelta(days=days) if days else retention_of(settings))
    return refused, keep_sent(database, clock, retention_of(settings))


def evidence_work(settings: Settings, database: Engine, party: str, clock: Clock) -> tuple[Linking | Housekeeping, ...]:
    """Return what links the records of a party's evidence, and forgets those whose time is over."""
    linking, days = Linking(database, party), settings.evidence.record_days
    if not days:
        return (linking,)

    def forget_old(connection: Connection, now: datetime) -> int:
        return forget_records(connection, now - timedelta(days=days))

    return linking, Housekeeping(database, clock, forget_old)
