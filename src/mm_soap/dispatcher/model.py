"""What the dispatcher knows of a delivery: its states, how it is retried, and what its sender is told.

Sources: the contract's service descriptions (Message), and its error codes for what is technical.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

TRANS_ID_LENGTH: Final = 50
"""How much of an operator's TransId is kept with the delivery; the contract sets no bound."""

LONGEST_WAIT: Final = 1.0
"""Seconds after which a thread of the engine looks at the database though nobody woke it."""


class State(StrEnum):
    """Where a delivery stands. The values are in the database."""

    ACCEPTED = "accepted"
    """On disk; the register was not asked yet. checkDistributionStatus answers 5004."""
    SEALED = "sealed"
    """The recipient has a mailbox; sealed, and to be handed to its operator."""
    DELIVERED = "delivered"
    """The operator said that it is in the mailbox."""
    FAILED = "failed"
    """It cannot be delivered. The reason says why."""
    PAPER = "paper"
    """The recipient has deselected the sender: the sender must print."""
    NOT_REGISTERED = "not_registered"
    """The recipient has no mailbox, or none that is ready."""
    SWITCHING = "switching"
    """No mailbox takes it, and its next channel is not chosen yet. checkDistributionStatus answers 5004."""
    SWITCHED = "switched"
    """The mailbox did not take it, or it is on its way by e-mail or SMS."""
    PRINTING = "printing"
    """On its way to the print supplier, or there."""
    SENT = "sent"
    """It went by e-mail or SMS."""
    PRINTED = "printed"
    """The print supplier said that it is printed."""
    NOT_PRINTED = "not_printed"
    """It could not be printed, and the sender must do it."""
    NO_CHANNEL = "no_channel"
    """The recipient has no mailbox, and no other channel could be tried."""


class Cause(StrEnum):
    """Why the mailbox did not take a delivery. The values are in settings and in the database."""

    NOT_REGISTERED = "not_registered"
    """The register knows no mailbox that is ready."""
    DESELECTED = "deselected"
    """The recipient has deselected the sender."""
    NOT_TAKEN = "not_taken"
    """The operator answered Delivered false."""
    REFUSED = "refused"
    """The register or the operator refused the call."""
    GAVE_UP = "given_up"
    """Nobody could say in the time that is set; the mailbox may have it after all."""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer of checkDistributionStatus for one recipient."""

    recipient: str
    type: str
    """``Digital``, ``Paper`` or ``Not``."""
    delivery_status: str | None
    """``Delivered``, ``Pending`` or ``DeliveryFailed``. None where no delivery is tried: for ``Paper`` and ``Not`` of a
    sender for whom no other channels are set."""


_STATUS: Final = {
    State.SEALED: ("Digital", "Pending"),
    State.DELIVERED: ("Digital", "Delivered"),
    State.FAILED: ("Digital", "DeliveryFailed"),
    State.PAPER: ("Paper", None),
    State.NOT_REGISTERED: ("Not", None),
    State.SWITCHED: ("Digital", "Pending"),
    State.SENT: ("Digital", "Delivered"),
    State.PRINTING: ("Paper", "Pending"),
    State.PRINTED: ("Paper", "Delivered"),
    State.NOT_PRINTED: ("Paper", "DeliveryFailed"),
    State.NO_CHANNEL: ("Not", "DeliveryFailed"),
}


def status_of(recipient: str, state: State) -> Status | None:
    """Return what the sender is told, or None while the delivery is not unpacked yet (fault 5004)."""
    known = _STATUS.get(state)
    return Status(recipient, *known) if known else None


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery as it is accepted."""

    distribution_id: str
    sender: str
    recipient: str
    message_ids: tuple[str, ...]
    digest: str
    """SHA-256 of the verified SignedDelivery, in hexadecimal: the same signed bytes are the same delivery."""
    document: bytes
    """The verified SignedDelivery, standing alone."""
    received: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery whose recipient is to be looked up."""

    id: int
    distribution_id: str
    sender: str
    recipient: str
    received: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A delivery that is to be handed to an operator."""

    id: int
    distribution_id: str
    sender: str
    recipient: str
    received: datetime
    attempts: int
    operator: str
    """Organisation number of the operator."""
    address: str
    """The address of the operator's Service."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step of one delivery, as it is to be written down."""

    id: int
    distribution_id: str
    sender: str
    state: State
    reason: str
    """For a case handler: one sentence."""
    attempts: int = 0
    next_attempt: datetime | None = None
    """When to try again; None if the state is final or the next step may begin at once."""
    operator: str | None = None
    address: str | None = None
    seal: bytes | None = None
    trans_id: str | None = None
    detail: dict[str, object] | None = None
    """More for the trace; no personal numbers, no content."""
    cause: Cause | None = None
    """Why the mailbox did not take it; None while it may."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a technical error is tried again, and when it is given up.

    Args:
        first: the longest wait before the second attempt, in seconds.
        longest: the longest wait between two attempts, in seconds.
        give_up_after: how long after it was accepted a delivery is given up, in seconds.
    """

    first: float = 1.0
    longest: float = 900.0
    give_up_after: float = 86400.0

    def next_attempt(
        self, now: datetime, received: datetime, attempts: int, chance: Callable[[], float] = random.random
    ) -> datetime | None:
        """Return when to try again after ``attempts`` failed attempts, or None to give up.

        The wait doubles with each attempt. Half of it is left to chance, so that deliveries which failed together do
        not come back together.
        """
        deadline = received + timedelta(seconds=self.give_up_after)
        if now >= deadline:
            return None
        wait = min(self.longest, self.first * 2.0 ** min(attempts - 1, 32))
        return min(deadline, now + timedelta(seconds=wait * (0.5 + 0.5 * chance())))


def seconds_until(moment: datetime | None, now: datetime) -> float:
    """Return how long to wait for a moment, at most `LONGEST_WAIT`; that long for None."""
    return LONGEST_WAIT if moment is None else min(LONGEST_WAIT, max(0.01, (moment - now).total_seconds()))
