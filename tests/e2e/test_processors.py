"""Worker processes that stay on the processors which the settings name."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.e2e.suite import Demonstration, Server, mm_soap, until

THERE = sorted(os.sched_getaffinity(0))


def places(server: Server) -> Counter[frozenset[int]]:
    """Return how many workers may run on what; of each of their threads the same is known."""
    found: Counter[frozenset[int]] = Counter()
    for worker in server.workers():
        with suppress(FileNotFoundError, ProcessLookupError):
            threads = [int(each.name) for each in Path(f"/proc/{worker}/task").iterdir()]
            each = {frozenset(os.sched_getaffinity(thread)) for thread in threads}
            found[each.pop() if len(each) == 1 else frozenset()] += 1
    return found


def test_each_worker_stays_on_one_of_them(fresh: Demonstration) -> None:
    named = THERE[:2]
    expected = Counter(frozenset({named[number % len(named)]}) for number in range(3))
    server = fresh.serve(MM_SOAP_WORKERS="3", MM_SOAP_PROCESSORS=str(named))
    until(lambda: places(server) == expected, 20, "the workers to be on their processors")
    # The one that takes the place of another goes where that was, whichever it is.
    for victim in server.workers():
        os.kill(victim, signal.SIGKILL)
        until(lambda gone=victim: gone not in server.workers(), 20, "a worker to be gone")  # type: ignore[misc]
        until(lambda: places(server) == expected, 20, "another to be in its place")


def test_without_the_setting_they_run_anywhere(fresh: Demonstration) -> None:
    assert places(fresh.serve()) == Counter([frozenset(THERE)])


def test_a_processor_that_is_not_there_is_named(fresh: Demonstration) -> None:
    missing = THERE[-1] + 1000
    result = mm_soap("serve", "--config", fresh.config, MM_SOAP_PROCESSORS=f"[{THERE[0]}, {missing}]")
    assert result.returncode == 2
    assert f"processors: this process may not run on {missing}; it may on {THERE[0]}" in result.stderr
