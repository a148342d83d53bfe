"""Carrying sealed deliveries to their operators, many at once, and writing down what came of them.

One thread takes what is due from the database, some at a time; gives each operator's lane its next calls; and writes
results down, some at a time. Other threads make the calls. What was taken is remembered until its result is on disk:
were the write to fail, or not yet made, the delivery would be handed over again.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Final

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.dispatcher import store
from mm_soap.dispatcher.documents import sealed_parts
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.lanes import Lane, Lanes
from mm_soap.dispatcher.model import Outcome, Sealed, State, seconds_until
from mm_soap.dispatcher.outcomes import Divert, write_down
from mm_soap.dispatcher.pacing import Paced
from mm_soap.dispatcher.waiting import (
    MOVED_TOGETHER,
    Pause,
    set_aside,
    take_over,
    tell,
    with_old_addresses,
    write_pauses,
)
from mm_soap.storage import reading, writing
from mm_soap.unexpected import places

_log = logging.getLogger(__name__)

_TAKEN_TOGETHER: Final = 32
"""Deliveries that are taken from the database at once."""
_AHEAD: Final = 16
"""Deliveries that wait for one operator, in memory, before no more are taken for it."""
_DOCUMENTS_AHEAD: Final = 16
"""Documents that are read before their calls begin: each may be of some megabytes."""
_WRITTEN_TOGETHER: Final = 32
_SET_ASIDE_TOGETHER: Final = 1000
_SHARE_OF_AGE: Final = 0.1
"""How often old addresses are sought, as a part of the age that makes them old."""
_LONGEST_UNWRITTEN: Final = 0.1
"""Seconds that a result waits for others to be written down with."""


@dataclass(frozen=True)
class _Result:
    delivery: Sealed
    outcome: Outcome
    technical_error: bool


class Carrier:
    """Hands over the sealed deliveries of one database. `turn` and `finish` are for one thread.

    Args:
        database: the dispatcher's own.
        handover: makes an attempt.
        clock: the time.
        address_age: how old an address may be when a delivery is tried, in seconds.
        threads: calls to all operators at once.
        divert: sends what no mailbox took on to another channel.
    """

    def __init__(
        self,
        database: Engine,
        handover: Handover,
        clock: Clock,
        *,
        address_age: float = 900.0,
        threads: int = 16,
        divert: Divert | None = None,
    ) -> None:
        self._database = database
        self._handover = handover
        self._clock = clock
        self._divert = divert
        self._address_age = timedelta(seconds=address_age)
        self._lanes = Lanes(handover.policies)
        self._began = False
        self._taken: dict[int, Sealed] = {}
        self._parts: dict[int, tuple[bytes, bytes]] = {}
        self._under_way = 0
        self._unwritten: list[_Result] = []
        self._write_at = 0.0
        self._look_at = 0.0
        self._ages_at = 0.0
        self._pauses: dict[str, Pause | None] = {}
        self._more = True
        self._left_out: set[str] = set()
        self._missed = Paced()
        self._inbox: SimpleQueue[_Result | None] = SimpleQueue()
        self._work: SimpleQueue[tuple[Sealed, bytes, bytes] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._carry, name="handover", daemon=True) for _ in range(threads)]

    def start(self) -> None:
        """Start the threads that make the calls."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Tell, from any thread, that there is more to carry, or that it is time to stop."""
        self._inbox.put(None)

    def finish(self) -> None:
        """Let the calls that are under way end, write their results down, and end the threads."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._collect(0)
        self._write_results()

    def turn(self) -> None:
        """Begin what may begin, wait for something to happen, and write down what ended.

        Raises:
            Refused: the database is away. Nothing is lost; the next turn goes on where this one broke off.
        """
        if not self._began:
            with writing(self._database) as connection:
                take_over(connection, self._clock())
            self._began = True
        self._take_due()
        self._begin()
        self._collect(self._seconds_to_wait())
        idle = not self._under_way and not self._lanes.waiting()
        if idle or len(self._unwritten) >= _WRITTEN_TOGETHER or time.monotonic() >= self._write_at:
            self._write_results()

    # Taking

    def _take_due(self) -> None:
        due = time.monotonic() >= self._look_at
        if not due and (not self._more or self._lanes.waiting() >= _AHEAD):
            return
        now = self._clock()
        if due:
            self._give_up(now)
            self._set_old_aside(now)
        full = self._lanes.full(now, _AHEAD)
        with reading(self._database) as connection:
            found = store.due_for_delivery(connection, now, _TAKEN_TOGETHER, self._taken, full)
            following = None if found else store.next_due(connection, State.SEALED, now)
        self._left_out = full
        self._more = len(found) == _TAKEN_TOGETHER
        self._look_at = time.monotonic() + seconds_until(following, now)
        for delivery in found:
            self._taken[delivery.id] = delivery
            self._lanes.of(delivery.operator).waiting.append(delivery)

    def _give_up(self, now: datetime) -> None:
        """Write down what could not begin before its time was over: it waits behind a full lane, or a paused one."""
        for operator, lane in self._lanes.each():
            before = self._handover.overdue(operator, now)
            late = [delivery for delivery in lane.waiting if delivery.received <= before]
            for delivery in late:
                lane.waiting.remove(delivery)
                self._parts.pop(delivery.id, None)
                self._take(_Result(delivery, self._handover.give_up(delivery), False))
        for delivery in self._missed.run(lambda: self._find_missed(now)):
            self._taken[delivery.id] = delivery
            self._take(_Result(delivery, self._handover.give_up(delivery), False))

    def _find_missed(self, now: datetime) -> list[Sealed]:
        missed: list[Sealed] = []
        for operator in self._left_out:
            before = self._handover.overdue(operator, now)
            with reading(self._database) as connection:
                missed += store.overdue(connection, operator, now, before, _WRITTEN_TOGETHER, self._taken)
        return missed

    def _set_old_aside(self, now: datetime) -> None:
        """Let the register be asked again for what is due, was looked up long ago, and is not under way."""
        if time.monotonic() < self._ages_at:
            return
        with reading(self._database) as connection:
            before = now - self._address_age
            old = with_old_addresses(connection, now, before, _SET_ASIDE_TOGETHER, self._taken)
        for start in range(0, len(old), MOVED_TOGETHER):
            with writing(self._database, durable=False) as connection:
                set_aside(connection, old[start : start + MOVED_TOGETHER])
        if len(old) < _SET_ASIDE_TOGETHER:
            self._ages_at = time.monotonic() + self._address_age.total_seconds() * _SHARE_OF_AGE

    # Carrying

    def _begin(self) -> None:
        now = self._clock()
        chosen = self._lanes.next_up(now, len(self._threads) - self._under_way)
        if any(delivery.id not in self._parts for delivery in chosen):
            self._read_documents(chosen)
        for delivery in chosen:
            lane = self._lanes.of(delivery.operator)
            lane.waiting.popleft()
            lane.begin()
            self._under_way += 1
            self._work.put((delivery, *self._parts.pop(delivery.id)))
            if delivery.operator in self._left_out and len(lane.waiting) < _AHEAD // 2:
                self._more = True

    def _read_documents(self, chosen: list[Sealed]) -> None:
        ahead = [delivery for _, lane in self._lanes.each() for delivery in lane.waiting]
        wanted = [each.id for each in (*chosen, *ahead[: len(chosen) + _DOCUMENTS_AHEAD])]
        with reading(self._database) as connection:
            self._parts |= sealed_parts(connection, [each for each in wanted if each not in self._parts])

    def _carry(self) -> None:
        while (work := self._work.get()) is not None:
            delivery, document, seal = work
            try:
                outcome, technical_error = self._handover.step(delivery, document, seal)
            except Exception as error:
                _log.error("An attempt ended in %s", places(error))
                outcome, technical_error = self._handover.unexpected(delivery, error), True
            del work, document, seal  # else they stay in memory while the thread waits
            self._inbox.put(_Result(delivery, outcome, technical_error))

    # Writing down

    def _collect(self, seconds: float) -> None:
        """Wait for a result or a call to wake, then take all that are there."""
        with suppress(Empty):
            self._receive(self._inbox.get(timeout=seconds) if seconds > 0 else self._inbox.get_nowait())
            while True:
                self._receive(self._inbox.get_nowait())

    def _receive(self, result: _Result | None) -> None:
        if result is None:
            self._more = True
            return
        now = self._clock()
        lane = self._lanes.of(result.delivery.operator)
        if lane.end(result.technical_error, now):
            self._note_pause(result, lane, now)
        self._under_way -= 1
        self._take(result)
        if lane.paused(now):
            # They wait in the database, where their time is watched, and are taken again after the pause.
            while lane.waiting:
                delivery = lane.waiting.popleft()
                self._parts.pop(delivery.id, None)
                del self._taken[delivery.id]
            self._left_out.add(result.delivery.operator)

    def _note_pause(self, result: _Result, lane: Lane, now: datetime) -> None:
        """Remember that a pause began or ended; it is written down with the results."""
        operator, breaker = result.delivery.operator, lane.breaker
        cause = result.outcome.trouble or "unknown"
        if breaker.until is None:
            self._pauses[operator] = None
        else:
            self._pauses[operator] = Pause(operator, now, breaker.until, breaker.failures, cause)
        tell(operator, breaker, now, cause)

    def _take(self, result: _Result) -> None:
        if not self._unwritten:
            self._write_at = time.monotonic() + _LONGEST_UNWRITTEN
        self._unwritten.append(result)

    def _write_results(self) -> None:
        if self._pauses:
            with writing(self._database, durable=False) as connection:
                write_pauses(connection, self._pauses)
            self._pauses.clear()
        if not self._unwritten:
            return
        outcomes = [result.outcome for result in self._unwritten]
        write_down(self._database, self._clock, "hand-over", outcomes, self._divert)
        for result in self._unwritten:
            del self._taken[result.delivery.id]
        self._unwritten.clear()

    def _seconds_to_wait(self) -> float:
        if self._more and self._lanes.waiting() < _AHEAD:
            return 0
        until = min(self._look_at, self._write_at) if self._unwritten else self._look_at
        return max(0.0, until - time.monotonic())
