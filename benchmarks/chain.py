"""Sends messages through the whole chain and measures what each took."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.messages import Signed, moment
from benchmarks.suite import Suite
from mm_soap.errors import MmSoapError
from mm_soap.sender import SenderClient

_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0
"""How long nothing may move before the benchmark gives up."""

_UNFINISHED = "SELECT count(*) FROM delivery WHERE state IN ('accepted', 'sealed')"
_LAST_EVENT = "SELECT coalesce(max(id), 0) FROM event"
_ENDED = "SELECT distribution_id, outcome, at FROM event WHERE id > ? AND kind IN ('look-up', 'hand-over')"


@dataclass
class Round:
    """What a number of messages took, from the first one's call until the last one was in its mailbox."""

    seconds: float = 0.0
    accept_ms: list[float] = field(default_factory=list)
    """From a sender's call to the dispatcher's answer."""
    delivered_ms: list[float] = field(default_factory=list)
    """From a sender's call to the operator's answer, by the dispatcher's event."""
    cpu_ms: Counter[str] = field(default_factory=Counter)
    """Processor time of each party, with all its processes."""

    def add(self, other: Round) -> None:
        """Add a round that came after this one."""
        self.seconds += other.seconds
        self.accept_ms += other.accept_ms
        self.delivered_ms += other.delivered_ms
        self.cpu_ms += other.cpu_ms


class Chain:
    """Sends to a suite, as several senders at once.

    Nobody asks the servers how far a message came: that would be measured too. The dispatcher's database tells it, read
    from outside.

    Args:
        suite: the parties.
        senders: how many calls are made at once.
    """

    def __init__(self, suite: Suite, senders: int) -> None:
        self._suite = suite
        self._clients = [SenderClient(suite.message_url, timeout=60) for _ in range(senders)]
        self.sent: list[str] = []
        """The ids of all messages that were sent."""

    def send(self, messages: Sequence[Signed], moved: Callable[[int], None] = lambda _: None) -> Round:
        """Send messages and wait until all are delivered.

        Args:
            messages: none of them was sent before.
            moved: is told how many of these messages are accepted, again and again.

        Raises:
            MmSoapError: a message was refused or not delivered, or nothing moves any more.
        """
        with closing(_read_only(self._suite.dispatcher_database)) as database:
            before = database.execute(_LAST_EVENT).fetchone()[0]
            cpu_before = self._cpu()
            begun = time.time()
            calls = self._send(messages, moved)
            self._wait(database)
            cpu = self._cpu()
            cpu.subtract(cpu_before)
            ended = {
                distribution_id: (outcome, moment(at))
                for distribution_id, outcome, at in database.execute(_ENDED, (before,))
            }
        self.sent += [message.message_id for message in messages]
        wrong = Counter(str(ended.get(call.distribution_id, ("unknown",))[0]) for call in calls)
        if set(wrong) != {"delivered"}:
            raise MmSoapError(f"Not every message was delivered; their last events are {dict(wrong)}.")
        return Round(
            max(ended[call.distribution_id][1] for call in calls) - begun,
            [call.accept_ms for call in calls],
            [(ended[call.distribution_id][1] - call.begun) * 1e3 for call in calls],
            cpu,
        )

    def verify(self) -> None:
        """Check that every message that was sent is in its mailbox exactly once.

        Raises:
            MmSoapError: one is missing or is there twice.
        """
        with closing(_read_only(self._suite.operator_database)) as database:
            stored = Counter(row[0] for row in database.execute("SELECT message_id FROM message"))
        missing = len(set(self.sent) - set(stored))
        twice = sum(number > 1 for number in stored.values())
        if missing or twice or len(stored) != len(self.sent):
            raise MmSoapError(
                f"{len(self.sent)} messages were sent; {missing} are not in the mailbox and {twice} are there twice."
            )

    def _cpu(self) -> Counter[str]:
        return Counter({party: processes.cpu_ms(pid) for party, pid in self._suite.pids.items()})

    def _send(self, messages: Sequence[Signed], moved: Callable[[int], None]) -> list[_Call]:
        calls: list[_Call] = []

        def one_sender(client: SenderClient, own: Sequence[Signed]) -> None:
            for message in own:
                begun, started = time.time(), time.perf_counter()
                distribution_id = client.distribute(message.document)
                calls.append(_Call(distribution_id, begun, (time.perf_counter() - started) * 1e3))
                moved(len(calls))

        with ThreadPoolExecutor(len(self._clients)) as pool:
            shares = (messages[start :: len(self._clients)] for start in range(len(self._clients)))
            for done in [pool.submit(one_sender, *each) for each in zip(self._clients, shares, strict=True)]:
                done.result()
        return calls

    def _wait(self, database: sqlite3.Connection) -> None:
        least, moved_at = None, time.monotonic()
        while unfinished := database.execute(_UNFINISHED).fetchone()[0]:
            if least is None or unfinished < least:
                least, moved_at = unfinished, time.monotonic()
            if time.monotonic() - moved_at > _PATIENCE_SECONDS:
                raise MmSoapError(f"{unfinished} messages are not delivered, and nothing moves any more.")
            time.sleep(_LOOK_SECONDS)


@dataclass(frozen=True)
class _Call:
    distribution_id: str
    begun: float
    accept_ms: float


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)


def result(size: int, measured: Round, floor_ms: Sequence[float]) -> dict[str, Any]:
    """Return the line that is printed for one size.

    Args:
        size: of a message's decoded body, in bytes.
        measured: all its rounds.
        floor_ms: the floor, measured before, between and after them.
    """
    number = len(measured.accept_ms)
    cpu, floor = sum(measured.cpu_ms.values()) / number, sum(floor_ms) / len(floor_ms)
    return {
        "bytes": size,
        "messages_per_s": round(number / measured.seconds, 1),
        "accept_ms_p50": round(_percentile(measured.accept_ms, 50), 1),
        "accept_ms_p99": round(_percentile(measured.accept_ms, 99), 1),
        "delivered_ms_p50": round(_percentile(measured.delivered_ms, 50), 1),
        "cpu_ms_per_message": round(cpu, 3),
        "floor_cpu_ms": round(floor, 3),
        "ratio": round(cpu / floor, 2),
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]
