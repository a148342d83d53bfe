"""The queries of a mailbox operator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, Connection, String, bindparam, delete, exists, func, or_, select, update

from mm_soap.service_supplier.contacts import Mailbox
from mm_soap.service_supplier.model import NewDelivery, Standing
from mm_soap.service_supplier.reaching import read_contact
from mm_soap.service_supplier.tables import (
    delivery,
    deselected,
    mailbox,
    metadata,
)
from mm_soap.storage import NewKey, PreparedInsert, PreparedQuery, Together, UtcDateTime, insert_new

__all__ = ["metadata"]  # with the migrations, what the tests compare


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows when a delivery comes.

    Args:
        trans_id: the answer that this signed delivery got before, if it did.
        delivered: whether it was delivered then.
        sealed_digest: the sealed delivery that brought it then.
        mailbox: whether the recipient has a mailbox here.
        deselected: whether the recipient deselected the sender.
    """

    trans_id: str | None
    delivered: bool | None
    sealed_digest: str | None
    mailbox: bool
    deselected: bool


_same = delivery.c.document_digest == bindparam("digest", type_=String)
_known = PreparedQuery(
    select(
        select(delivery.c.trans_id).where(_same).scalar_subquery(),
        select(delivery.c.delivered).where(_same).scalar_subquery(),
        select(delivery.c.sealed_digest).where(_same).scalar_subquery(),
        exists().where(mailbox.c.recipient == bindparam("recipient", type_=String), mailbox.c.closed.is_(None)),
        exists().where(
            deselected.c.recipient == bindparam("recipient", type_=String),
            deselected.c.sender == bindparam("sender", type_=String),
        ),
    )
)
_add_delivery = PreparedInsert(delivery, left_out=["id", "settled", "emptied"])
_mailbox = select(mailbox).where(mailbox.c.recipient == bindparam("recipient"))
_reopen = (
    update(mailbox)
    .where(mailbox.c.recipient == bindparam("row"))
    .values(
        closed=None,
        registered=or_(mailbox.c.registered, bindparam("named", type_=Boolean)),
        turns=mailbox.c.turns + 1,
    )
)
_close = (
    update(mailbox)
    .where(mailbox.c.recipient == bindparam("row"))
    .values(closed=func.coalesce(mailbox.c.closed, bindparam("now", type_=UtcDateTime)), turns=mailbox.c.turns + 1)
)
_standings = (
    select(mailbox.c.recipient, mailbox.c.closed.is_not(None), mailbox.c.registered, mailbox.c.turns)
    .where(mailbox.c.recipient > bindparam("after"))
    .order_by(mailbox.c.recipient)
    .limit(bindparam("most"))
)
_standing = select(mailbox.c.recipient, mailbox.c.closed.is_not(None), mailbox.c.registered, mailbox.c.turns).where(
    mailbox.c.recipient == bindparam("recipient")
)
_as_seen = (mailbox.c.recipient == bindparam("row"), mailbox.c.turns == bindparam("seen"))
_open_as_seen = update(mailbox).where(*_as_seen).values(closed=None, registered=True, turns=mailbox.c.turns + 1)
_close_as_seen = update(mailbox).where(*_as_seen).values(closed=bindparam("now"), turns=mailbox.c.turns + 1)
_select_again = delete(deselected).where(
    deselected.c.recipient == bindparam("recipient"), deselected.c.sender == bindparam("sender")
)


def what_is_known(connection: Connection, digest: str, recipient: str, sender: str) -> Known:
    """Return what the database knows about a delivery that came: one query."""
    row = _known.first(connection, {"digest": digest, "recipient": recipient, "sender": sender})
    return Known(*row)


def add_delivery(connection: Connection | Together, new: NewDelivery) -> int | NewKey:
    """Store a delivery without its messages and return its key.

    Raises:
        Conflict: the same signed delivery is stored already (from `mm_soap.storage.writing`).
    """
    return _add_delivery.add(connection, {name: getattr(new, name) for name in NewDelivery.__slots__})


def find_mailbox(connection: Connection, recipient: str) -> Mailbox | None:
    """Return a recipient's mailbox, if it is here."""
    row = connection.execute(_mailbox, {"recipient": recipient}).first()
    if row is None:
        return None
    return Mailbox(row.recipient, row.opened, read_contact(row), row.closed)


def save_mailboxes(
    connection: Connection, recipients: Iterable[str], opened: datetime, *, registered: bool = False
) -> None:
    """Open mailboxes; one that is open already stays as it is, and one that was closed is open again as it was."""
    rows = [{"recipient": recipient, "opened": opened} for recipient in sorted(set(recipients))]
    if rows:
        connection.execute(insert_new(mailbox, connection.dialect.name), rows)
        connection.execute(_reopen, [{"row": row["recipient"], "named": registered} for row in rows])


def close_mailbox(connection: Connection, recipient: str, closed: datetime) -> bool:
    """Close a mailbox; one that is closed already stays so since then. False if it is not here."""
    connection.execute(_close, {"row": recipient, "now": closed})
    return find_mailbox(connection, recipient) is not None


def standings(connection: Connection, after: str, most: int) -> list[Standing]:
    """Return how some mailboxes stand, those with numbers after one, in their order."""
    return [Standing(*row) for row in connection.execute(_standings, {"after": after, "most": most})]


def standing(connection: Connection, recipient: str) -> Standing | None:
    """Return how a recipient's mailbox stands, if it is here."""
    row = connection.execute(_standing, {"recipient": recipient}).first()
    return None if row is None else Standing(*row)


def open_as_seen(connection: Connection, seen: Standing) -> bool:
    """Open a mailbox which the register names this operator for, unless it was opened or closed since it was seen."""
    return connection.execute(_open_as_seen, {"row": seen.recipient, "seen": seen.turns}).rowcount > 0


def close_as_seen(connection: Connection, seen: Standing, now: datetime) -> bool:
    """Close a mailbox, unless it was opened or closed since it was seen."""
    return connection.execute(_close_as_seen, {"row": seen.recipient, "seen": seen.turns, "now": now}).rowcount > 0


def save_choice(connection: Connection, recipient: str, sender: str, accepted: bool) -> None:
    """Write whether a recipient accepts a sender."""
    row = {"recipient": recipient, "sender": sender}
    connection.execute(_select_again if accepted else insert_new(deselected, connection.dialect.name), row)
