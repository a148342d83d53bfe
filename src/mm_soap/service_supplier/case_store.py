"""The queries of cases. Every one of them names the recipient; what was thrown away is in no case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, select

from mm_soap.message import AgreedDetail, Message
from mm_soap.service_supplier.cases import Case, CaseEvent, CaseLink, Turn, in_order
from mm_soap.service_supplier.model import TRASH, MessageKey
from mm_soap.service_supplier.tables import message, official_matter

MOST_EVENTS: Final = 200
"""So many of a case are shown, those that came last."""

_MOST_RELATED: Final = 10
_TEXTS: Final = ("event_id", "official_matter_id", "preceding_event_id", "matter_subject", "event_type")
_own = and_(message.c.delivery == official_matter.c.delivery, message.c.position == official_matter.c.position)
_event = (
    *(official_matter.c[name] for name in ("delivery", "position", "sender", "case_key", "dated")),
    *(official_matter.c[name] for name in (*_TEXTS, "matter_status", "details")),
    *(message.c[name] for name in ("subject", "sender_name", "received", "read")),
)
_LAST_FIRST = (message.c.received.desc(), message.c.delivery.desc(), message.c.position.desc())


def add_events(
    connection: Connection,
    key: int,
    recipient: str,
    sender: str,
    messages: Sequence[tuple[int, Message, tuple[AgreedDetail, ...]]],
) -> None:
    """Store what messages of a secure delivery say of cases; nothing for those that say nothing.

    Args:
        connection: in a transaction that writes, in which the messages are stored.
        key: the delivery.
        recipient: whose mailbox.
        sender: the sender's organisation number, as its signature was checked.
        messages: each with its position and the elements of other namespaces in its OfficialMatter.
    """
    rows = [
        {
            "delivery": key,
            "position": position,
            "recipient": recipient,
            "sender": sender,
            **_told(one, f"{key}-{position}"),
            "details": [[each.name, each.text] for each in details] or None,
        }
        for position, one, details in messages
        if one.official_matter is not None or details
    ]
    if rows:
        connection.execute(insert(official_matter), rows)


def _told(one: Message, alone: str) -> dict[str, Any]:
    matter = one.official_matter
    if matter is None:
        return dict.fromkeys((*_TEXTS, "matter_status", "case_key", "dated"))
    return {
        **{name: getattr(matter, name) for name in _TEXTS},
        "matter_status": matter.matter_status,
        # Without an id the message is a case of its own. The words in front keep such keys and senders' ids apart.
        "case_key": f"id {matter.official_matter_id}" if matter.official_matter_id else f"message {alone}",
        "dated": matter.timestamp,
    }


def event_of(connection: Connection, recipient: str, key: MessageKey) -> tuple[str, str | None, CaseEvent] | None:
    """Return the sender, the case and the event of a message; None where its sender said nothing of a case."""
    found = _of(recipient, True, trash=True).where(
        official_matter.c.delivery == key.delivery, official_matter.c.position == key.position
    )
    row = connection.execute(found).first()
    return None if row is None else (row.sender, row.case_key, _read(row))


def cases(connection: Connection, recipient: str, unread: bool, skip: int, most: int) -> list[Case]:
    """Return cases, those with the last message first.

    Args:
        connection: in a transaction.
        recipient: whose mailbox.
        unread: whether messages count that nobody has read.
        skip: how many to pass over.
        most: how many, at most.
    """
    last = func.max(message.c.received)
    grouped = (
        select(official_matter.c.sender, official_matter.c.case_key, func.count())
        .join(message, _own)
        .where(*_seen(recipient, unread), official_matter.c.case_key.is_not(None))
        .group_by(official_matter.c.sender, official_matter.c.case_key)
        .order_by(last.desc(), official_matter.c.sender, official_matter.c.case_key)
        .offset(skip)
        .limit(most)
    )
    found = (
        _case(connection, recipient, unread, sender, case_key, total)
        for sender, case_key, total in connection.execute(grouped).all()
    )
    return [one for one in found if one is not None]


def case(connection: Connection, recipient: str, unread: bool, sender: str, case_key: str) -> Case | None:
    """Return one case with what has to do with it; None without a message in it."""
    found = _case(connection, recipient, unread, sender, case_key, 0)
    if found is None:
        return None
    total = (
        select(func.count())
        .select_from(official_matter)
        .join(message, _own)
        .where(*_seen(recipient, unread), *_in(sender, case_key))
    )
    before = _before(connection, recipient, unread, found)
    related = _related(connection, recipient, unread, found)
    count = connection.execute(total).scalar_one()
    return Case(found.sender, found.sender_name, found.events, count, before, related)


def _case(connection: Connection, recipient: str, unread: bool, sender: str, case_key: str, total: int) -> Case | None:
    wanted = _of(recipient, unread).where(*_in(sender, case_key)).order_by(*_LAST_FIRST).limit(MOST_EVENTS)
    rows = connection.execute(wanted).all()
    if not rows:
        return None
    return Case(sender, rows[0].sender_name, tuple(in_order(map(_read, rows))), total)


def _before(connection: Connection, recipient: str, unread: bool, one: Case) -> dict[str, CaseLink]:
    """Return what events of other cases of the same sender the events follow. Another sender's are never named."""
    own = {event.event_id for event in one.events}
    elsewhere = {event.preceding_event_id for event in one.events if event.preceding_event_id} - own
    wanted = _of(recipient, unread).where(
        official_matter.c.sender == one.sender, official_matter.c.event_id.in_(elsewhere)
    )
    found = {row.event_id: _link(row) for row in connection.execute(wanted.limit(MOST_EVENTS))} if elsewhere else {}
    return {event.key: found[event.preceding_event_id] for event in one.events if event.preceding_event_id in found}


def _related(connection: Connection, recipient: str, unread: bool, one: Case) -> tuple[CaseLink, ...]:
    """Return cases of other senders with the same MatterSubject, by which senders couple cases loosely."""
    subject = next((each.matter_subject for each in reversed(one.events) if each.matter_subject), None)
    if subject is None:
        return ()
    wanted = _of(recipient, unread).where(
        official_matter.c.sender != one.sender, official_matter.c.matter_subject == subject
    )
    rows = connection.execute(wanted.order_by(*_LAST_FIRST).limit(MOST_EVENTS))
    found: dict[tuple[str, str], CaseLink] = {}
    for row in rows:
        found.setdefault((row.sender, row.case_key), _link(row))
    return tuple(found.values())[:_MOST_RELATED]


def _of(recipient: str, unread: bool, *, trash: bool = False) -> Select[Any]:
    return select(*_event).join(message, _own).where(*_seen(recipient, unread, trash=trash))


def _seen(recipient: str, unread: bool, *, trash: bool = False) -> list[ColumnElement[bool]]:
    where = [official_matter.c.recipient == recipient, message.c.recipient == recipient]
    if not trash:
        where.append(message.c.place != TRASH)
    if not unread:
        where.append(message.c.read.is_not(None))
    return where


def _in(sender: str, case_key: str) -> tuple[ColumnElement[bool], ...]:
    return official_matter.c.sender == sender, official_matter.c.case_key == case_key


def _link(row: Row[Any]) -> CaseLink:
    return CaseLink(str(MessageKey(row.delivery, row.position)), row.subject, row.sender_name)


def _read(row: Row[Any]) -> CaseEvent:
    return CaseEvent(
        key=str(MessageKey(row.delivery, row.position)),
        subject=row.subject,
        received=row.received,
        read=row.read,
        dated=row.dated,
        **{name: getattr(row, name) for name in _TEXTS},
        turn=Turn(row.matter_status) if row.matter_status else None,
        details=tuple(AgreedDetail(*each) for each in row.details or ()),
    )
