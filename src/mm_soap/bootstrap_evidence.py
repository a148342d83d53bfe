"""What keeps a party's evidence, built from settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock
from mm_soap.config import Settings
from mm_soap.housekeeping import Housekeeping
from mm_soap.linking import Linking
from mm_soap.refusals import keep_refusals, keep_sent
from mm_soap.soap import Metrics, RefusedHook, SentHook
from mm_soap.soap.metrics import Gauge
from mm_soap.spooling import Spooling
from mm_soap.storage import Spool, forget_records


@dataclass(frozen=True)
class KeptEvidence:
    """What keeps the evidence of one party.

    Args:
        hooks: keep the calls that it refuses, and those that it had to convert.
        work: links the records, takes in what waits, and forgets records whose time is over.
        spool: where evidence waits for the database; None without one.
    """

    hooks: tuple[RefusedHook, SentHook]
    work: tuple[Linking | Housekeeping, ...]
    spool: Spool | None


def retention_of(settings: Settings) -> timedelta:
    """Return how long the bytes of what was accepted are kept."""
    return timedelta(days=settings.evidence.keep_days)


def evidence_of(settings: Settings, database: Engine, party: str, clock: Clock) -> KeptEvidence:
    """Return what keeps the evidence of a party, by its name."""
    own, spool = settings.evidence, spool_of(settings, party)
    refused = timedelta(days=own.refused_days) if own.refused_days else retention_of(settings)
    hooks = (
        keep_refusals(database, clock, refused, spool),
        keep_sent(database, clock, retention_of(settings), spool),
    )
    linking = Linking(database, party, Spooling(database, spool, clock) if spool is not None else None)
    if not own.record_days:
        return KeptEvidence(hooks, (linking,), spool)

    def forget_old(connection: Connection, now: datetime) -> int:
        return forget_records(connection, now - timedelta(days=own.record_days))

    return KeptEvidence(hooks, (linking, Housekeeping(database, clock, forget_old)), spool)


def spool_of(settings: Settings, party: str) -> Spool | None:
    """Return the spool of a party, by its name; None where the settings have none."""
    own = settings.evidence
    return Spool(Path(own.spool) / party.replace(":", "-"), own.spool_bytes) if own.spool else None


def spool_notes(spools: Mapping[str, Spool]) -> list[str]:
    """Return a sentence for each spool, by its party, in which something waits, or that takes no more."""
    told = []
    for party, spool in spools.items():
        state = spool.state()
        if state.waiting:
            told.append(f"{state.waiting} pieces of evidence of {party} wait in the spool for the database.")
        if state.damaged:
            told.append(f"{state.damaged} files in the spool of evidence of {party} are damaged.")
        if spool.is_full(state):
            told.append(f"The spool of evidence of {party} is full.")
    return told


def count_spools(metrics: Metrics, spools: Mapping[str, Spool]) -> None:
    """Show what waits in the spools of some parties, and what could not."""
    if not spools:
        return

    def states() -> Sequence[tuple[Mapping[str, str], float]]:
        found = {party: spool.state() for party, spool in spools.items()}
        return [
            ({"party": party, "state": state}, number)
            for party, one in found.items()
            for state, number in (("waiting", one.waiting), ("damaged", one.damaged))
        ]

    def of_each(read: Callable[[Spool], float]) -> Gauge:
        return lambda: [({"party": party}, read(spool)) for party, spool in spools.items()]

    add, prefix = metrics.add_gauge, "mm_soap_evidence"
    add(f"{prefix}_spool_files", "Files in the spool of evidence.", states)
    add(f"{prefix}_spool_bytes", "Room that it takes.", of_each(lambda spool: spool.state().held))
    add(f"{prefix}_spooled_total", "Pieces put into it.", of_each(lambda spool: spool.written), "counter")
    add(f"{prefix}_lost_total", "Pieces it could not take.", of_each(lambda spool: spool.lost), "counter")
