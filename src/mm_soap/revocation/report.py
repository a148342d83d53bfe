"""What is told of the sources: sentences for people, values for metrics."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mm_soap.pki import subject_name
from mm_soap.revocation.sources import Source

AGE: Final = "mm_soap_revocation_age_seconds"
LEFT: Final = "mm_soap_revocation_left_seconds"
REFRESHES: Final = "mm_soap_revocation_refreshes_total"
FAILURES: Final = "mm_soap_revocation_failures_total"
REVOKED: Final = "mm_soap_revocation_refused_total"

Rows = list[tuple[dict[str, str], float]]


class Tally:
    """Counts what was asked, also of sources that are forgotten since. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revoked: Counter[str] = Counter()
        self._counts: dict[tuple[str, ...], tuple[dict[str, str], int, int]] = {}

    def add(self, source: Source, refreshes: int, failures: int) -> None:
        """Count for a source."""
        labels = labels_of(source)
        with self._lock:
            _, before, failed = self._counts.get(tuple(labels.values()), (labels, 0, 0))
            self._counts[tuple(labels.values())] = labels, before + refreshes, failed + failures

    def add_revoked(self, issuer: x509.Certificate) -> None:
        """Count that a certificate of an issuer was refused since it is revoked."""
        with self._lock:
            self._revoked[_name(issuer)] += 1

    def revoked(self) -> Rows:
        """Return, by issuer, how often a certificate was refused since it is revoked."""
        with self._lock:
            return [({"issuer": issuer}, float(number)) for issuer, number in self._revoked.items()]

    def refreshes(self) -> Rows:
        """Return how often each issuer's sources were asked and answered."""
        with self._lock:
            return [(labels, float(number)) for labels, number, _ in self._counts.values()]

    def failures(self) -> Rows:
        """Return how often nothing came that could be used."""
        with self._lock:
            return [(labels, float(number)) for labels, _, number in self._counts.values()]


def phase_of(source: Source, now: datetime) -> str:
    """Return ``fresh``, ``failing`` (still fresh, and the last attempt failed), ``grace``, ``over`` or ``nothing``."""
    if source.held is None:
        return "nothing"
    if now > source.held.usable_until:
        return "over"
    if now > source.held.fresh_until:
        return "grace"
    return "failing" if source.failure else "fresh"


def sentence(source: Source, now: datetime) -> str:
    """Return one sentence for whoever runs this installation."""
    what = "The revocation list" if source.kind == "crl" else "The OCSP responder's word"
    named = f"{what} for certificates of {subject_name(source.issuer)} ({source.host})"
    held = source.held
    why = f": {source.failure}" if source.failure else ""
    if held is None:
        return f"{named} was never got{why}."
    when = f"{held.confirmed:%Y-%m-%d %H:%M} UTC"
    phase = phase_of(source, now)
    if phase == "fresh":
        return f"{named} is fresh, of {when}."
    until = f"{held.usable_until:%Y-%m-%d %H:%M} UTC"
    if phase == "over":
        return f"{named} of {when} counts no more since {until}{why}."
    return f"{named} of {when} could not be renewed{why}. It counts until {until}."


def sentences(sources: Iterable[Source], now: datetime) -> list[str]:
    """Return a sentence for each source that is in use and not fresh; those of one host and issuer tell it once."""
    found: dict[tuple[object, ...], str] = {}
    for source in sources:
        if source.attempted is not None and source.active(now) and phase_of(source, now) != "fresh":
            found.setdefault((source.issuer, source.kind, source.host, phase_of(source, now)), sentence(source, now))
    return sorted(found.values())


def ages(sources: Sequence[Source], now: datetime) -> Rows:
    """Return, by issuer, kind and host, the seconds since a status in use was confirmed: the oldest."""
    return _worst(
        (source, (now - source.held.confirmed).total_seconds()) for source in _in_use(sources, now) if source.held
    )


def left(sources: Sequence[Source], now: datetime) -> Rows:
    """Return, by issuer, kind and host, the seconds for which a status in use counts: the shortest."""
    shortest = _worst(
        (source, (now - source.held.usable_until).total_seconds()) for source in _in_use(sources, now) if source.held
    )
    return [(labels, -value) for labels, value in shortest]


def labels_of(source: Source) -> dict[str, str]:
    """Return how metrics name a source."""
    return {"issuer": _name(source.issuer), "kind": source.kind, "host": source.host}


def _name(issuer: x509.Certificate) -> str:
    return issuer.fingerprint(SHA256()).hex()[:16]


def _in_use(sources: Iterable[Source], now: datetime) -> Iterable[Source]:
    return (source for source in sources if source.active(now))


def _worst(values: Iterable[tuple[Source, float]]) -> Rows:
    found: dict[tuple[str, ...], tuple[dict[str, str], float]] = {}
    for source, value in values:
        labels = labels_of(source)
        key = tuple(labels.values())
        if key not in found or found[key][1] < value:
            found[key] = labels, value
    return list(found.values())
