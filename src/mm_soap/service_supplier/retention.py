"""What goes by itself: the rules of an operator for how long messages stay, and the work that follows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, select

from mm_soap.service_supplier.case_backfill import learn_old_cases
from mm_soap.service_supplier.deleting import delete_messages, forget_emptied, keep_evidence
from mm_soap.service_supplier.model import INBOX, TRASH, MessageKey
from mm_soap.service_supplier.places import keys_in
from mm_soap.service_supplier.post_notices import forget_notices
from mm_soap.service_supplier.searching import index_old
from mm_soap.service_supplier.sign_ins import forget_sign_ins
from mm_soap.service_supplier.tables import deselected, folder, mailbox, message, post_notice
from mm_soap.storage import Event, forget_evidence, record_event

_TOGETHER: Final = 100
_EVIDENCE_STAYS: Final = timedelta(days=7)

Forget = Callable[[Connection, datetime], int]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long messages stay. None for always.

    Args:
        trash: after they were thrown away.
        read: after they were first read, in the inbox and in own folders; what is archived stays.
        unread: after they came, while nobody read them; what is archived stays.
        closed: how long a closed mailbox stays whole, for its owner to take things along.
        evidence: how long evidence is kept, and what answers a delivery to many that comes again after its deletion.
    """

    trash: timedelta | None = timedelta(days=30)
    read: timedelta | None = None
    unread: timedelta | None = None
    closed: timedelta | None = timedelta(days=90)
    evidence: timedelta = timedelta(days=365)

    def forgets(self) -> tuple[Forget, ...]:
        """Return what housekeeping does in transactions. Each deletes a bounded number and returns how many."""
        rules = (("trash", self.trash), ("read", self.read), ("unread", self.unread))
        found: list[Forget] = [_forget_messages(name, age) for name, age in rules if age is not None]
        if self.closed is not None:
            found.append(_forget_closed(self.closed))
        return (
            *found,
            self._forget_emptied,
            _keep_evidence,
            forget_evidence,
            _index_old,
            learn_old_cases,
            forget_sign_ins,
            forget_notices,
        )

    def _forget_emptied(self, connection: Connection, now: datetime) -> int:
        return forget_emptied(connection, now - self.evidence)


def _forget_messages(name: str, age: timedelta) -> Forget:
    in_use = message.c.place >= INBOX

    def due(before: datetime) -> tuple[ColumnElement[bool], ...]:
        if name == "trash":
            return message.c.place == TRASH, message.c.moved < before
        if name == "read":
            return in_use, message.c.read < before
        return in_use, message.c.read.is_(None), message.c.received < before

    def still(row: Any, before: datetime) -> bool:
        if name == "trash":
            return bool(row.place == TRASH and row.moved < before)
        return row.place >= INBOX and (
            row.read is None if name == "unread" else row.read is not None and row.read < before
        )

    def forget(connection: Connection, now: datetime) -> int:
        statement = select(message.c.delivery, message.c.position).where(*due(now - age)).limit(_TOGETHER)
        keys = [MessageKey(*row) for row in connection.execute(statement)]
        # Its recipient may take one out of the trash at this moment: each row is looked at again once it is held.
        return delete_messages(connection, keys, lambda row: still(row, now - age), f"rule: {name}", now)

    return forget


def _forget_closed(age: timedelta) -> Forget:
    def forget(connection: Connection, now: datetime) -> int:
        due = select(mailbox.c.recipient).where(mailbox.c.closed < now - age).limit(1).with_for_update()
        recipient = connection.execute(due).scalar()
        if recipient is None:
            return 0
        keys = keys_in(connection, recipient, None, _TOGETHER)
        if keys:
            return delete_messages(connection, keys, lambda row: row.recipient == recipient, "rule: closed", now)
        for table in (folder, deselected, post_notice, mailbox):
            connection.execute(delete(table).where(table.c.recipient == recipient))
        record_event(connection, Event(now, "mailbox", "deleted after it was closed"))
        return 1

    return forget


def _keep_evidence(connection: Connection, now: datetime) -> int:
    return keep_evidence(connection, now, now + _EVIDENCE_STAYS)


def _index_old(connection: Connection, now: datetime) -> int:
    return index_old(connection)
