"""What a worker does while no broker takes wake-ups: it does the steps itself.

The state of each delivery is in the database, so nothing but the spreading of the work is missing then. The worker that
sweeps finds what is due, and the others go on with what they had.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from mm_soap.dispatcher.steps import Step


class StandIn:
    """Sends wake-ups, and follows those itself that the broker does not take.

    Args:
        publish: sends a wake-up; False if the broker is away.
        threads: steps at once. What is more is left to the next sweep.
    """

    def __init__(self, publish: Callable[[Step, int], bool], threads: int) -> None:
        self._publish = publish
        self._pool = ThreadPoolExecutor(threads, "stand-in")
        self._free = threading.Semaphore(threads)
        self._run: Callable[[Step, int], None] = lambda _step, _delivery: None

    def start(self, run: Callable[[Step, int], None]) -> None:
        """Say what does a step; before that, nothing is followed."""
        self._run = run

    def stop(self) -> None:
        """End what is under way, and follow nothing more."""
        self._pool.shutdown()

    def wake(self, step: Step, delivery: int) -> None:
        """Ask for a step for a delivery."""
        if self._publish(step, delivery) or not self._free.acquire(blocking=False):
            return
        with suppress(RuntimeError):  # of a pool that is shut down
            self._pool.submit(self._follow, step, delivery)

    def _follow(self, step: Step, delivery: int) -> None:
        try:
            self._run(step, delivery)
        finally:
            self._free.release()
