"""How a recipient wants to be told of post."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

EMAIL: Final = "EMail"
SMS: Final = "SMS"
"""The channels on which recipients are told of their post, by the contract's names."""

EACH: Final = "each"
"""Each time that secure post comes."""
DAILY: Final = "daily"
"""At most once in 24 hours, on each channel."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a recipient wants notifications sent on to.

    Args:
        email: the recipient's own e-mail address, None without one.
        mobile: the number of its mobile phone, None without one.
        language: ``sv`` or ``en``, for what the operator itself writes.
        wanted: by which channels its recipient wants to be told: ``EMail``, ``SMS``.
        frequency: how often it is told of secure post: `EACH` or `DAILY`.
        failed: the channels whose address does not work, and since when. Nothing goes there.
    """

    email: str | None = field(default=None, repr=False)
    mobile: str | None = field(default=None, repr=False)
    language: str = "sv"
    wanted: frozenset[str] = frozenset({EMAIL, SMS})
    frequency: str = EACH
    failed: Mapping[str, datetime] = field(default_factory=dict)

    def address(self, channel: str) -> str | None:
        """Return where a channel reaches the recipient; None if it does not, or is not wanted."""
        if channel not in self.wanted or channel in self.failed:
            return None
        return {EMAIL: self.email, SMS: self.mobile}.get(channel)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A recipient's mailbox.

    Args:
        recipient: its twelve digits.
        opened: when it was opened.
        contact: where its notifications are sent on to.
        closed: when it was closed, None while it is open.
    """

    recipient: str = field(repr=False)
    opened: datetime
    contact: Contact = Contact()
    closed: datetime | None = None
