"""Sends messages through the whole chain and measures what each took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from benchmarks import processes
from benchmarks.messages import Signed, moment
from benchmarks.suite import DATABASE, Suite
from mm_soap.errors import MmSoapError
from mm_soap.sender import SenderClient
from mm_soap.storage import open_database, reading

_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0
"""How long nothing may move before the benchmark gives up."""

_UNFINISHED = text("SELECT count(*) FROM delivery WHERE next_attempt IS NOT NULL")
_LAST_EVENT = text("SELECT coalesce(max(id), 0) FROM event")
_ENDED = text(
    "SELECT distribution_id, outcome, at FROM event WHERE id > :before AND kind IN ('look-up', 'hand-over') ORDER BY id"
)
_STORED = text("SELECT message_id FROM message")


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
        self.clients = [SenderClient(suite.message_url, timeout=60) for _ in range(senders)]
        self._dispatcher = open_database(suite.dispatcher_database)
        self._operator = open_database(suite.operator_database)
        self.sent: list[str] = []
        """The ids of all messages that were sent."""

    def close(self) -> None:
        """Let go of the databases."""
        self._dispatcher.dispose()
        self._operator.dispose()

    def send(self, messages: Sequence[Signed], moved: Callable[[int], None] = lambda _: None) -> Round:
        """Send messages and wait until all are delivered.

        Args:
            messages: none of them was sent before.
            moved: is told how many of these messages are accepted, again and again.

        Raises:
            MmSoapError: a message was refused or not delivered, or nothing moves any more.
        """
        with reading(self._dispatcher) as database:
            before = database.execute(_LAST_EVENT).scalar_one()
        cpu_before = self.cpu()
        begun = time.time()
        calls = self._send(messages, moved)
        self.wait()
        cpu = self.cpu()
        cpu.subtract(cpu_before)
        with reading(self._dispatcher) as database:
            ended = {
                distribution_id: (outcome, moment(at))
                for distribution_id, outcome, at in database.execute(_ENDED, {"before": before})
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
        with reading(self._operator) as database:
            stored = Counter(row[0] for row in database.execute(_STORED))
        missing = len(set(self.sent) - set(stored))
        twice = sum(number > 1 for number in stored.values())
        if missing or twice or len(stored) != len(self.sent):
            raise MmSoapError(
                f"{len(self.sent)} messages were sent; {missing} are not in the mailbox and {twice} are there twice."
            )

    def cpu(self) -> Counter[str]:
        """Return the processor time that each party has used, in ms."""
        return Counter({party: processes.cpu_ms(pid) for party, pid in self._suite.pids.items()})

    def call(self, message: Signed, client: SenderClient) -> Call:
        """Send one message, and return once it is accepted."""
        begun, started = time.time(), time.perf_counter()
        distribution_id = client.distribute(message.document)
        return Call(distribution_id, begun, (time.perf_counter() - started) * 1e3)

    def unfinished(self) -> int:
        """Return how many messages the dispatcher has accepted and not brought to an end."""
        with reading(self._dispatcher) as database:
            found: int = database.execute(_UNFINISHED).scalar_one()
        return found

    def _send(self, messages: Sequence[Signed], moved: Callable[[int], None]) -> list[Call]:
        calls: list[Call] = []

        def one_sender(client: SenderClient, own: Sequence[Signed]) -> None:
            for message in own:
                calls.append(self.call(message, client))
                moved(len(calls))

        with ThreadPoolExecutor(len(self.clients)) as pool:
            shares = (messages[start :: len(self.clients)] for start in range(len(self.clients)))
            for done in [pool.submit(one_sender, *each) for each in zip(self.clients, shares, strict=True)]:
                done.result()
        return calls

    def wait(self) -> None:
        """Wait until every accepted message came to its end.

        Raises:
            MmSoapError: nothing moves any more.
        """
        least, moved_at = None, time.monotonic()
        while unfinished := self.unfinished():
            if least is None or unfinished < least:
                least, moved_at = unfinished, time.monotonic()
            if time.monotonic() - moved_at > _PATIENCE_SECONDS:
                raise MmSoapError(f"{unfinished} messages are not delivered, and nothing moves any more.")
            time.sleep(_LOOK_SECONDS)


@dataclass(frozen=True)
class Call:
    """A call that was answered."""

    distribution_id: str
    begun: float
    accept_ms: float


def result(size: int, measured: Round, floor_ms: Sequence[float]) -> dict[str, Any]:
    """Return the line that is printed for one size.

    Args:
        size: of a message's decoded body, in bytes.
        measured: all its rounds.
        floor_ms: the floor, measured before, between and after them.
    """
    number = len(measured.accept_ms)
    # PostgreSQL's own processes are told apart: the floor's database is a library in the process that is measured.
    servers = sum(ms for party, ms in measured.cpu_ms.items() if party != DATABASE)
    cpu, floor = servers / number, sum(floor_ms) / len(floor_ms)
    told = {"database_cpu_ms": round(measured.cpu_ms[DATABASE] / number, 3)} if DATABASE in measured.cpu_ms else {}
    return {
        "bytes": size,
        "messages_per_s": round(number / measured.seconds, 1),
        "accept_ms_p50": round(percentile(measured.accept_ms, 50), 1),
        "accept_ms_p99": round(percentile(measured.accept_ms, 99), 1),
        "delivered_ms_p50": round(percentile(measured.delivered_ms, 50), 1),
        "cpu_ms_per_message": round(cpu, 3),
        "floor_cpu_ms": round(floor, 3),
        "ratio": round(cpu / floor, 2),
        **told,
    }


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which so many of a hundred lie."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]
