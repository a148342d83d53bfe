"""The steps of a delivery as tasks: each takes a key, claims what it needs, and may be run any number of times.

Whoever runs them only wakes work. What is to be done is in the database; a step for which there is nothing to do, or
that another worker is doing, ends at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock
from mm_soap.dispatcher import claims, documents, store, waiting
from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.breaker import Breaker
from mm_soap.dispatcher.claims import Claimed
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.leases import Leases
from mm_soap.dispatcher.model import Accepted, Outcome, Sealed, State
from mm_soap.dispatcher.outcomes import Divert, Held, write_down
from mm_soap.dispatcher.pacing import Paced
from mm_soap.dispatcher.readdressing import Readdressing
from mm_soap.errors import Refusal, Refused
from mm_soap.storage import reading, writing
from mm_soap.unexpected import guarded, places

_log = logging.getLogger(__name__)

LOOKED_UP_TOGETHER: Final = 32
"""Deliveries of one sender that a task looks up: few enough that several workers share a rush."""
_WRITTEN_TOGETHER: Final = 8
_SECONDS_BETWEEN_WRITES: Final = 0.2
"""Of a database that is away."""

Written = TypeVar("Written")


class Step(StrEnum):
    """What a task does. The values are in the names of tasks and queues."""

    LOOK_UP = "look-up"
    """Address deliveries that were accepted."""
    HAND_OVER = "hand-over"
    """Hand a sealed delivery to its operator."""


Wake = Callable[[Step, int], object]
"""Asks for a step for a delivery's key. It may get lost: the sweep finds what waits."""


class Steps:
    """Does the steps of one database's deliveries, beside any number of others that do the same.

    Args:
        database: the dispatcher's own, in PostgreSQL.
        addressing, handover: the steps.
        clock: the time.
        leases: how deliveries are claimed, and kept while a step runs.
        wake: asks for the steps that follow.
        address_age: how old an address may be when a delivery is tried, in seconds.
        in_a_row: for how many seconds a task goes on with what waits of the same sender, or for the same operator: that
            costs less than a wake-up.
        look_ups_at_once: how many tasks of this process address. In a rush they would leave no thread for the others.
        divert: sends what no mailbox took on to another channel.
    """

    def __init__(
        self,
        database: Engine,
        addressing: Addressing,
        handover: Handover,
        clock: Clock,
        leases: Leases,
        wake: Wake,
        *,
        address_age: float = 900.0,
        in_a_row: float = 1.0,
        look_ups_at_once: int = 8,
        divert: Divert | None = None,
    ) -> None:
        self._database = database
        self._addressing = addressing
        self._readdressing = Readdressing(addressing)
        self._handover = handover
        self._clock = clock
        self._leases = leases
        self._claims = leases.claims
        self._wake = wake
        self._address_age = timedelta(seconds=address_age)
        self._in_a_row = in_a_row
        self._look_ups = threading.Semaphore(look_ups_at_once)
        self._divert = divert
        self._overdue = Paced()

    def run(self, step: Step, delivery: int) -> None:
        """Do a step. No error leaves it: its rows are in the database, and their claims end."""
        if step is Step.HAND_OVER:
            guarded(partial(self.hand_over, delivery), _log, "A step")
        elif self._look_ups.acquire(blocking=False):  # else those under way go on, and the sweep asks again
            try:
                guarded(partial(self.look_up, delivery), _log, "A step")
            finally:
                self._look_ups.release()

    def look_up(self, delivery: int) -> None:
        """Address what waits of the sender of a delivery, some at once, for a while."""
        others = time.monotonic() + self._in_a_row
        while True:
            with writing(self._database) as connection:
                claim, batch = self._claims.accepted(connection, delivery, self._clock(), LOOKED_UP_TOGETHER)
            self._address(claim, batch)
            if len(batch) < LOOKED_UP_TOGETHER:
                return
            if time.monotonic() >= others:
                self._wake(Step.LOOK_UP, delivery)
                return

    def _address(self, claim: str, batch: Sequence[Accepted]) -> None:
        with self._leases.keep(claim):
            found = self._addressing.step(batch)
            while outcomes := list(islice(found, _WRITTEN_TOGETHER)):
                written = self._write("look-up", outcomes, partial(_held, claim))
                if any(outcome.parts for outcome in written):
                    self.wake_waiting()
                else:
                    self._wake_addressed(written)

    def hand_over(self, delivery: int) -> None:
        """Hand a delivery to its operator, if that has room for a call; and others to the same one, for a while."""
        claimed = self._claim(delivery)
        others = time.monotonic() + self._in_a_row
        while claimed is not None:
            claim, sealed, looked_up = claimed
            with self._leases.keep(claim):
                answers_again = self._hand_over(claim, sealed, looked_up)
            if answers_again or time.monotonic() >= others:
                self._wake_all(self._next(sealed.operator)[: None if answers_again else 1])
                return
            claimed = self._claim_in_turn(sealed.operator)

    def _hand_over(self, claim: str, sealed: Sealed, looked_up: datetime | None) -> bool:
        """Do what is to be done with a claimed delivery. Returns whether its operator answers again after a pause."""
        now = self._clock()
        if sealed.received <= self._handover.overdue(sealed.operator, now):
            self._write("hand-over", [self._handover.give_up(sealed)], partial(_held, claim))
        elif (changed := self._look_up_again(claim, sealed, looked_up, now)) is not None:
            for outcome in self._write("look-up", [changed], partial(_held, claim)):
                if outcome.state is State.SEALED:
                    self._wake(Step.HAND_OVER, outcome.id)
        else:
            return self._attempt(claim, sealed)
        return False

    def wake_waiting(self) -> None:
        """Ask for the hand-over of what is due and may begin, and of what is to be given up."""
        now = self._clock()
        found: list[int] = []
        with reading(self._database) as connection:
            operators = store.operators_waited_for(connection)
            found += self._overdue.run(lambda: self._find_overdue(connection, operators, now))
            for operator in operators:
                found += self._claims.next(connection, operator, self._handover.policies.of(operator), now)
        self._wake_all(found)

    def _find_overdue(self, connection: Connection, operators: Sequence[str], now: datetime) -> list[int]:
        found: list[int] = []
        for operator in operators:
            before = self._handover.overdue(operator, now)
            found += self._claims.overdue(connection, operator, now, before, LOOKED_UP_TOGETHER)
        return found

    def wake_accepted(self) -> None:
        """Ask for the look-up of what waits for it."""
        with reading(self._database) as connection:
            found = self._claims.waiting_senders(connection, self._clock())
        for delivery, many in found:
            for _ in range(min(8, -(-many // LOOKED_UP_TOGETHER))):
                self._wake(Step.LOOK_UP, delivery)

    def mend_clock(self) -> None:
        """Make due what waits for a time that is far away since the clock was set back."""
        waiting.mend_clock(self._database, self._handover.policies, self._clock(), self._claims.lease)

    def _claim(self, delivery: int) -> Claimed | None:
        now = self._clock()
        with reading(self._database, once=True) as connection:
            found = self._claims.addressee(connection, delivery, now)
        if found is None:
            return None
        operator, received = found
        if received > self._handover.overdue(operator, now):
            return self._claim_in_turn(operator, delivery)
        with writing(self._database) as connection:
            return self._claims.sealed(connection, delivery, now)

    def _claim_in_turn(self, operator: str, delivery: int | None = None) -> Claimed | None:
        # Durable: after a crash of the database it must still be known that an attempt may have been made.
        with writing(self._database) as connection:
            policy = self._handover.policies.of(operator)
            return self._claims.in_turn(connection, operator, policy, self._clock(), delivery)

    def _wake_addressed(self, outcomes: Sequence[Outcome]) -> None:
        """Ask for the hand-over of what was addressed just now, where it is next.

        What waits for longer was asked for before, and whoever hands it over goes on with these.
        """
        new = {one.id for one in outcomes}
        for operator in {one.operator for one in outcomes if one.operator}:
            self._wake_all([each for each in self._next(operator) if each in new])

    def _wake_all(self, deliveries: Sequence[int]) -> None:
        for each in dict.fromkeys(deliveries):
            self._wake(Step.HAND_OVER, each)

    def _next(self, operator: str) -> Sequence[int]:
        """Return the deliveries to an operator with which as many calls may begin as it has room for."""
        policy = self._handover.policies.of(operator)
        with reading(self._database, once=True) as connection:
            return self._claims.next(connection, operator, policy, self._clock())

    def _look_up_again(self, claim: str, delivery: Sealed, looked_up: datetime | None, now: datetime) -> Outcome | None:
        """Ask the register for an address that is old; None if the delivery goes on to the address that it has."""
        if looked_up is None or looked_up >= now - self._address_age:
            return None
        changed, _ = self._readdressing.step([delivery])
        if changed:
            return changed[0]
        with writing(self._database, durable=False) as connection:
            claims.note_look_up(connection, claim, delivery.id, now)
        return None

    def _attempt(self, claim: str, delivery: Sealed) -> bool:
        with reading(self._database) as connection:
            document, seal = documents.sealed_parts(connection, [delivery.id])[delivery.id]
        try:
            outcome, technical_error = self._handover.step(delivery, document, seal)
        except Exception as error:
            _log.error("An attempt ended in %s", places(error))
            outcome, technical_error = self._handover.unexpected(delivery, error), True
        operator = delivery.operator
        if technical_error:
            cause = outcome.trouble or "unknown"
            # Before its claim is let go, so that a pause holds from then on, and apart: whoever else counts waits.
            breaker = self._patiently(lambda: self._count_failure(operator, cause))
            self._write("hand-over", [outcome], partial(_held, claim))
            if breaker is not None:
                waiting.tell(operator, breaker, self._clock(), cause)
            return False
        ended: list[bool] = []

        def held(connection: Connection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
            ended[:] = [waiting.count_answer(connection, operator)]
            return claims.release(connection, claim, outcomes)

        self._write("hand-over", [outcome], held)
        if ended == [True]:
            waiting.tell(operator, Breaker(self._handover.policies.of(operator).breaker), self._clock(), None)
        return ended == [True]

    def _count_failure(self, operator: str, cause: str) -> Breaker | None:
        """Tell the operator's breaker, which all workers share. Returns it if a pause began."""
        with writing(self._database, durable=False) as connection:
            now = self._clock()
            breaker = waiting.breaker_to_change(connection, operator, self._handover.policies.of(operator).breaker)
            before = replace(breaker)
            began = breaker.failed(now)
            if breaker != before:
                waiting.count_failure(connection, operator, breaker, now, cause)
        return breaker if began else None

    def _write(self, kind: str, outcomes: Sequence[Outcome], held: Held) -> Sequence[Outcome]:
        written = self._patiently(lambda: write_down(self._database, self._clock, kind, outcomes, self._divert, held))
        if len(written) < len(outcomes):
            _log.warning("%d results came too late: another worker has their deliveries.", len(outcomes) - len(written))
        return written

    def _patiently(self, write: Callable[[], Written]) -> Written:
        """Write what came of a step, also when the database is away for a while: else its claim would have to end."""
        deadline = time.monotonic() + self._claims.lease.total_seconds()
        while True:
            try:
                return write()
            except Refused as refused:
                if refused.refusal is not Refusal.UNAVAILABLE or time.monotonic() >= deadline:
                    raise
            time.sleep(_SECONDS_BETWEEN_WRITES)


def _held(claim: str, connection: Connection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    return claims.release(connection, claim, outcomes)
