"""Deliveries as every party sees them. Plain data, no rules.

Texts and bytes that a person sent are left out of the ``repr``, so that a delivery may stand in a traceback or a log.
Source of the structure: the contract's types ``SignedDelivery`` of ``Message/v3`` and what it refers to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Party:
    """The sender of a delivery.

    ``id`` is an identifier of 12 digits, ``attention`` a person or unit at the sender.
    """

    id: str
    name: str = field(repr=False)
    attention: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SupportInfo:
    """Where the recipient turns with questions about a message."""

    text: str = field(default="", repr=False)
    url: str | None = field(default=None, repr=False)
    phone_number: str | None = field(default=None, repr=False)
    email_address: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Metadata:
    """A name and a value for systems to read."""

    tag: str = field(repr=False)
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OfficialMatter:
    """What makes a message an event in a case.

    ``event_id`` names this event, ``official_matter_id`` the case that many messages share, ``preceding_event_id`` an
    earlier event, also of another case. ``matter_status`` says who acts next. Source: messages, "Official matters".
    """

    timestamp: date
    event_id: str | None = field(default=None, repr=False)
    official_matter_id: str | None = field(default=None, repr=False)
    preceding_event_id: str | None = field(default=None, repr=False)
    matter_subject: str | None = field(default=None, repr=False)
    event_type: str | None = field(default=None, repr=False)
    matter_status: str | None = None


@dataclass(frozen=True, slots=True)
class AgreedDetail:
    """An element of another namespace in OfficialMatter: the local names on the way to it, and its text.

    What it means, sender and recipient have agreed on. Nothing here trusts it.
    """

    name: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message.

    ``body`` is the decoded file. ``checksum`` is the MD5 as the sender wrote it; ``filename`` is shown to people and
    never used as a path.
    """

    content_type: str
    body: bytes = field(repr=False)
    checksum: str = field(repr=False)
    filename: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a delivery. ``body`` is the decoded text, UTF-8 by the rules."""

    id: str
    subject: str = field(repr=False)
    support: SupportInfo
    language: str
    content_type: str
    body: bytes = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    metadata: tuple[Metadata, ...] = ()
    official_matter: OfficialMatter | None = None
    reply: str | None = None
    receipt_request: str | None = None


@dataclass(frozen=True, slots=True)
class SecureDelivery:
    """A delivery of class 3: one sender, one recipient, one message or more."""

    sender: Party
    recipient: str = field(repr=False)
    messages: tuple[Message, ...]
    reference: str | None = field(default=None, repr=False)
    correlation_id: str | None = None
    attention: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Email:
    """The e-mail that a notification sends on. ``sender`` is the address in From, ``text`` is plain text."""

    sender: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sms:
    """The text message that a notification sends on. ``sender`` is the name or number in From."""

    sender: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notification:
    """A delivery of class 1: one sender, 1 to 1000 recipients, one message without attachments.

    Nobody signs it: the contract's NotificationDelivery has no place for a signature.
    """

    sender: Party
    recipients: tuple[str, ...] = field(repr=False)
    message: Message
    email: Email | None = None
    sms: Sms | None = None
    reference: str | None = field(default=None, repr=False)
    correlation_id: str | None = None
    attention: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What a recipient adds to a delivery that it forwards: to whom, and its words.

    ``sender`` is who forwards. ``message_id`` names the one message to forward; None forwards all.
    """

    sender: Party
    recipients: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)
    message_id: str | None = None
    reference: str | None = field(default=None, repr=False)
