"""Carrying deliveries on one channel: attempts, retries, and what the other end says later.

That an attempt begins is on disk before it begins. After a crash in between, nobody knows whether it went, and it is
made again as the same one: an e-mail has the same Message-ID, a print job the same name, and is not made twice. A text
message may come twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from mm_soap.channels import Acknowledgement, Channel, ChannelError, ChannelName, PrintFolder
from mm_soap.clock import Clock
from mm_soap.dispatcher import channel_store, store
from mm_soap.dispatcher.channel_letters import Letters
from mm_soap.dispatcher.channel_store import Step, Way
from mm_soap.dispatcher.model import Outcome, State
from mm_soap.dispatcher.policy import DeliveryPolicy
from mm_soap.storage import Event, reading, record_event, writing
from mm_soap.unexpected import places

_log = logging.getLogger(__name__)

_ARRIVED = {
    ChannelName.EMAIL: "The mail server took the message.",
    ChannelName.SMS: "The SMS gateway took the message.",
}
CUT_OFF = "An earlier attempt was cut off, and nobody knows whether it went. It goes again as the same message."
HANDED_OVER = "The print supplier can fetch the letter. Its acknowledgement is awaited."
PRINTED = "The print supplier has printed the letter."
NOT_ACKNOWLEDGED = (
    "The print supplier acknowledged nothing in the time that is set. The job was withdrawn: ask the supplier."
)


@dataclass(frozen=True)
class ChannelSending:
    """Makes the attempts on all channels.

    Args:
        database: the dispatcher's own.
        letters: makes the letters.
        channels: the adapters.
        retry: when each channel's technical errors are tried again; the time to give up counts from the choice.
        acknowledge_within: how long a print supplier may take.
        clock: the time.
    """

    database: Engine
    letters: Letters
    channels: Mapping[ChannelName, Channel]
    retry: Mapping[ChannelName, DeliveryPolicy]
    acknowledge_within: timedelta
    clock: Clock
    _told: set[str] = field(default_factory=set, init=False, repr=False)

    def turn(self, channel: ChannelName) -> bool:
        """Do the next thing that is due on a channel; False if there is none."""
        with reading(self.database) as connection:
            ways = channel_store.due(connection, channel, self.clock(), 1)
        for way in ways:
            if way.step is Step.HANDED_OVER:
                self._not_acknowledged(way)
            else:
                self._attempt(way)
        return bool(ways)

    def acknowledged(self, folder: PrintFolder) -> None:
        """Write down what the print supplier said of its jobs, and take those away.

        Raises:
            ChannelError: the folder cannot be read.
        """
        for said in folder.acknowledgements():
            with reading(self.database) as connection:
                way = channel_store.way_of_job(connection, said.job)
            if way is None:
                if said.job not in self._told:
                    self._told.add(said.job)
                    _log.error("The print supplier acknowledges a job that is not this dispatcher's: it is left there.")
                continue
            if way.step in (Step.CHOSEN, Step.SENDING):
                continue  # its attempt finds it, and then it is handed over
            if way.step is Step.HANDED_OVER:
                self._write_acknowledgement(way, said)
            elif said.printed and way.step is Step.FAILED:
                # The sender was told that it failed; that is not taken back, but the trace says what came after.
                self._record(way, "late", "The print supplier says after all that it has printed the letter.", {})
            folder.settle(said.job)

    def _attempt(self, way: Way) -> None:
        channel = self.channels.get(way.channel)
        if channel is None:
            self._failed(way, way.tries, "the settings do not have the channel any more")
            return
        tries = way.tries + 1
        try:
            plan = self.letters.plan_of(way.sender)
            letter = self.letters.letter(way.delivery, way.distribution_id, plan, way.begun)
            obstacle = plan.obstacle(letter, way.channel, channel)
            if obstacle:
                raise ChannelError(obstacle, technical=False)
            self._begin(way, tries)
            sent = channel.send(letter)
        except ChannelError as error:
            if error.technical:
                self._later(way, tries, str(error))
            else:
                self._failed(way, tries, str(error))
            return
        except Exception as error:
            _log.error("An attempt on a channel ended in %s", places(error))
            self._later(way, tries, f"an error of the dispatcher's own, {type(error).__name__}")
            return
        if sent.arrived:
            reason = _ARRIVED.get(way.channel, "It arrived.")
            self._write(way, Step.DONE, reason, tries, State.SENT, event="sent", reference=sent.reference)
        else:
            until = self.clock() + self.acknowledge_within
            self._write(way, Step.HANDED_OVER, HANDED_OVER, tries, State.PRINTING, until, "handed over", sent.reference)

    def _begin(self, way: Way, tries: int) -> None:
        with writing(self.database) as connection:
            channel_store.advance(
                connection, way, Step.SENDING, "It is being sent.", tries=tries, next_attempt=self.clock()
            )
            if way.step is Step.SENDING:
                record_event(connection, self._event(way, "again", {"reason": CUT_OFF, "attempt": tries}))

    def _later(self, way: Way, tries: int, cause: str) -> None:
        again = self.retry[way.channel].next_attempt(self.clock(), way.begun, tries)
        if again is None:
            self._failed(way, tries, f"given up, after {cause}")
            return
        reason = f"It did not go by {way.channel} ({cause}). It is tried again."
        state = State.PRINTING if way.channel is ChannelName.PRINT else State.SWITCHED
        self._write(way, Step.CHOSEN, reason, tries, state, again, "retry")

    def _failed(self, way: Way, tries: int, cause: str) -> None:
        """Write that it does not go this way; another channel is looked for at once."""
        reason = f"It did not go by {way.channel}: {cause}."
        state = State.PRINTING if way.channel is ChannelName.PRINT else State.SWITCHED
        self._write(way, Step.FAILED, reason, tries, state, self.clock(), "failed")

    def _not_acknowledged(self, way: Way) -> None:
        # No other channel: it may have been printed.
        self._write(way, Step.FAILED, NOT_ACKNOWLEDGED, way.tries, State.NOT_PRINTED, event="not acknowledged")
        folder = self.channels.get(way.channel)
        if isinstance(folder, PrintFolder):
            folder.withdraw(way.distribution_id)

    def _write_acknowledgement(self, way: Way, said: Acknowledgement) -> None:
        if said.printed:
            self._write(way, Step.DONE, PRINTED, way.tries, State.PRINTED, event="printed", supplier=said.reference)
        else:
            reason = f"The print supplier refused the letter: {said.reason}."
            self._write(
                way, Step.FAILED, reason, way.tries, State.PRINTING, self.clock(), "refused", supplier=said.reference
            )

    def _write(
        self,
        way: Way,
        step: Step,
        reason: str,
        tries: int,
        state: State,
        when: datetime | None = None,
        event: str = "",
        reference: str | None = None,
        supplier: str = "",
    ) -> None:
        open_ = step in (Step.CHOSEN, Step.HANDED_OVER)
        detail: dict[str, object | None] = {"reason": reason, "attempt": tries, "reference": reference}
        detail["supplier_reference"] = supplier or None
        if step is Step.HANDED_OVER and when is not None:
            detail["acknowledge_until"] = when.isoformat()
        outcome = Outcome(way.delivery, way.distribution_id, way.sender, state, reason, tries, when)
        with writing(self.database) as connection:
            channel_store.advance(
                connection, way, step, reason, tries=tries, next_attempt=when if open_ else None, reference=reference
            )
            store.write_outcomes(connection, [outcome])
            record_event(connection, self._event(way, event, {k: v for k, v in detail.items() if v is not None}))

    def _record(self, way: Way, event: str, reason: str, detail: dict[str, object]) -> None:
        with writing(self.database) as connection:
            record_event(connection, self._event(way, event, {"reason": reason, **detail}))

    def _event(self, way: Way, outcome: str, detail: dict[str, object]) -> Event:
        return Event(self.clock(), way.channel.value, outcome, way.distribution_id, sender=way.sender, detail=detail)
