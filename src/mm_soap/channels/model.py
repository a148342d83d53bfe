"""What a channel carries and what it answers: plain data, and the port itself.

A channel takes a message where a mailbox cannot: to an e-mail address, to a mobile, to paper.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from mm_soap.errors import MmSoapError
from mm_soap.message import Message


class ChannelName(StrEnum):
    """The ways a message may take. The values are in settings and databases."""

    MAILBOX = "mailbox"
    EMAIL = "email"
    SMS = "sms"
    PRINT = "print"


OPEN_CHANNELS = frozenset({ChannelName.EMAIL, ChannelName.SMS})
"""Those that anybody between may read: not for sensitive content."""


@dataclass(frozen=True, slots=True)
class Contact:
    """How a recipient may be reached, as the sender says. What is not known is empty."""

    name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    mobile: str = field(default="", repr=False)
    """With the country's number: ``+46`` and so on."""
    address: tuple[str, ...] = field(default=(), repr=False)
    """The postal address line by line, without the name."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a sender names itself on the channels."""

    organisation: str
    name: str = field(repr=False)
    email: str = field(default="", repr=False)
    sms: str = field(default="", repr=False)
    """At most 11 letters and digits, or a number with ``+``."""
    address: tuple[str, ...] = field(default=(), repr=False)
    """The return address, line by line, without the name."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes to one recipient.

    ``id`` is the distribution id, ``begun`` when the channel was chosen: the same at each attempt, so that what is sent
    again is recognisable. ``attention`` is a person or unit at the recipient.
    """

    id: str
    origin: Origin
    contact: Contact
    messages: tuple[Message, ...]
    begun: datetime
    attention: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WrittenEmail:
    """An e-mail that is written already, where a `Letter` still holds messages.

    Args:
        id: the same at each attempt: the Message-ID is made of it.
        origin: who it is from.
        to: the recipient's address.
        subject: one line.
        text: plain text.
        language: a language tag such as ``sv-SE``.
        begun: when it was first to be sent, the same at each attempt.
        html: the same as HTML; empty for none.
        reply_to: where answers go; empty for the origin.
        unsubscribe: the URL of the page where the recipient turns such e-mail off; empty for none.
    """

    id: str
    origin: Origin
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    language: str
    begun: datetime
    html: str = field(default="", repr=False)
    reply_to: str = field(default="", repr=False)
    unsubscribe: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a channel says of a letter that it took."""

    reference: str
    """The id by which the other end knows it: a Message-ID, a gateway's id, a job."""
    arrived: bool = True
    """False where an acknowledgement comes later."""


class ChannelError(MmSoapError):
    """A channel did not take a letter. The text is for a case handler and holds no address and no content.

    Args:
        reason: the cause, as part of a sentence.
        technical: whether the same letter may go later.
        address: whether it is the recipient's address that is refused for good, whatever is sent there.
    """

    def __init__(self, reason: str, *, technical: bool, address: bool = False) -> None:
        super().__init__(reason)
        self.technical = technical
        self.address = address


class Channel(Protocol):
    """Carries letters. Safe for one thread at a time."""

    @property
    def name(self) -> ChannelName:
        """Which channel this is."""
        ...

    def obstacle(self, letter: Letter) -> str | None:
        """Return why this letter cannot take this channel, as part of a sentence; None if it can."""
        ...

    def send(self, letter: Letter) -> Sent:
        """Carry a letter. With the same letter again, the other end can see that it is the same, as far as it is able.

        Raises:
            ChannelError: it did not go, or nobody knows whether it went; then the error is technical.
        """
        ...
