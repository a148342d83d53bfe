"""Keeps the revocation of certificates known: what is in use is asked for in the background, never by a call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Final
from weakref import WeakValueDictionary

from cryptography import x509

from mm_soap.clock import Clock
from mm_soap.pki import subject_name
from mm_soap.revocation.addresses import Addresses
from mm_soap.revocation.cache import Folder
from mm_soap.revocation.model import Rules
from mm_soap.revocation.report import Tally, phase_of, sentence, sentences
from mm_soap.revocation.sources import Source
from mm_soap.revocation.watched import Link, WatchedPath
from mm_soap.unexpected import Repeated, guarded

_log = logging.getLogger(__name__)

MOST_WAITING: Final = 8
"""How many calls wait for a first status at a time. The others are answered at once, by what is known."""
_THREADS: Final = 4
_WHO: Final = "The question for revocations"
_SECONDS_BETWEEN_ROUNDS: Final = 1.0
_SECONDS_WHEN_WANTED: Final = 0.05
_FORGET_EVERY: Final = timedelta(hours=1)


class Revocation:
    """What is known of revocations. Safe for threads; started anew in each process.

    Before `start`, and where it is never called, whoever checks a certificate asks by itself.

    Args:
        addresses: which sources tell of a certificate.
        rules: how statuses are got, and how long they count.
        folder: what was fetched, for all processes.
        clock: the time.
    """

    def __init__(self, addresses: Addresses, rules: Rules, folder: Folder, clock: Clock) -> None:
        self._addresses = addresses
        self._rules = rules
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        # Those that somebody still holds: what a trust store remembers, not each person who signed once.
        self._links: WeakValueDictionary[x509.Certificate, Link] = WeakValueDictionary()
        self._wanted: set[Source] = set()
        self._changed = threading.Condition()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._pool: ThreadPoolExecutor | None = None
        self._thread = Repeated("revocation", self._turn, _log, _WHO, _SECONDS_BETWEEN_ROUNDS)
        self._phases: dict[Source, str] = {}
        self._next_forgetting: datetime | None = None
        self._hosts: set[str] = set()
        self.tally = Tally()

    def watch(self, path: Sequence[x509.Certificate], *, keep: bool = True) -> WatchedPath:
        """Return the revocation of a path's certificates.

        Args:
            path: a valid path, the leaf first and the anchor last. Only such a path may come here: its addresses are
                asked.
            keep: whether it will be asked for again and again, so that its status is kept fresh.
        """
        links = [self._link(each, issuer) for each, issuer in pairwise(path)]
        return WatchedPath(links, self._clock, self._ask, self.tally.add_revoked, keep=keep)

    def warnings(self) -> list[str]:
        """Return a sentence for each source in use that is not fresh."""
        return sentences(self.sources(), self._clock())

    def sources(self) -> list[Source]:
        """Return all sources that are known now, those of the settings among them."""
        with self._lock:
            links = list(self._links.values())
        found = dict.fromkeys(self._addresses.lists())
        found |= dict.fromkeys(source for link in links for source in link.sources)
        return list(found)

    def start(self) -> None:
        """Begin to keep statuses fresh, and return at once."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="revocation")
        self._thread.start()

    def settle(self) -> None:
        """Wait until the sources of the settings were asked once, as long as one answer may take at most."""
        deadline = time.monotonic() + self._rules.timeout
        with self._changed:
            while any(source.attempted is None for source in self._addresses.always):
                left = deadline - time.monotonic()
                if left <= 0 or self._thread.stopping:
                    return
                self._changed.wait(min(left, _SECONDS_BETWEEN_ROUNDS))

    def stop(self) -> None:
        """End after what is under way."""
        self._thread.stop(wait=False)
        with self._changed:
            self._changed.notify_all()
        self._thread.stop()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def once(self) -> None:
        """Ask all sources that are due, one after the other, in this thread."""
        for source in self._due():
            self._one(source)

    def _link(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Link:
        with self._lock:
            link = self._links.get(certificate)
            if link is not None and link.issuer == issuer:
                return link
        sources, accept_unknown = self._addresses.of(certificate, issuer)
        if not sources:
            _log.warning(
                "Nothing tells whether certificates of %s are revoked: name its lists or its responder in the table "
                "[revocation].",
                subject_name(issuer),
            )
        link = Link(certificate, issuer, sources, accept_unknown=accept_unknown)
        with self._lock:
            self._links[certificate] = link
        return link

    def _ask(self, links: Sequence[Link]) -> None:
        now = self._clock()
        due = [source for link in links for source in link.sources if source.due(now)]
        if self._pool is None:
            for source in due:
                self._one(source)
            return
        if not due or not self._waiting.acquire(blocking=False):
            return
        try:
            deadline = time.monotonic() + self._rules.first_wait
            with self._changed:
                self._wanted.update(due)
                self._changed.notify_all()
                while not self._wanted.isdisjoint(due) and not self._thread.stopping:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return
                    self._changed.wait(left)
        finally:
            self._waiting.release()

    def _due(self) -> list[Source]:
        """Return what is to be asked now, what a call waits for first."""
        now = self._clock()
        with self._changed:
            wanted = set(self._wanted)
        due = [each for each in {*self.sources(), *wanted} if each.due(now) and (each in wanted or each.active(now))]
        return sorted(due, key=lambda each: each not in wanted)

    def _turn(self) -> float:
        assert self._pool is not None
        self._round(self._pool)
        with self._changed:
            if not self._thread.stopping:
                self._changed.wait(_SECONDS_WHEN_WANTED if self._wanted else _SECONDS_BETWEEN_ROUNDS)
        return 0

    def _round(self, pool: ThreadPoolExecutor) -> None:
        """Begin to ask what is due, and tell of what has changed."""
        due = self._due()
        with self._changed:
            # What is wanted and not due any more has been answered.
            self._wanted.intersection_update(due)
            self._changed.notify_all()
            hosts = {source.host for source in due} - self._hosts
            self._hosts |= hosts
        for host in hosts:
            pool.submit(guarded, partial(self._ask_host, host), _log, _WHO)
        self._tell()
        self._forget()

    def _ask_host(self, host: str) -> None:
        """Ask all that is due of one host, one at a time, so that a slow one keeps no more than one thread."""
        tried: set[Source] = set()
        try:
            while not self._thread.stopping:
                source = next((each for each in self._due() if each.host == host and each not in tried), None)
                if source is None:
                    return
                tried.add(source)
                self._one(source)
        finally:
            with self._changed:
                self._hosts.discard(host)

    def _one(self, source: Source) -> None:
        with source.busy:
            now = self._clock()
            before = source.refreshes, source.failures
            asked = not source.due(now) or self._refreshed(source, now)
            self.tally.add(source, source.refreshes - before[0], source.failures - before[1])
        if asked:
            with self._changed:
                self._wanted.discard(source)
                self._changed.notify_all()

    def _refreshed(self, source: Source, now: datetime) -> bool:
        found = [True]
        guarded(lambda: found.append(source.refresh(now)), _log, _WHO)
        return found[-1]

    def _tell(self) -> None:
        """Write a line when a source fails, is out of date, counts no more, or is well again."""
        now = self._clock()
        sources = self.sources()
        for source in sources:
            if source.attempted is None or not source.active(now):
                continue
            phase = phase_of(source, now)
            if phase != self._phases.get(source, "fresh"):
                level = logging.INFO if phase == "fresh" else logging.WARNING if phase == "failing" else logging.ERROR
                _log.log(level, "%s", sentence(source, now))
            self._phases[source] = phase
        for gone in self._phases.keys() - set(sources):
            del self._phases[gone]

    def _forget(self) -> None:
        now = self._clock()
        if self._next_forgetting is None or now >= self._next_forgetting:
            self._next_forgetting = now + _FORGET_EVERY
            self._addresses.forget(now)
            self._folder.forget(now)
