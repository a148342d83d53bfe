"""What a mailbox operator keeps: mailboxes, deliveries, and the messages in them.

Texts and bytes that a person sent are left out of the ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple

INBOX: Final = 0
"""The place of a message that nobody moved."""
ARCHIVE: Final = -1
TRASH: Final = -2
"""Where a message waits that its recipient threw away. A place above 0 is one of the recipient's own folders."""

FOLDER_NAME_LENGTH: Final = 100
MOST_FOLDERS: Final = 200
"""In one mailbox."""


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


class Named(StrEnum):
    """Whom the register names as a recipient's mailbox operator."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    NOBODY = "nobody"
    """There is no account, or one that waits for signatures."""

    @classmethod
    def by(cls, active_at: str | None, own: str) -> Named:
        """Return what it means for an operator that an account is active somewhere, or with None nowhere."""
        return cls.NOBODY if active_at is None else cls.HERE if active_at == own else cls.ELSEWHERE


@dataclass(frozen=True, slots=True)
class Standing:
    """How a mailbox stands at a moment.

    Args:
        recipient: whose it is.
        closed: whether it is closed.
        registered: whether the register ever named this operator for it.
        turns: how often it was opened or closed.
    """

    recipient: str = field(repr=False)
    closed: bool
    registered: bool
    turns: int


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
        place: where in the mailbox it is: `INBOX`, `ARCHIVE`, `TRASH`, or the id of a folder.
        key: names it in the mailbox, also where a sender used an id twice.
        attached: whether it has attachments.
    """

    message_id: str
    subject: str = field(repr=False)
    sender: str
    sender_name: str = field(repr=False)
    received: datetime
    read: datetime | None
    kind: Kind = Kind.SECURE
    place: int = INBOX
    key: str = ""
    attached: bool = False


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


class MessageKey(NamedTuple):
    """The key of a message: its delivery and its position there."""

    delivery: int
    position: int

    def __str__(self) -> str:
        """Return it as others get it."""
        return f"{self.delivery}-{self.position}"

    @classmethod
    def read(cls, text: str) -> MessageKey | None:
        """Return the key that a text is, or None. It may come from anybody."""
        delivery, _, position = text.partition("-")
        if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (delivery, position)):
            return None
        number = int(position)
        return cls(int(delivery), number) if number < 2**31 else None


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """What is told of an attachment without its bytes. ``filename`` is shown to people and never used as a path.

    Args:
        position: names it in its message.
        filename: as the sender wrote it.
        content_type: as the sender wrote it.
        checksum: as the sender wrote it: MD5.
        size: in bytes.
    """

    position: int
    filename: str = field(repr=False)
    content_type: str
    checksum: str = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message that is being read: as `StoredMessage`, with its files told of and not yet fetched."""

    summary: MessageSummary
    trans_id: str
    language: str
    content_type: str
    body: bytes = field(repr=False)
    files: tuple[AttachedFile, ...]
    forwarded: Forwarded | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of messages.

    Args:
        lines: the messages.
        next: the cursor of the page after this one, None if this is the last.
    """

    lines: tuple[MessageSummary, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Folder:
    """A place in a mailbox.

    Args:
        id: `INBOX`, `ARCHIVE`, `TRASH`, or the id of the recipient's own folder.
        name: of an own folder; empty for the others.
        messages: how many it holds.
        unread: how many of them are unread.
    """

    id: int
    name: str = field(repr=False)
    messages: int
    unread: int
