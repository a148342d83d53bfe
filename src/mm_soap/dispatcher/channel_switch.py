"""The channel switch: a delivery that no mailbox takes goes another way, and not into the bin.

Three kinds of turns run beside each other: one decides which channel a delivery takes next, one for each channel makes
the attempts, one reads what the print supplier says. What is to be done is in the database; a turn that ends anywhere
is made again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine

from mm_soap.channels import Channel, ChannelError, ChannelName, PrintFolder
from mm_soap.clock import Clock
from mm_soap.dispatcher import channel_store, store
from mm_soap.dispatcher.channel_letters import Letters
from mm_soap.dispatcher.channel_plan import ChannelPlan
from mm_soap.dispatcher.channel_sending import ChannelSending
from mm_soap.dispatcher.channel_store import Ended, Undecided
from mm_soap.dispatcher.model import LONGEST_WAIT, Cause, Outcome, State
from mm_soap.dispatcher.policy import DeliveryPolicy
from mm_soap.storage import Event, reading, record_event, writing
from mm_soap.unexpected import places

_log = logging.getLogger(__name__)

_DECIDED_TOGETHER: Final = 8
_WHY: Final = {
    Cause.NOT_REGISTERED: "The recipient has no mailbox in the register.",
    Cause.DESELECTED: "The recipient does not take digital post from this sender.",
    Cause.NOT_TAKEN: "The operator did not take the message for the recipient's mailbox.",
    Cause.REFUSED: "The way to the recipient's mailbox refused the message.",
    Cause.GAVE_UP: "The recipient's mailbox could not be reached in the time that is set for a delivery.",
}
_NEVER_DIGITAL: Final = frozenset({Cause.NOT_REGISTERED, Cause.DESELECTED})


class ChannelSwitch:
    """Takes other channels where no mailbox takes a delivery.

    Args:
        database: the dispatcher's own.
        plans: what each sender has set, by its organisation number. Others' messages take no other channel.
        channels: the adapters.
        retry: when each channel's technical errors are tried again; that of the mailbox is for looking up contacts.
        acknowledge_within: how long a print supplier may take.
        clock: the time.
    """

    def __init__(
        self,
        database: Engine,
        plans: Mapping[str, ChannelPlan],
        channels: Mapping[ChannelName, Channel],
        retry: Mapping[ChannelName, DeliveryPolicy],
        acknowledge_within: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._letters = Letters(database, plans)
        self._channels = channels
        self._retry = retry
        self._acknowledge_within = acknowledge_within
        self._clock = clock
        self._sending = ChannelSending(database, self._letters, channels, retry, acknowledge_within, clock)
        self._wakes: dict[str, threading.Event] = {}

    def divert(self, connection: Connection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Put the beginning of another channel in the place of ends at the mailbox, where the sender's plan says so."""
        now = self._clock()
        found = [self._diverted(outcome, now) for outcome in outcomes]
        rows = [
            (new.id, new.cause, new.attempts, _WHY[new.cause])
            for old, new in zip(outcomes, found, strict=True)
            if new is not old and new.cause is not None
        ]
        channel_store.add_mailbox(connection, rows, now)
        if rows:
            self.wake()  # whoever looks before the transaction ends looks again in a second
        return found

    def turns(self) -> dict[str, Callable[[], None]]:
        """Return what is to be repeated, each in a thread of its own, by the thread's name."""
        found: dict[str, Callable[[], None]] = {"channels": self._decide}
        for name, channel in self._channels.items():
            found[f"channel-{name}"] = partial(self._carry, name)
            if isinstance(channel, PrintFolder):
                found["acknowledgements"] = partial(self._read_acknowledgements, channel)
        self._wakes = {name: threading.Event() for name in ("channels", *self._channels, "acknowledgements")}
        return found

    def wake(self) -> None:
        """Tell that there is something to do, or that it is time to stop."""
        for event in self._wakes.values():
            event.set()

    def _diverted(self, outcome: Outcome, now: datetime) -> Outcome:
        plan = self._letters.plans.get(outcome.sender)
        cause = outcome.cause
        if plan is None or cause is None or cause not in plan.causes:
            return outcome
        state = State.SWITCHING if cause in _NEVER_DIGITAL else State.SWITCHED
        return replace(
            outcome, state=state, reason=f"{_WHY[cause]} The message takes another channel.", next_attempt=now
        )

    def _wait(self, name: str) -> None:
        self._wakes[name].wait(LONGEST_WAIT)
        self._wakes[name].clear()

    def _carry(self, name: ChannelName) -> None:
        if not self._sending.turn(name):
            self._wait(name)
        else:
            self._wakes["channels"].set()  # what did not go this way takes the next one

    def _read_acknowledgements(self, folder: PrintFolder) -> None:
        try:
            self._sending.acknowledged(folder)
        except ChannelError as error:
            _log.error("The acknowledgements wait: %s", error)
        self._wait("acknowledgements")

    def _decide(self) -> None:
        with reading(self._database) as connection:
            waiting = channel_store.undecided(connection, self._clock(), _DECIDED_TOGETHER)
            ended = {one.id: channel_store.ended(connection, one.id) for one in waiting}
        for one in waiting:
            self._choose(one, ended[one.id])
        if waiting:
            self.wake()
        else:
            self._wait("channels")

    def _choose(self, one: Undecided, ended: Sequence[Ended]) -> None:
        now = self._clock()
        try:
            plan = self._letters.plan_of(one.sender)
            letter = self._letters.letter(one.id, one.distribution_id, plan, now)
            name, obstacles = plan.choose(letter, self._channels, {each.channel for each in ended})
        except ChannelError as error:
            self._postpone(one, ended, str(error), error.technical)
            return
        except Exception as error:
            _log.error("A channel could not be chosen: %s", places(error))
            self._postpone(one, ended, f"an error of the dispatcher's own, {type(error).__name__}", True)
            return
        if name is None:
            self._end(one, ended, [f"It could not go by {way}: {why}." for way, why in obstacles.items()])
            return
        state = State.PRINTING if name is ChannelName.PRINT else State.SWITCHED
        until = now + timedelta(seconds=self._retry[name].give_up_after) + self._acknowledge_within
        self._write(one, state, f"The message goes by {name}.", name.value, until, obstacles, name)

    def _postpone(self, one: Undecided, ended: Sequence[Ended], cause: str, technical: bool) -> None:
        attempts = one.attempts + 1
        again = self._retry[ChannelName.MAILBOX].next_attempt(self._clock(), ended[-1].begun, attempts)
        if again is None or not technical:
            self._end(one, ended, [f"No channel could be chosen: {cause}."])
        else:
            reason = f"No channel can be chosen ({cause}). It is tried again."
            self._write(one, one.state, reason, "retry", again, {}, attempts=attempts)

    def _end(self, one: Undecided, ended: Sequence[Ended], why: Sequence[str]) -> None:
        tried = [each.channel for each in ended if each.channel is not ChannelName.MAILBOX]
        cause = ended[0].cause
        if tried:
            state = State.NOT_PRINTED if tried[-1] is ChannelName.PRINT else State.FAILED
        elif cause is Cause.NOT_REGISTERED:
            state = State.NO_CHANNEL
        else:
            state = State.NOT_PRINTED if cause is Cause.DESELECTED else State.FAILED
        said = [_WHY[cause]] if cause else []
        said += [f"It did not go by {each}." for each in tried]
        self._write(one, state, " ".join([*said, *why]), "none", None, {})

    def _write(
        self,
        one: Undecided,
        state: State,
        reason: str,
        event: str,
        when: datetime | None,
        obstacles: Mapping[str, str],
        way: ChannelName | None = None,
        attempts: int = 0,
    ) -> None:
        now = self._clock()
        detail: dict[str, object] = {"reason": reason, **{f"not by {name}": why for name, why in obstacles.items()}}
        with writing(self._database) as connection:
            if way is not None:
                channel_store.add_way(connection, one.id, way, now, reason)
            outcome = Outcome(one.id, one.distribution_id, one.sender, state, reason, attempts, when)
            store.write_outcomes(connection, [outcome])
            record_event(
                connection, Event(now, "channel", event, one.distribution_id, sender=one.sender, detail=detail)
            )
