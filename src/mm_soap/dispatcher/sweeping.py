"""What one worker of the scaled-out engine does for all: the sweep, and the turns of the other channels.

Whichever holds the engine's lock of the database does it. Wake-ups that were lost, retries whose time has come and
claims of workers that died are found here, so no queue has to keep anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.dispatcher import claims, store, waiting
from mm_soap.dispatcher.channel_switch import ChannelSwitch
from mm_soap.dispatcher.holding import Held, hold
from mm_soap.dispatcher.model import LONGEST_WAIT, State, seconds_until
from mm_soap.dispatcher.steps import Step, Steps
from mm_soap.errors import MmSoapError
from mm_soap.storage import reading, writing
from mm_soap.unexpected import guarded

_log = logging.getLogger(__name__)

_SHORTEST_WAIT: Final = 0.1
_ENOUGH: Final = 200
"""Wake-ups that wait in a queue: with more, the sweep adds none."""
_SECONDS_BETWEEN_COUNTS: Final = 1.0
"""A count of them takes a connection of its own to RabbitMQ, and sweeps come up to ten times a second."""


class Sweeper:
    """Runs in each worker, and works in one of them.

    Args:
        database: the dispatcher's own.
        steps: ask for the work that waits.
        waiting: returns how many wake-ups for a step wait in its queue.
        clock: the time.
        switch: takes other channels where no mailbox takes a delivery.
    """

    def __init__(
        self,
        database: Engine,
        steps: Steps,
        waiting: Callable[[Step], int],
        clock: Clock,
        switch: ChannelSwitch | None = None,
    ) -> None:
        self._database = database
        self._steps = steps
        self._waiting = waiting
        self._clock = clock
        self._switch = switch
        self._short: set[Step] = set()
        self._counted = -_SECONDS_BETWEEN_COUNTS
        self._stopping = threading.Event()
        self._halted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._stopping.set()
        self._halt()
        self._thread.join()

    def _halt(self) -> None:
        self._halted.set()
        if self._switch is not None:
            self._switch.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with hold(self._database, self._stopping) as held:
                if held is not None:
                    self._work(held)

    def _work(self, held: Held) -> None:
        self._halted.clear()
        if self._stopping.is_set():
            return
        turns = self._switch.turns() if self._switch else {}
        threads = [
            threading.Thread(target=self._guarded, args=(turn,), name=name, daemon=True) for name, turn in turns.items()
        ]
        self._begun = False
        for thread in threads:
            thread.start()
        while not self._halted.is_set():
            if not held():
                _log.error("The connection that holds the engine's lock is lost; another worker may sweep.")
                self._halt()
                break
            self._halted.wait(self._seconds() if guarded(self._sweep, _log, "The sweep") else LONGEST_WAIT)
        for thread in threads:
            thread.join()

    def _guarded(self, turn: Callable[[], None]) -> None:
        while not self._halted.is_set():
            if not guarded(turn, _log, "The sweep"):
                self._halted.wait(LONGEST_WAIT)

    def _seconds(self) -> float:
        """Return how long to wait for the next retry or probe, or for what was lost meanwhile."""
        now = self._clock()
        try:
            with reading(self._database) as connection:
                due = [store.next_due(connection, state, now) for state in (State.ACCEPTED, State.SEALED)]
                due.append(waiting.next_end_of_pause(connection, now))
        except MmSoapError:
            return LONGEST_WAIT
        return max(_SHORTEST_WAIT, min(seconds_until(each, now) for each in due))

    def _sweep(self) -> None:
        if not self._begun:
            # An embedded engine may have ended in the middle of an attempt; it claimed nothing.
            with writing(self._database) as connection:
                claims.put_back_all(connection)
                waiting.mark_due(connection, self._clock())
            self._begun = True
        self._steps.mend_clock()
        if time.monotonic() >= self._counted + _SECONDS_BETWEEN_COUNTS:
            self._short = {step for step in Step if self._waiting(step) < _ENOUGH}
            self._counted = time.monotonic()
        if Step.LOOK_UP in self._short:
            self._steps.wake_accepted()
        if Step.HAND_OVER in self._short:
            self._steps.wake_waiting()
