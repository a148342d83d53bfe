"""What the dispatcher knows of a delivery: its states, its steps, and what its sender is told.

Sources: the contract's service descriptions (Message), and its error codes for what is technical.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

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
    LOOK_UP_AGAIN = "look_up_again"
    """As `SEALED`, but its address is old: the register is asked again before the next attempt."""
    DELIVERED = "delivered"
    """The operator said that it is in the mailbox."""
    FAILED = "failed"
    """It cannot be delivered. The reason says why."""
    PAPER = "paper"
    """The recipient has deselected the sender: the sender must print."""
    NOT_REGISTERED = "not_registered"
    """The recipient has no mailbox, or none that is ready."""
    UNPACKED = "unpacked"
    """A notification whose recipients were looked up. What becomes of each of them stands with its part."""
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


class Kind(StrEnum):
    """What a delivery is. The values are in the database."""

    SECURE = "secure"
    """Of class 3: signed, for one recipient."""
    NOTIFICATION = "notification"
    """Of class 1, as it was accepted: for 1 to 1000 recipients, at any number of operators."""
    PART = "part"
    """What of a notification goes to one operator."""


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
    State.LOOK_UP_AGAIN: ("Digital", "Pending"),
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
class Notified:
    """The answer of Notification.checkDistributionStatus for one recipient."""

    recipient: str
    delivered: bool
    channels: tuple[str, ...] = ()
    """``EMail`` and ``SMS``, by which the recipient was notified; empty unless it was delivered."""


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
    """The verified SignedDelivery or the NotificationDelivery, standing alone."""
    received: datetime
    kind: Kind = Kind.SECURE
    recipients: tuple[str, ...] = ()
    """Of a notification all of them; ``recipient`` is the first."""
    seal_digest: bytes | None = None
    """What :func:`mm_soap.dsig.digest_to_seal` told of the document for the day on which it came."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery whose recipient is to be looked up."""

    id: int
    distribution_id: str
    sender: str
    recipient: str
    received: datetime
    attempts: int
    kind: Kind = Kind.SECURE
    size: int = 1
    """How many recipients it has."""
    seal_digest: bytes | None = None
    """What its seal signs, where that is known."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A delivery that is to be handed to an operator: one of class 3 in its seal, or a part of a notification."""

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
    perhaps_taken: bool = False
    """Whether the operator may have the message already: an attempt went out whose answer did not come, or said that
    it is to be made again."""
    kind: Kind = Kind.SECURE


@dataclass(frozen=True, slots=True)
class NewPart:
    """What of a notification goes to one operator, in one call."""

    operator: str
    address: str
    recipients: tuple[str, ...]
    document: bytes
    """A NotificationDelivery with these recipients alone: the bytes of every attempt."""
    received: datetime
    """When the notification was accepted."""
    due: datetime
    """When it is to be handed over."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What became of a notification for one of its recipients."""

    recipient: str
    state: State
    channels: tuple[str, ...] = ()


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
    looked_up: datetime | None = None
    """When the register said what stands here; None if it was not asked."""
    perhaps_taken: bool = False
    """Whether the operator may have the message after this step. Once it may, that stays."""
    trouble: str | None = None
    """The operator's technical error, if there was one."""
    word: str | None = None
    """The outcome of the event that tells of this; None for the state."""
    parts: tuple[NewPart, ...] = ()
    """Of a notification that was unpacked: what goes to each operator."""
    recipients: tuple[RecipientOutcome, ...] = ()
    """Of a notification or a part: the recipients for whom more is known than of the whole."""


def cause_of(delivery: Accepted | Sealed, cause: Cause | None) -> Cause | None:
    """Return why a delivery may take another channel: None for a notification, which has none but the mailbox."""
    return cause if delivery.kind is Kind.SECURE else None


def part_id(distribution_id: str, operator: str) -> str:
    """Return what a part of a notification is called in the database; nobody outside is told it."""
    return f"{distribution_id}.{operator}"


def whole_id(distribution_id: str) -> str:
    """Return the distribution id of the delivery that a part belongs to; of a whole delivery its own."""
    return distribution_id.partition(".")[0]


def accepted_of(r: Any) -> Accepted:
    """Return what waits for its look-up, of a row with the columns of the same names."""
    return Accepted(
        *(r.id, r.distribution_id, r.sender, r.recipient, r.received, r.attempts, Kind(r.kind), r.size),
        seal_digest=r.seal_digest,
    )


def sealed_of(r: Any) -> Sealed:
    """Return a sealed delivery, of a row with the columns of the same names."""
    return Sealed(
        *(r.id, whole_id(r.distribution_id), r.sender, r.recipient, r.received, r.attempts, r.operator, r.address),
        perhaps_taken=r.perhaps_taken,
        kind=Kind(r.kind),
    )


def seconds_until(moment: datetime | None, now: datetime) -> float:
    """Return how long to wait for a moment, at most `LONGEST_WAIT`; that long for None."""
    return LONGEST_WAIT if moment is None else min(LONGEST_WAIT, max(0.01, (moment - now).total_seconds()))
