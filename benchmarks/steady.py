"""Load as it comes: a queue behind an operator that is away, and a rate that is held."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks import processes
from benchmarks.chain import Call, Chain, percentile
from benchmarks.messages import Writer
from benchmarks.suite import DATABASE, Suite
from mm_soap.errors import MmSoapError
from mm_soap.sender import SenderClient

HELD_SIZE = 100_000
"""Of the messages of a rate that is held, in bytes."""

_QUEUED_SIZE = 2000
_PATIENCE_SECONDS = 30.0
_SENDERS = 16
_SAMPLE_SECONDS = 2.0


def behind_a_queue(
    suite: Suite, chain: Chain, writer: Writer, number: int, timed: int, moved: Callable[[int], None]
) -> dict[str, Any]:
    """Let messages queue for an operator that is away, time more calls, and return what is printed of them.

    Args:
        suite, chain, writer: the parties, what sends to them, and what signs.
        number: how many messages queue.
        timed: how many calls are timed then.
        moved: is told how many are accepted.

    Raises:
        MmSoapError: the operator did not stop, or an accepted message is not kept.
    """
    _stop(suite.pids["operator"])
    _together(chain, writer, number, moved)
    queued = chain.unfinished()
    calls = _together(chain, writer, timed, lambda _: None)
    kept = chain.unfinished()
    if queued != number or kept != number + len(calls):
        raise MmSoapError(f"{number + len(calls)} messages were accepted, and {kept} wait.")
    accepted = [call.accept_ms for call in calls]
    return {
        "measure": "accept behind a queue",
        "queued": queued,
        "calls": len(calls),
        "accept_ms_p50": round(percentile(accepted, 50), 1),
        "accept_ms_p99": round(percentile(accepted, 99), 1),
        "accept_ms_max": round(max(accepted), 1),
    }


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(processes.tree(pid)) > 1:  # its workers; it is itself waited for at the end
        if time.monotonic() > deadline:
            raise MmSoapError("The operator did not stop.")
        time.sleep(0.1)


def _together(chain: Chain, writer: Writer, number: int, moved: Callable[[int], None]) -> list[Call]:
    """Send messages as fast as the chain's senders get answers, and do not wait for their delivery."""
    calls: list[Call] = []

    def one_sender(client: SenderClient, own: int) -> None:
        for _ in range(own):
            calls.append(chain.call(writer.write(_QUEUED_SIZE), client))
            moved(len(calls))

    senders = len(chain.clients)
    shares = [number * (place + 1) // senders - number * place // senders for place in range(senders)]
    with ThreadPoolExecutor(senders) as pool:
        for done in [pool.submit(one_sender, *each) for each in zip(chain.clients, shares, strict=True)]:
            done.result()
    return calls


@dataclass(frozen=True)
class Plan:
    """A rate that is to be held."""

    rate: float
    """Messages a second."""
    number: int
    size: int
    """In bytes."""


def hold_rate(
    suite: Suite, chain: Chain, writer: Writer, plan: Plan, moved: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """Send at a rate, wait until all is delivered, and yield one line for the calls and one for each party's memory.

    A message goes when its time has come, whatever became of those before it.
    """
    run = _Held(suite, chain, writer, plan, moved)
    yield run.send()
    yield from run.memory()


class _Held:
    def __init__(self, suite: Suite, chain: Chain, writer: Writer, plan: Plan, moved: Callable[[int], None]) -> None:
        self._suite = suite
        self._chain = chain
        self._writer = writer
        self._plan = plan
        self._moved = moved
        self._lock = threading.Lock()
        self._next = 0
        self._calls: list[Call] = []
        self._late_ms: list[float] = []
        self._samples: dict[str, list[float]] = {party: [] for party in suite.pids if party != DATABASE}
        self._waiting: list[int] = []

    def send(self) -> dict[str, Any]:
        """Send all, wait until they are delivered, and return what the calls took."""
        over = threading.Event()
        looker = threading.Thread(target=self._look, args=(over,))
        cpu_before = self._chain.cpu()
        self._begun = time.perf_counter()
        looker.start()
        clients = [SenderClient(self._suite.message_url, timeout=60) for _ in range(_SENDERS)]
        try:
            with ThreadPoolExecutor(_SENDERS) as pool:
                for done in [pool.submit(self._one_sender, client) for client in clients]:
                    done.result()
            sent_seconds = time.perf_counter() - self._begun
        finally:
            over.set()
            looker.join()
        self._chain.wait()
        whole_seconds = time.perf_counter() - self._begun
        cpu = self._chain.cpu()
        cpu.subtract(cpu_before)
        accepted = [call.accept_ms for call in self._calls]
        servers = sum(ms for party, ms in cpu.items() if party != DATABASE)
        return {
            "measure": "a rate that is held",
            "bytes": self._plan.size,
            "messages": len(accepted),
            "wanted_per_s": self._plan.rate,
            "accepted_per_s": round(len(accepted) / sent_seconds, 1),
            "delivered_per_s": round(len(accepted) / whole_seconds, 1),
            "waiting_at_the_end": self._waiting[-1],
            "late_ms_p99": round(percentile(self._late_ms, 99), 1),
            "accept_ms_p50": round(percentile(accepted, 50), 1),
            "accept_ms_p99": round(percentile(accepted, 99), 1),
            "cpu_ms_per_message": round(servers / len(accepted), 3),
        }

    def memory(self) -> Iterator[dict[str, Any]]:
        """Yield what each party's memory was. The first fifth of the time warms up."""
        for party, taken in self._samples.items():
            counted = taken[len(taken) // 5 :]
            yield {
                "measure": "memory",
                "party": party,
                "rss_mb_start": round(counted[0], 1),
                "rss_mb_end": round(counted[-1], 1),
                "rss_mb_max": round(max(counted), 1),
            }

    def _one_sender(self, client: SenderClient) -> None:
        while (mine := self._take()) < self._plan.number:
            message = self._writer.write(self._plan.size)
            due = self._begun + mine / self._plan.rate
            time.sleep(max(0.0, due - time.perf_counter()))
            late = max(0.0, time.perf_counter() - due)
            call = self._chain.call(message, client)
            with self._lock:
                self._late_ms.append(late * 1e3)
                self._calls.append(call)
                self._chain.sent.append(message.message_id)
            self._moved(len(self._calls))

    def _take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1

    def _look(self, over: threading.Event) -> None:
        while True:
            for party, samples in self._samples.items():
                samples.append(processes.rss_mb(self._suite.pids[party]))
            self._waiting.append(self._chain.unfinished())
            if over.wait(_SAMPLE_SECONDS):
                return
