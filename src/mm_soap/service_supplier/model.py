"""What a mailbox operator keeps: mailboxes, deliveries, and the messages in them.

Texts and bytes that a person sent are left out of the ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Kind(StrEnum):
    """How a message came. The values are in the database."""

    SECURE = "secure"
    """In a secure delivery, of class 3."""
    NOTIFICATION = "notification"
    """In a notification, of class 1."""
    FORWARDED = "forwarded"
    """From another recipient, who forwarded it."""


class Fate(StrEnum):
    """What became of a delivery; the outcome of its event."""

    STORED = "stored"
    NO_MAILBOX = "no mailbox here"
    DESELECTED = "the recipient deselected the sender"
    NOT_HERE = "not for any recipient here"
    REPEATED = "answered as the first time"


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The answer to a delivery.

    Args:
        trans_id: the operator's id of the delivery.
        delivered: each recipient and whether it was delivered to.
    """

    trans_id: str
    delivered: tuple[tuple[str, bool], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What is answered of a delivery to many for one recipient.

    Args:
        recipient: its twelve digits.
        delivered: whether it is in the recipient's mailbox.
        channels: ``EMail`` and ``SMS``, by which it was sent on; empty unless it was delivered.
    """

    recipient: str = field(repr=False)
    delivered: bool
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a recipient wants notifications sent on to.

    Args:
        email: the recipient's own e-mail address, None without one.
        mobile: the number of its mobile phone, None without one.
        language: ``sv`` or ``en``, for what the operator itself writes.
        wanted: which kinds of notification are wanted: ``EMail``, ``SMS``.
    """

    email: str | None = field(default=None, repr=False)
    mobile: str | None = field(default=None, repr=False)
    language: str = "sv"
    wanted: frozenset[str] = frozenset({"EMail", "SMS"})

    def address(self, channel: str) -> str | None:
        """Return where a channel reaches the recipient; None if it does not, or is not wanted."""
        if channel not in self.wanted:
            return None
        return {"EMail": self.email, "SMS": self.mobile}.get(channel)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Who forwarded a delivery, and the words that came with it."""

    forwarder: str = field(repr=False)
    name: str = field(repr=False)
    subject: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery about to be stored. What nobody signed or sealed has an empty signer and sealer.

    Args:
        trans_id: the operator's id of it.
        document_digest: SHA-256 of the signed delivery: the same signed bytes are the same delivery.
        sealed_digest: SHA-256 of the sealed delivery.
        call_id: the call that brought it; its evidence holds the exact bytes.
        sender: the sender's organisation number.
        signer: who signed the delivery.
        sealer: who sealed it.
        sealed_on: the day that the seal tells.
        received: when it came.
        delivered: whether it went into a mailbox.
    """

    trans_id: str
    document_digest: str
    sealed_digest: str
    call_id: str
    sender: str
    signer: str
    sealer: str
    sealed_on: date
    received: datetime
    delivered: bool


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A recipient's mailbox.

    Args:
        recipient: its twelve digits.
        opened: when it was opened.
        contact: where its notifications are sent on to.
    """

    recipient: str = field(repr=False)
    opened: datetime
    contact: Contact = Contact()


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """A line of the list of messages.

    Args:
        message_id: the sender's MessageHeader.Id.
        subject: its subject.
        sender: the sender's organisation number.
        sender_name: the sender's name, as it wrote it.
        received: when it came.
        read: when it was first read, None while it is unread.
        kind: how it came.
    """

    message_id: str
    subject: str = field(repr=False)
    sender: str
    sender_name: str = field(repr=False)
    received: datetime
    read: datetime | None
    kind: Kind = Kind.SECURE


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """A file of a message. ``filename`` is shown to people and never used as a path."""

    filename: str = field(repr=False)
    content_type: str
    checksum: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in a mailbox.

    Args:
        summary: what the list shows of it.
        trans_id: the delivery with which it came.
        language: as the sender wrote it.
        content_type: ``text/plain`` or ``text/html``.
        body: the decoded text.
        attachments: its files, in their order.
        forwarded: who forwarded it, None if it came from its sender.
    """

    summary: MessageSummary
    trans_id: str
    language: str
    content_type: str
    body: bytes = field(repr=False)
    attachments: tuple[StoredAttachment, ...]
    forwarded: Forwarded | None = None
