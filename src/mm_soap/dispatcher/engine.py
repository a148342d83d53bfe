"""The embedded engine: threads in the serving process over rows in the database.

The state of a delivery is in the database; the engine only decides when its next step runs. One thread addresses, one
hands out the calls to operators and writes down their results, several at a time; a pool of threads makes the calls.
After a crash the rows are as they were before the step that was cut off, and that step runs again: it sends the same
bytes, and an operator that has them already answers as it did before.

One engine works on a database at a time; other processes wait for it.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Final

from sqlalchemy import Engine as Database

from mm_soap.clock import Clock
from mm_soap.dispatcher import store
from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.holding import Held, hold
from mm_soap.dispatcher.lanes import Lanes
from mm_soap.dispatcher.model import Outcome, Sealed, State
from mm_soap.errors import MmSoapError
from mm_soap.storage import Event, reading, record_event, writing

_log = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 1.0
"""Seconds after which a thread looks at the database though nobody woke it."""
_MOMENT: Final = 0.005
"""Seconds in which results are gathered after a first one."""
_WRITTEN_TOGETHER: Final = 32
"""Sealed deliveries that are written down in one transaction; they go on their way after it."""


@dataclass(frozen=True)
class _Result:
    delivery: Sealed
    outcome: Outcome
    technical_error: bool


class EmbeddedEngine:
    """Runs the steps of all deliveries of one database.

    Args:
        database: the dispatcher's own.
        addressing, handover: the steps.
        clock: the time.
        look_up_batch: deliveries addressed together, at most 1000.
        calls_per_operator: calls to one operator at once.
        threads: calls to all operators at once.
    """

    def __init__(
        self,
        database: Database,
        addressing: Addressing,
        handover: Handover,
        clock: Clock,
        *,
        look_up_batch: int = 1000,
        calls_per_operator: int = 4,
        threads: int = 16,
    ) -> None:
        self._database = database
        self._addressing = addressing
        self._handover = handover
        self._clock = clock
        self._look_up_batch = look_up_batch
        self._lanes = Lanes(calls_per_operator)
        self._threads = threads
        self._stopping = threading.Event()
        self._halted = threading.Event()  # set as well when the lock of the database is lost
        self._accepted = threading.Event()
        self._inbox: SimpleQueue[_Result | None] = SimpleQueue()
        self._busy: dict[int, Sealed] = {}
        self._unwritten: list[_Result] = []
        self._running: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads. Work begins as soon as no other engine holds the database."""
        self._running = [threading.Thread(target=self._run, name="engine", daemon=True)]
        self._running[0].start()

    def wake(self) -> None:
        """Tell that a delivery was accepted."""
        self._accepted.set()

    def stop(self) -> None:
        """Let the calls that are under way end, write their results down, and stop."""
        self._stopping.set()
        self._halt()
        self._inbox.put(None)
        for thread in self._running:
            thread.join()

    def _halt(self) -> None:
        self._halted.set()
        self._accepted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with hold(self._database, self._stopping) as held:
                if held is not None:
                    self._work(held)

    def _work(self, held: Held) -> None:
        """Run the steps until the engine stops or does not hold the database any more."""
        self._halted.clear()
        if self._stopping.is_set():
            return
        addresser = threading.Thread(target=self._guarded, args=(self._address,), name="addresser", daemon=True)
        addresser.start()
        with ThreadPoolExecutor(self._threads, "handover") as pool:
            self._pool = pool
            self._guarded(lambda: self._hand_over() if held() else self._let_go())
        self._collect(0)
        try:
            self._write_results()
        except MmSoapError as error:  # their rows are as before a crash: the steps run again
            _log.error("Results were not written down: %s", error)
            self._forget_results()
        addresser.join()

    def _let_go(self) -> None:
        _log.error("The connection that holds the engine's lock is lost; the engine waits for the lock.")
        self._halt()

    def _guarded(self, turn: Callable[[], None]) -> None:
        """Repeat ``turn`` until the engine stops. No error ends a thread: its rows are still in the database."""
        while not self._halted.is_set():
            try:
                turn()
            except MmSoapError as error:
                _log.error("The engine waits: %s", error)
                self._halted.wait(_LONGEST_WAIT)
            except Exception as error:
                frames = "".join(traceback.format_tb(error.__traceback__))
                _log.error("The engine waits after %s\n%s", type(error).__name__, frames)
                self._halted.wait(_LONGEST_WAIT)

    # Addressing

    def _address(self) -> None:
        self._accepted.clear()
        now = self._clock()
        with reading(self._database) as connection:
            batch = store.due_for_look_up(connection, now, self._look_up_batch)
            next_due = None if batch else store.next_due(connection, State.ACCEPTED, now)
        if not batch:
            self._accepted.wait(self._seconds_until(next_due))
            return
        steps = self._addressing.step(batch)
        while not self._halted.is_set() and (outcomes := list(islice(steps, _WRITTEN_TOGETHER))):
            self._write("look-up", outcomes)
            self._inbox.put(None)

    # Handing over

    def _hand_over(self) -> None:
        now = self._clock()
        room = self._threads - len(self._busy)
        begun: list[Sealed] = []
        over: Sequence[Sealed] = ()
        next_due = None
        full = self._lanes.full(now)
        with reading(self._database) as connection:
            if full:  # what waits behind a full or a closed lane is not attempted, but its time runs
                before = self._handover.overdue(now)
                over = store.overdue(connection, now, before, _WRITTEN_TOGETHER, self._busy)
            if room > 0:
                taken = {*self._busy, *(delivery.id for delivery in over)}
                due = store.due_for_delivery(connection, now, room, taken, full)
                begun = self._with_room(due, now)
            if begun:
                parts = store.sealed_parts(connection, [delivery.id for delivery in begun])
            else:
                next_due = store.next_due(connection, State.SEALED, now)
        if over:
            self._write("hand-over", [self._handover.give_up(delivery) for delivery in over])
        for delivery in begun:
            self._busy[delivery.id] = delivery
            self._lanes.of(delivery.operator).begin()
            self._pool.submit(self._attempt, delivery, *parts[delivery.id])
        nothing_to_do = not begun or len(self._busy) >= self._threads
        self._collect(self._seconds_until(next_due) if nothing_to_do else 0)
        self._write_results()

    def _with_room(self, due: Iterable[Sealed], now: datetime) -> list[Sealed]:
        """Return those deliveries whose operators have room for them."""
        chosen: list[Sealed] = []
        taken: Counter[str] = Counter()
        for delivery in due:
            if self._lanes.of(delivery.operator).room(now) > taken[delivery.operator]:
                taken[delivery.operator] += 1
                chosen.append(delivery)
        return chosen

    def _attempt(self, delivery: Sealed, document: bytes, seal: bytes) -> None:
        try:
            outcome, technical_error = self._handover.step(delivery, document, seal)
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("An attempt ended in %s\n%s", type(error).__name__, frames)
            outcome, technical_error = self._handover.unexpected(delivery, error), True
        self._inbox.put(_Result(delivery, outcome, technical_error))

    def _collect(self, seconds: float) -> None:
        """Wait for a result or a call to wake, then take all that are there, or come within a moment."""
        with suppress(Empty):
            self._take(self._inbox.get(timeout=seconds) if seconds > 0 else self._inbox.get_nowait())
            # Results that come close together are written down together, and what follows them begins together.
            if len(self._unwritten) < len(self._busy) and not self._halted.is_set():
                time.sleep(_MOMENT)
            while True:
                self._take(self._inbox.get_nowait())

    def _take(self, message: _Result | None) -> None:
        if message is not None:
            self._unwritten.append(message)

    def _write_results(self) -> None:
        if not self._unwritten:
            return
        # A delivery stays busy until its result is on disk: were the write to fail, it would be handed over again.
        self._write("hand-over", [result.outcome for result in self._unwritten])
        self._forget_results()

    def _forget_results(self) -> None:
        now = self._clock()
        for result in self._unwritten:
            del self._busy[result.delivery.id]
            self._lanes.of(result.delivery.operator).end(result.technical_error, now)
        self._unwritten.clear()

    def _write(self, kind: str, outcomes: Iterable[Outcome]) -> None:
        outcomes = list(outcomes)
        now = self._clock()
        # Not durable: after a crash of the machine the step runs again, with the same bytes and the same answer.
        with writing(self._database, durable=False) as connection:
            store.write_outcomes(connection, outcomes)
            record_event(connection, *(_event(now, kind, outcome) for outcome in outcomes))
        for outcome in outcomes:
            _log.debug("%s %s: %s", kind, outcome.distribution_id, outcome.state.value)

    def _seconds_until(self, moment: datetime | None) -> float:
        if moment is None:
            return _LONGEST_WAIT
        return min(_LONGEST_WAIT, max(0.01, (moment - self._clock()).total_seconds()))


def _event(now: datetime, kind: str, outcome: Outcome) -> Event:
    retried = outcome.next_attempt is not None and outcome.attempts > 0
    return Event(
        now,
        kind,
        "retry" if retried else outcome.state.value,
        outcome.distribution_id,
        trans_id=outcome.trans_id,
        sender=outcome.sender,
        detail={"reason": outcome.reason, "attempt": outcome.attempts, **(outcome.detail or {})},
    )
