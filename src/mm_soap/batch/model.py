"""What a batch is made of: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mm_soap.errors import MmSoapError


class RowError(MmSoapError):
    """A row cannot be sent. The message says why and what to do; it never repeats what the row holds."""


class State(StrEnum):
    """How far a row came. Each row goes through them from the top down, and may leave some out."""

    INVALID = "invalid"
    """It cannot be sent, for the reason that stands beside."""
    CHECKED = "checked"
    """It may be sent."""
    UNREACHABLE = "unreachable"
    """The register says that the recipient has no mailbox, or does not accept the sender. It is not sent."""
    SIGNED = "signed"
    """Its signed bytes are in the journal. They may have reached the dispatcher: only they are ever sent."""
    ACCEPTED = "accepted"
    """The dispatcher has it."""
    REFUSED = "refused"
    """The dispatcher refused it, for the reason that stands beside."""
    ENDED = "ended"
    """The dispatcher says that nothing more will happen."""


@dataclass(frozen=True, slots=True)
class Row:
    """One message, as the file has it. ``line`` is where: the line, or the place in a JSON array, from 1."""

    line: int
    recipient: str = field(repr=False)
    subject: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    body_file: str = field(default="", repr=False)
    attachments: tuple[str, ...] = field(default=(), repr=False)
    message_id: str = ""
    sensitive: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of one row."""

    line: int
    recipient: str = field(repr=False)
    message_id: str
    state: State
    distribution_id: str | None
    type: str | None
    """The dispatcher's Type: ``Digital``, ``Paper`` or ``Not``."""
    delivery_status: str | None
    reason: str | None

    @property
    def channel(self) -> str:
        """Which way the message went: ``digital``, ``print``, ``none``, or nothing while that is open.

        A sender is not told whether what is digital went to the mailbox or, where the dispatcher does so, by e-mail.
        """
        if self.state in (State.INVALID, State.UNREACHABLE, State.REFUSED):
            return "none"
        return _CHANNELS.get(self.type or "", "")


_CHANNELS: Final[Mapping[str, str]] = {"Digital": "digital", "Paper": "print", "Not": "none"}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows are in each state; ``delivered`` and ``failed`` are of those that have ended."""

    rows: int
    invalid: int
    unreachable: int
    waiting: int
    """Not handed over yet."""
    accepted: int
    refused: int
    delivered: int
    failed: int

    @property
    def done(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self.waiting and not self.accepted
