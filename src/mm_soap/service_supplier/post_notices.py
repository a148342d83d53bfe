"""Notices that secure post came: queries.

A notice is written in the transaction that stores a delivery. Deliveries that come before it is taken up join it. One
that is taken up stays as it is, so what comes from then on is told of by the next one; that waits until the one before
it is sent or given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Integer, bindparam, delete, func, or_, select, update

from mm_soap.service_supplier.contacts import DAILY, EMAIL, SMS
from mm_soap.service_supplier.many import mailboxes_here
from mm_soap.service_supplier.model import INBOX, TRASH, Kind
from mm_soap.service_supplier.notices import Notice, NoticeRules
from mm_soap.service_supplier.outgoing import NOT_WANTED, Claimed, Result, new_mark
from mm_soap.service_supplier.post_words import words_for
from mm_soap.service_supplier.reaching import CONTACT, read_contact
from mm_soap.service_supplier.tables import JOINED, delivery, mailbox, message, outgoing, post_notice
from mm_soap.storage import insert_or_join

_A_DAY: Final = timedelta(days=1)
_BEHIND_ANOTHER: Final = timedelta(seconds=30)
_KEPT: Final = timedelta(days=30)
"""How long what became of a notice is known: what comes back does so within days."""
_LATE: Final = timedelta(minutes=1)
_FORGOTTEN_TOGETHER: Final = 500

_mine = (post_notice.c.recipient == bindparam("recipient"), post_notice.c.channel == bindparam("channel"))
_due = (
    select(post_notice, mailbox.c.closed, delivery.c.trans_id, *CONTACT)
    .join(mailbox, mailbox.c.recipient == post_notice.c.recipient)
    .join(delivery, delivery.c.id == post_notice.c.first, isouter=True)
    .where(post_notice.c.next_attempt <= bindparam("now"))
    .order_by(post_notice.c.next_attempt, post_notice.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(of=post_notice, skip_locked=True)
)
_before = select(func.min(post_notice.c.next_attempt)).where(
    *_mine, post_notice.c.begun.is_not(None), post_notice.c.next_attempt.is_not(None)
)
_last_sent = select(func.max(post_notice.c.ended)).where(*_mine, post_notice.c.state.in_(("sent", "returned")))
_messages = (
    select(message.c.sender_name, message.c.read, message.c.place)
    .where(
        message.c.recipient == bindparam("recipient"),
        message.c.received >= bindparam("since"),
        message.c.delivery.between(bindparam("first"), bindparam("last")),
        message.c.kind != Kind.NOTIFICATION.value,
    )
    .order_by(message.c.delivery, message.c.position)
)
_set = update(post_notice).where(post_notice.c.id == bindparam("row"))
_put_off = _set.values(next_attempt=bindparam("until"))
_claim = _set.values(next_attempt=bindparam("until"), begun=bindparam("new_begun"), mark=bindparam("new_mark"))
_write = _set.values(
    state=bindparam("new_state"),
    attempts=bindparam("new_attempts"),
    next_attempt=bindparam("new_next_attempt"),
    ended=bindparam("new_ended"),
    refusals=bindparam("new_refusals"),
)
_next = select(func.min(post_notice.c.next_attempt))
_late = tuple(
    select(table.c.channel, func.count())
    .where(table.c.next_attempt.is_not(None), or_(table.c.attempts > 0, table.c.next_attempt < bindparam("before")))
    .group_by(table.c.channel)
    for table in (post_notice, outgoing)
)
_sooner = (
    update(post_notice)
    .where(
        post_notice.c.recipient == bindparam("of"),
        post_notice.c.begun.is_(None),
        post_notice.c.next_attempt > bindparam("soon"),
    )
    .values(next_attempt=bindparam("soon"))
)
_old = select(post_notice.c.id).where(post_notice.c.ended < bindparam("before")).limit(_FORGOTTEN_TOGETHER)


@dataclass(frozen=True, slots=True)
class _Wait:
    until: datetime


def announce(connection: Connection, key: int, recipients: Iterable[str], rules: NoticeRules, now: datetime) -> None:
    """Write that recipients are to be told of a delivery, in the transaction that stores it.

    Args:
        connection: in a transaction that writes.
        key: the delivery.
        recipients: in whose mailboxes it is.
        rules: the operator's.
        now: when it came.
    """
    if not rules.channels:
        return
    contacts = mailboxes_here(connection, list(recipients))
    # In the same order everywhere: two that write at once wait for each other, and never in a circle.
    for recipient in sorted(contacts):
        for channel in sorted(rules.channels):
            if contacts[recipient].address(channel) is not None:
                _add(connection, key, recipient, channel, now, now + rules.window)


def _add(connection: Connection, key: int, recipient: str, channel: str, now: datetime, due: datetime) -> None:
    row = {
        **{"recipient": recipient, "channel": channel, "first": key, "last": key, "since": now},
        **{"state": "pending", "attempts": 0, "next_attempt": due, "mark": new_mark()},
    }
    # Whoever takes it up at this moment holds its row: this waits, and then begins the next one. And the other way
    # round, one that is joined at this moment is not taken up.
    connection.execute(insert_or_join(JOINED, connection.dialect.name, least=("first", "since"), most=("last",)), row)


def claim(connection: Connection, now: datetime, lease: timedelta, most: int, rules: NoticeRules) -> list[Claimed]:
    """Return at most ``most`` notices that are due and that nobody else may send until the lease is over.

    What its recipient has seen or lost meanwhile, or does not want any more, is among them with an obstacle.
    """
    claimed = []
    for row in connection.execute(_due, {"now": now, "most": most}).all():
        found = _decided(connection, row, now, rules)
        if isinstance(found, _Wait):
            connection.execute(_put_off, {"row": row.id, "until": found.until})
            continue
        begun, mark = row.begun or now, found.notice.key if found.notice else row.mark
        connection.execute(_claim, {"row": row.id, "until": now + lease, "new_begun": begun, "new_mark": mark})
        claimed.append(found)
    return claimed


def _decided(connection: Connection, row: Any, now: datetime, rules: NoticeRules) -> Claimed | _Wait:
    mine = {"recipient": row.recipient, "channel": row.channel}
    contact, begun = read_contact(row), row.begun or now
    to = contact.address(row.channel)
    if row.begun is None and to is not None and row.closed is None:
        before = connection.execute(_before, mine).scalar()
        if before is not None:
            return _Wait(max(before, now) + _BEHIND_ANOTHER)
        sent = connection.execute(_last_sent, mine).scalar() if contact.frequency == DAILY else None
        if sent is not None and now < sent + _A_DAY:
            return _Wait(sent + _A_DAY)
    span = {"recipient": row.recipient, "since": row.since, "first": row.first, "last": row.last}
    found = connection.execute(_messages, span).all()
    obstacle = _obstacle(row.closed is not None, to, found)
    made = None
    if to is not None and not obstacle:
        names = [one.sender_name for one in found if _unseen(one)]
        words = words_for(row.channel, contact.language, names, rules)
        kind = (row.mark or new_mark(), row.channel, to, contact.language, "", words.subject, words.text, begun)
        made = Notice(*kind, words.html, rules.settings)
    where = (row.recipient, row.attempts, begun, row.trans_id)
    return Claimed(row.id, made, row.channel, *where, obstacle=obstacle, post=True)


def _obstacle(closed: bool, to: str | None, messages: Sequence[Any]) -> str:
    if closed:
        return "the mailbox is closed"
    if to is None:
        return NOT_WANTED
    if any(_unseen(one) for one in messages):
        return ""
    if not messages:
        return "what came is deleted"
    return "what came is thrown away" if all(one.place == TRASH for one in messages) else "what came is read or moved"


def _unseen(row: Any) -> bool:
    """Tell whether nobody has seen a message: only people read and move them."""
    return bool(row.read is None and row.place == INBOX)


def write_result(connection: Connection, one: Claimed, result: Result, now: datetime, rules: NoticeRules) -> None:
    """Write what became of an attempt. Once there is no other, the notice that waits for this one need not any more."""
    parameters = {
        "row": one.id,
        "new_state": result.state,
        "new_attempts": one.attempts + 1,
        "new_next_attempt": result.again,
        "new_ended": None if result.again else now,
        "new_refusals": result.refusals,
    }
    connection.execute(_write, parameters)
    if result.again is None:
        bring_forward(connection, one.recipient, now + rules.window)


def next_due(connection: Connection) -> datetime | None:
    """Return when the next notice becomes due, or None."""
    return connection.execute(_next).scalar()


def late_notices(connection: Connection, now: datetime) -> dict[str, int]:
    """Return for each channel how many notices were tried in vain, or wait for more than a minute to be tried.

    Notices of secure post and what notifications say are counted together.
    """
    counts = dict.fromkeys((EMAIL, SMS), 0)
    for statement in _late:
        for channel, number in connection.execute(statement, {"before": now - _LATE}):
            counts[channel] += number
    return counts


def bring_forward(connection: Connection, recipient: str, soon: datetime) -> None:
    """Let what is still joined, and waits longer than until then, be looked at then."""
    connection.execute(_sooner, {"of": recipient, "soon": soon})


def forget_notices(connection: Connection, now: datetime) -> int:
    """Delete some of the notices that ended long ago; return how many."""
    old = connection.execute(_old, {"before": now - _KEPT}).scalars().all()
    if old:
        connection.execute(delete(post_notice).where(post_notice.c.id.in_(old)))
    return len(old)
