"""Memory over many messages: whether it stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import processes
from benchmarks.chain import Chain
from benchmarks.messages import Writer
from benchmarks.suite import Suite

SIZE = 2000
"""Of the messages that are sent, in bytes."""

_AT_ONCE = 500


def soak(
    suite: Suite, chain: Chain, writer: Writer, number: int, moved: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """Send many messages and yield one line for each party.

    Args:
        suite, chain, writer: the parties, what sends to them, and what signs.
        number: how many messages. The first tenth of them warms up; memory counts from then on.
        moved: is told how many were delivered.
    """
    samples: dict[str, list[float]] = {party: [] for party in suite.pids}
    done, warm = 0, number // 10
    while done < number:
        goal = warm if done < warm else number
        messages = [writer.write(SIZE) for _ in range(min(_AT_ONCE, goal - done))]
        chain.send(messages)
        done += len(messages)
        moved(done)
        if done >= warm:
            for party, pid in suite.pids.items():
                samples[party].append(processes.rss_mb(pid))
    for party, taken in samples.items():
        yield {
            "measure": "memory",
            "party": party,
            "messages": number - warm,
            "rss_mb_start": round(taken[0], 1),
            "rss_mb_end": round(taken[-1], 1),
            "rss_mb_max": round(max(taken), 1),
            "growth_bytes_per_message": round((taken[-1] - taken[0]) * 1e6 / (number - warm)),
        }
