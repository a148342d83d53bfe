"""What is to be sent on: queries.

A row is claimed by moving its next attempt, so a claim ends by itself after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Integer, bindparam, func, insert, select, update

from mm_soap.message import Email, Sms
from mm_soap.service_supplier.contacts import EMAIL, SMS
from mm_soap.service_supplier.notices import Notice
from mm_soap.service_supplier.reaching import CONTACT, read_contact
from mm_soap.service_supplier.tables import delivery, mailbox, notice, outgoing

NOT_WANTED = "the recipient does not want it, or has no address that works"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notice that this thread may send now.

    Args:
        id: its row.
        notice: what to send; None if there is an obstacle.
        channel: ``EMail`` or ``SMS``.
        recipient: whose it is.
        attempts: how often it was tried.
        since: when it was first to be sent: from then on it is tried for a day.
        trans_id, message_id, sender: of what it tells of, for the event; None where that is several.
        obstacle: why it is not sent, as part of a sentence.
        post: whether it tells of secure post; else it is what a notification says.
    """

    id: int
    notice: Notice | None
    channel: str
    recipient: str = field(repr=False)
    attempts: int
    since: datetime
    trans_id: str | None
    message_id: str | None = None
    sender: str | None = None
    obstacle: str = ""
    post: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an attempt.

    Args:
        state: ``sent``, ``failed``, ``dropped``, or ``pending`` for a next attempt.
        again: when that is.
        refusals: of a notice that was taken, the refusals in a row before it.
    """

    state: str
    again: datetime | None = None
    refusals: int = 0


_notices = (
    select(
        outgoing.c.id,
        outgoing.c.recipient,
        outgoing.c.channel,
        outgoing.c.message_id,
        outgoing.c.attempts,
        outgoing.c.mark,
        delivery.c.trans_id,
        delivery.c.sender,
        delivery.c.received,
        notice.c.sender.label("sender_name"),
        notice.c.subject,
        notice.c.text,
        *CONTACT,
    )
    .join(delivery, delivery.c.id == outgoing.c.delivery)
    .join(notice, (notice.c.delivery == outgoing.c.delivery) & (notice.c.channel == outgoing.c.channel))
    .join(mailbox, mailbox.c.recipient == outgoing.c.recipient)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(of=outgoing, skip_locked=True)
)
_due = _notices.where(outgoing.c.next_attempt <= bindparam("now")).order_by(outgoing.c.next_attempt, outgoing.c.id)
_fresh = _notices.where(
    outgoing.c.delivery == bindparam("of"), outgoing.c.id > bindparam("after"), outgoing.c.attempts == 0
).order_by(outgoing.c.id)
_set = update(outgoing).where(outgoing.c.id == bindparam("row"))
_claim = _set.values(next_attempt=bindparam("until"), mark=bindparam("new_mark"))
_write = _set.values(
    state=bindparam("new_state"),
    attempts=bindparam("new_attempts"),
    next_attempt=bindparam("new_next_attempt"),
    refusals=bindparam("new_refusals"),
)
_release = (
    update(outgoing)
    .where(outgoing.c.delivery == bindparam("of"), outgoing.c.state == "pending", outgoing.c.attempts == 0)
    .values(next_attempt=bindparam("due"))
)
_next = select(func.min(outgoing.c.next_attempt))
_sent = select(outgoing.c.recipient, outgoing.c.channel).where(
    outgoing.c.delivery == bindparam("of"), outgoing.c.state == "sent"
)


def add_notices(
    connection: Connection,
    key: int,
    message_id: str,
    texts: tuple[Email | None, Sms | None],
    to: Iterable[tuple[str, str]],
    until: datetime,
) -> bool:
    """Store what is to be sent on, in the transaction that stores the notification; tell whether there is anything.

    Args:
        key: the delivery.
        message_id: its message.
        texts: what the sender wrote for each channel.
        to: recipient and channel of each notice.
        until: when others than the call that brought it may send it.
    """
    email, sms = texts
    rows = [
        {
            "delivery": key,
            "recipient": recipient,
            "channel": channel,
            "message_id": message_id,
            "state": "pending",
            "attempts": 0,
            "next_attempt": until,
            "mark": new_mark(),
        }
        for recipient, channel in to
    ]
    if not rows:
        return False
    said = []
    if email is not None:
        row = {"delivery": key, "channel": EMAIL, "sender": email.sender, "subject": email.subject, "text": email.text}
        said.append(row)
    if sms is not None:
        said.append({"delivery": key, "channel": SMS, "sender": sms.sender, "subject": None, "text": sms.text})
    connection.execute(insert(notice), said)
    connection.execute(insert(outgoing), rows)
    return True


def claim(connection: Connection, now: datetime, lease: timedelta, most: int) -> list[Claimed]:
    """Return at most ``most`` notices that are due and that nobody else may send until the lease is over."""
    rows = connection.execute(_due, {"now": now, "most": most}).all()
    return _claimed(connection, rows, now + lease)


def claim_of(connection: Connection, key: int, after: int, until: datetime, most: int) -> list[Claimed]:
    """Return at most ``most`` notices of a delivery that were not tried yet, for the call that brought it.

    Args:
        key: the delivery.
        after: the id of the last one that was returned.
        until: when others may send them.
        most: how many.
    """
    return _claimed(connection, connection.execute(_fresh, {"of": key, "after": after, "most": most}).all(), until)


def release(connection: Connection, key: int, now: datetime) -> None:
    """Let others send what of a delivery was not tried yet."""
    connection.execute(_release, {"of": key, "due": now})


def new_mark() -> str:
    """Return what names a notice to others: nobody guesses it."""
    return uuid4().hex


def _claimed(connection: Connection, rows: Sequence[Any], until: datetime) -> list[Claimed]:
    marks = {row.id: row.mark or new_mark() for row in rows}
    if rows:
        connection.execute(_claim, [{"row": row.id, "until": until, "new_mark": marks[row.id]} for row in rows])
    claimed = []
    for row in rows:
        contact = read_contact(row)
        to = contact.address(row.channel)
        made = None
        if to is not None:
            words = (row.sender_name, row.subject, row.text, row.received)
            made = Notice(marks[row.id], row.channel, to, row.language, *words)
        where = (row.recipient, row.attempts, row.received, row.trans_id, row.message_id, row.sender)
        claimed.append(Claimed(row.id, made, row.channel, *where, obstacle="" if made else NOT_WANTED))
    return claimed


def write_result(connection: Connection, one: Claimed, result: Result) -> None:
    """Write what became of an attempt at what a notification says."""
    parameters = {
        "row": one.id,
        "new_state": result.state,
        "new_attempts": one.attempts + 1,
        "new_next_attempt": result.again,
        "new_refusals": result.refusals,
    }
    connection.execute(_write, parameters)


def next_due(connection: Connection) -> datetime | None:
    """Return when the next notice becomes due, or None."""
    return connection.execute(_next).scalar()


def sent_of(connection: Connection, key: int) -> Sequence[tuple[str, str]]:
    """Return recipient and channel of each notice of a delivery that was sent."""
    return [(row[0], row[1]) for row in connection.execute(_sent, {"of": key})]
