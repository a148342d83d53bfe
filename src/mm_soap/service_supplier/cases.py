"""Cases as their recipient follows them: messages with an official matter, grouped, in order, and whose turn it is.

A case belongs to one mailbox and to one sender organisation. Whatever ids a sender writes, its messages are never in
another sender's case. Source: contract, messages, "Official matters".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from mm_soap.message import AgreedDetail


class Turn(StrEnum):
    """Who acts next. The values are those of MatterStatus."""

    SENDER = "senderinitiative"
    RECIPIENT = "recipientinitiative"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """What a sender said of a case with one message.

    Args:
        key: the message.
        subject: of the message.
        received: when the message came.
        read: when it was first read, None while it is unread.
        dated: Timestamp, the sender's date of the event; None where there is none, but elements of other namespaces.
        event_id: names the event.
        official_matter_id: names the case.
        preceding_event_id: an earlier event, perhaps of another case.
        matter_subject: what the case is about.
        event_type: what happened.
        turn: MatterStatus after this event; None where the sender did not say.
        details: elements of other namespaces. Nothing here trusts them.
    """

    key: str
    subject: str = field(repr=False)
    received: datetime
    read: datetime | None
    dated: date | None
    event_id: str | None = field(default=None, repr=False)
    official_matter_id: str | None = field(default=None, repr=False)
    preceding_event_id: str | None = field(default=None, repr=False)
    matter_subject: str | None = field(default=None, repr=False)
    event_type: str | None = field(default=None, repr=False)
    turn: Turn | None = None
    details: tuple[AgreedDetail, ...] = field(default=(), repr=False)

    @property
    def in_case(self) -> bool:
        """Whether it is an event of a case."""
        return self.dated is not None

    def document(self) -> dict[str, Any]:
        """Return what the sender said, for JSON. The names are those of the contract."""
        return {
            "timestamp": self.dated.isoformat() if self.dated else None,
            "event_id": self.event_id,
            "official_matter_id": self.official_matter_id,
            "preceding_event_id": self.preceding_event_id,
            "matter_subject": self.matter_subject,
            "event_type": self.event_type,
            "matter_status": self.turn.value if self.turn else None,
            "other_details": [{"name": one.name, "text": one.text} for one in self.details],
        }


@dataclass(frozen=True, slots=True)
class CaseLink:
    """A way to what has to do with a case: the key of a message there, and what to call it."""

    key: str
    name: str = field(repr=False)
    sender_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Args:
        sender: the sender's organisation number.
        sender_name: the sender's name, as it wrote it last.
        events: in their order, the earliest first. Of very many, those that came last.
        total: how many events there are.
        before: for an event, by its key, the event of another case that it follows.
        related: cases of other senders that call their subject the same.
    """

    sender: str
    sender_name: str = field(repr=False)
    events: tuple[CaseEvent, ...]
    total: int
    before: dict[str, CaseLink] = field(default_factory=dict, repr=False)
    related: tuple[CaseLink, ...] = ()

    @property
    def official_matter_id(self) -> str | None:
        """The sender's OfficialMatterId; None where a message is a case of its own."""
        return self.events[-1].official_matter_id

    @property
    def key(self) -> str:
        """The key of a message in it, by which it is opened."""
        return self.events[-1].key

    @property
    def subject(self) -> str:
        """What it is about: the last MatterSubject, else the subject of its first message."""
        told = (one.matter_subject for one in reversed(self.events) if (one.matter_subject or "").strip())
        return next(told, None) or self.events[0].subject

    @property
    def turn(self) -> Turn | None:
        """Who acts next, by the last event that says so."""
        return next((one.turn for one in reversed(self.events) if one.turn is not None), None)

    @property
    def received(self) -> datetime:
        """When its last message came."""
        return max(one.received for one in self.events)

    @property
    def unread(self) -> int:
        """How many of its messages are unread."""
        return sum(one.read is None for one in self.events)


@dataclass(frozen=True, slots=True)
class CasePage:
    """A part of a list of cases. ``following`` is how many to pass over for the next part, None if this is the last."""

    cases: tuple[Case, ...]
    following: int | None


def in_order(events: Iterable[CaseEvent]) -> Sequence[CaseEvent]:
    """Return events as they followed each other.

    By the sender's dates, and in the order of their arrival on one day; but an event comes after the one that it names
    as preceding, whichever way they arrived. Where events name each other in a circle, dates and arrival decide.
    """
    by_time = sorted(events, key=_when)
    named = {one.event_id: one for one in reversed(by_time) if one.event_id}
    placed: dict[str, CaseEvent] = {}
    for event in by_time:
        waiting: dict[str, CaseEvent] = {}
        one: CaseEvent | None = event
        while one is not None and one.key not in placed and one.key not in waiting:
            waiting[one.key] = one
            one = named.get(one.preceding_event_id) if one.preceding_event_id else None
        for each in reversed(waiting.values()):
            placed[each.key] = each
    return list(placed.values())


def _when(one: CaseEvent) -> tuple[date, datetime, int, int]:
    delivery, _, position = one.key.partition("-")
    return one.dated or one.received.date(), one.received, int(delivery), int(position)
