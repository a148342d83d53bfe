"""What a mailbox operator keeps: mailboxes, deliveries, and the messages in them.

Texts and bytes that a person sent are left out of the ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Fate(StrEnum):
    """What became of a delivery; the outcome of its event."""

    STORED = "stored"
    NO_MAILBOX = "no mailbox here"
    DESELECTED = "the recipient deselected the sender"
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
class NewDelivery:
    """A delivery about to be stored.

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
    """

    recipient: str = field(repr=False)
    opened: datetime


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
    """

    message_id: str
    subject: str = field(repr=False)
    sender: str
    sender_name: str = field(repr=False)
    received: datetime
    read: datetime | None


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
    """

    summary: MessageSummary
    trans_id: str
    language: str
    content_type: str
    body: bytes = field(repr=False)
    attachments: tuple[StoredAttachment, ...]
