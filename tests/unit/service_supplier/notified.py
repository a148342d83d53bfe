"""An operator that tells its recipients of post, by channels that the tests hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from mm_soap.message import Limits, Message
from mm_soap.service_supplier import Contact, Inbox, MailboxService, Notice, NoticeNotTaken, NoticeRules, Outbox
from mm_soap.service_supplier.tables import metadata
from mm_soap.storage import migrate, reading
from mm_soap.testing import FrozenClock

from .deliveries import RECIPIENT, FakeDirectory, sealed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHER = "189001619809"
EMAIL_ALONE = Contact("tolvan@post.example")
WINDOW = timedelta(minutes=5)
RULES = NoticeRules(
    channels=frozenset({"EMail", "SMS"}),
    window=WINDOW,
    operator="Brevlåda & Co",
    inbox="https://brevlada.example/Inbox",
    settings="https://brevlada.example/Inbox/contact",
)
REFUSED = NoticeNotTaken("the address is refused", again=False, address=True)
AWAY = NoticeNotTaken("the server is away", again=True)


class Channels:
    """Channels that take what they get, or raise what they are told."""

    def __init__(self, channels: Collection[str] = ("EMail", "SMS")) -> None:
        self.channels = channels
        self.taken: list[Notice] = []
        self.tried: list[Notice] = []
        self.errors: list[Exception] = []

    def send(self, notice: Notice) -> None:
        self.tried.append(notice)
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(notice)


@dataclass
class World:
    """An operator with one recipient who has an e-mail address."""

    engine: Engine
    clock: FrozenClock
    channels: Channels
    service: MailboxService
    outbox: Outbox
    number: int = 0

    @classmethod
    def on(cls, engine: Engine, rules: NoticeRules = RULES) -> World:
        migrate(engine, "service_supplier")
        clock, channels = FrozenClock(NOW), Channels()
        limits = Limits(check_digits=False)
        service = MailboxService(engine, FakeDirectory(), limits, clock=clock, notices=rules)
        service.open_mailboxes([RECIPIENT, OTHER])
        service.set_contact(RECIPIENT, EMAIL_ALONE)
        return cls(engine, clock, channels, service, Outbox(engine, channels, clock, rules=rules))

    @property
    def inbox(self) -> Inbox:
        return Inbox(self.engine, self.service.contents, self.clock)

    def deliver(self, *messages: Message, name: str = "", recipient: str = RECIPIENT, seal: str = "1") -> str:
        self.number += 1
        one = sealed(*messages, name=name or f"number {self.number}", seal=seal, recipient=recipient)
        return self.service.deliver_secure(one, b"raw", f"call-{self.number}", None).trans_id

    def send(self) -> int:
        """Send all that is due; return how many were taken."""
        before = len(self.channels.taken)
        while self.outbox.send_due():
            pass
        return len(self.channels.taken) - before

    def later(self, time: timedelta = WINDOW) -> int:
        """Let time pass, then send."""
        self.clock.advance(time)
        return self.send()

    def told(self) -> int:
        """Deliver something and send the notice of it."""
        self.deliver()
        return self.later()

    def rows(self, table: str = "post_notice") -> list[Any]:
        with reading(self.engine) as connection:
            made = metadata.tables[table]
            return list(connection.execute(select(made).order_by(made.c.id)))

    def reasons(self) -> list[tuple[str, str]]:
        """Outcome and reason of each event of a notice."""
        with reading(self.engine) as connection:
            event = metadata.tables["event"]
            rows = connection.execute(select(event).where(event.c.kind == "notice").order_by(event.c.id)).all()
        return [(row.outcome, row.detail.get("reason", "")) for row in rows]
