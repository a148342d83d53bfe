"""The embedded engine: threads in the serving process over rows in the database.

The state of a delivery is in the database; the engine only decides when its next step runs. One thread addresses, one
hands out the calls to operators and writes down their results, several at a time; others make the calls.
After a crash the rows are as they were before the step that was cut off, and that step runs again: it sends the same
bytes, and an operator that has them already answers as it did before.

One engine works on a database at a time; other processes wait for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final

from sqlalchemy import Engine as Database

from mm_soap.clock import Clock
from mm_soap.dispatcher import store
from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.carrier import Carrier
from mm_soap.dispatcher.channel_switch import ChannelSwitch
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.holding import Held, hold
from mm_soap.dispatcher.model import LONGEST_WAIT, Sealed, State, seconds_until
from mm_soap.dispatcher.outcomes import write_down
from mm_soap.dispatcher.readdressing import Readdressing
from mm_soap.dispatcher.waiting import MOVED_TOGETHER, mend_clock, put_back
from mm_soap.errors import MmSoapError
from mm_soap.storage import reading, wait_for_disk, writing
from mm_soap.unexpected import guarded

_log = logging.getLogger(__name__)

_BETWEEN_LOOK_UPS: Final = 0.1
"""Seconds between two questions to the register: what is accepted meanwhile is asked for together."""
_WRITTEN_TOGETHER: Final = 32
"""Sealed deliveries that are written down in one transaction; they go on their way after it."""


class EmbeddedEngine:
    """Runs the steps of all deliveries of one database.

    Args:
        database: the dispatcher's own.
        addressing, handover: the steps.
        clock: the time.
        look_up_batch: deliveries addressed together, at most 1000.
        address_age: how old an address may be when a delivery is tried, in seconds.
        threads: calls to all operators at once.
        switch: takes other channels where no mailbox takes a delivery.
    """

    def __init__(
        self,
        database: Database,
        addressing: Addressing,
        handover: Handover,
        clock: Clock,
        *,
        look_up_batch: int = 1000,
        address_age: float = 900.0,
        threads: int = 16,
        switch: ChannelSwitch | None = None,
    ) -> None:
        self._database = database
        self._addressing = addressing
        self._readdressing = Readdressing(addressing)
        self._clock = clock
        self._policies = handover.policies
        self._look_up_batch = look_up_batch
        self._switch = switch
        self._divert = switch.divert if switch else None
        self._new_carrier = partial(
            Carrier, database, handover, clock, address_age=address_age, threads=threads, divert=self._divert
        )
        self._carrier: Carrier | None = None  # while this engine holds the database
        self._stopping = threading.Event()
        self._halted = threading.Event()  # set as well when the lock of the database is lost
        self._accepted = threading.Event()
        self._looked_up = 0.0
        self._clock_looked_at = 0.0
        self._running: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads. Work begins as soon as no other engine holds the database."""
        self._running = [threading.Thread(target=self._run, name="engine", daemon=True)]
        self._running[0].start()

    def wake(self, _delivery: int = 0, _sender: str = "") -> None:
        """Tell that a delivery was accepted; which one is not needed."""
        self._accepted.set()

    def settle(self) -> None:
        """Return at once: no call waits for the engine."""

    def stop(self) -> None:
        """Let the calls that are under way end, write their results down, and stop."""
        self._stopping.set()
        self._halt()
        for thread in self._running:
            thread.join()

    def _halt(self) -> None:
        self._halted.set()
        self._accepted.set()
        if self._carrier is not None:
            self._carrier.wake()
        if self._switch is not None:
            self._switch.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with hold(self._database, self._stopping) as held:
                if held is not None:
                    self._work(held)

    def _work(self, held: Held) -> None:
        """Run the steps until the engine stops or does not hold the database any more."""
        # A new one each time: what the last one had in memory may be another process's by now.
        carrier = self._carrier = self._new_carrier()
        self._halted.clear()
        if self._stopping.is_set():
            return
        beside = {"addresser": partial(self._address, carrier), **(self._switch.turns() if self._switch else {})}
        threads = [
            threading.Thread(target=self._guarded, args=(turn,), name=name, daemon=True)
            for name, turn in beside.items()
        ]
        for thread in threads:
            thread.start()
        carrier.start()
        self._guarded(lambda: carrier.turn() if held() else self._let_go())
        try:
            carrier.finish()
        except MmSoapError as error:  # their rows are as before a crash: the steps run again
            _log.error("Results were not written down: %s", error)
        for thread in threads:
            thread.join()

    def _let_go(self) -> None:
        _log.error("The connection that holds the engine's lock is lost; the engine waits for the lock.")
        self._halt()

    def _guarded(self, turn: Callable[[], None]) -> None:
        """Repeat ``turn`` until the engine stops. No error ends a thread: its rows are still in the database."""
        while not self._halted.is_set():
            if not guarded(turn, _log, "The engine"):
                self._halted.wait(LONGEST_WAIT)

    def _address(self, carrier: Carrier) -> None:
        self._halted.wait(max(0.0, self._looked_up + _BETWEEN_LOOK_UPS - time.monotonic()))
        self._accepted.clear()
        self._mend_clock(carrier)
        now = self._clock()
        with reading(self._database) as connection:
            batch = store.due_for_look_up(connection, now, self._look_up_batch)
            old = store.due_for_another_look_up(connection, now, self._look_up_batch)
            next_due = None if batch else store.next_due(connection, State.ACCEPTED, now)
        if old:
            self._look_up_again(old)
            carrier.wake()
        elif not batch:
            self._accepted.wait(seconds_until(next_due, self._clock()))
        if not batch:
            return
        wait_for_disk(self._database)  # else a message might be delivered whose acceptance a crash takes back
        self._looked_up = time.monotonic()
        steps = self._addressing.step(batch)
        while not self._halted.is_set() and (outcomes := list(islice(steps, _WRITTEN_TOGETHER))):
            write_down(self._database, self._clock, "look-up", outcomes, self._divert)
            carrier.wake()

    def _mend_clock(self, carrier: Carrier) -> None:
        if time.monotonic() < self._clock_looked_at + LONGEST_WAIT:
            return
        self._clock_looked_at = time.monotonic()
        if mend_clock(self._database, self._policies, self._clock()):
            carrier.wake()

    def _look_up_again(self, old: Sequence[Sealed]) -> None:
        self._looked_up = time.monotonic()
        asked = self._clock()
        changed, same = self._readdressing.step(old)
        if changed:
            write_down(self._database, self._clock, "look-up", changed, self._divert)
        for start in range(0, len(same), MOVED_TOGETHER):
            with writing(self._database, durable=False) as connection:
                put_back(connection, same[start : start + MOVED_TOGETHER], asked)
