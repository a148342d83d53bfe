"""Deletion: rows, words and blobs of messages, and what is then left of their deliveries.

A delivery to many has its content once, with one of the messages. When that message goes and others stay, the content
is handed to one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, exists, insert, select, update

from mm_soap.service_supplier.model import MessageKey
from mm_soap.service_supplier.searching import forget_words
from mm_soap.service_supplier.tables import (
    answer,
    attachment,
    delivery,
    doomed,
    forwarding,
    message,
    notice,
    official_matter,
    outgoing,
)
from mm_soap.storage import Event, record_event

_TOGETHER = 500
_rows = (
    select(
        *(message.c[name] for name in ("position", "recipient", "message_id", "content")),
        *(message.c[name] for name in ("place", "read", "moved")),
    )
    .where(message.c.delivery == bindparam("of"))
    .order_by(message.c.position)
    .with_for_update()
)
_of: Final[BindParameter[int]] = bindparam("of")
_positions: Final[BindParameter[Any]] = bindparam("positions", expanding=True)
_content = select(message.c.body, message.c.blob, message.c.size).where(
    message.c.delivery == _of, message.c.position == bindparam("position")
)
_blobs = select(attachment.c.blob).where(
    attachment.c.delivery == _of, attachment.c.message == bindparam("position"), attachment.c.blob.is_not(None)
)
_old = select(delivery.c.id).where(delivery.c.received < bindparam("before")).limit(_TOGETHER)
_old_and_empty = (
    select(delivery.c.id)
    .where(
        delivery.c.emptied.is_not(None),
        delivery.c.received < bindparam("before"),
        exists().where(answer.c.delivery == delivery.c.id),
    )
    .limit(_TOGETHER)
)


def delete_messages(
    connection: Connection, keys: Iterable[MessageKey], still: Callable[[Any], bool], by: str, now: datetime
) -> int:
    """Delete messages for good, and write an event for each, without its content; return how many were deleted.

    Their blobs are written down as doomed, in the same transaction: they are deleted after it.

    Args:
        connection: in a transaction that writes.
        keys: the messages.
        still: tells of the row of each, once nobody else can change it, whether it is to be deleted: ``recipient``,
            ``place``, ``read`` and ``moved`` are in it.
        by: who or which rule asked for it, for the event.
        now: the time.
    """
    with overwriting(connection):
        wanted: dict[int, set[int]] = defaultdict(set)
        for key in keys:
            wanted[key.delivery].add(key.position)
        # In the same order everywhere: two that delete at once wait for each other, and never in a circle.
        locked = select(delivery).where(delivery.c.id.in_(wanted)).order_by(delivery.c.id).with_for_update()
        return sum(
            _delete_of(connection, row, wanted[row.id], still, by, now) for row in connection.execute(locked).all()
        )


@contextmanager
def overwriting(connection: Connection) -> Iterator[None]:
    """Let SQLite overwrite what a block deletes, so that it is not left in free pages of the file."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
    connection.exec_driver_sql("PRAGMA secure_delete = ON").close()
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA secure_delete = {before}").close()


def _delete_of(
    connection: Connection, of: Any, positions: set[int], still: Callable[[Any], bool], by: str, now: datetime
) -> int:
    rows = connection.execute(_rows, {"of": of.id}).all()
    gone = [row for row in rows if row.position in positions and still(row)]
    left = [row for row in rows if row not in gone]
    if not gone:
        return 0
    for row in gone:
        if row.content is None:
            _let_go(connection, of.id, row.position, [one.position for one in left if one.content == row.position])
    by_recipient = defaultdict(list)
    for row in gone:
        by_recipient[row.recipient].append(MessageKey(of.id, row.position))
    for recipient, keys in by_recipient.items():
        forget_words(connection, recipient, keys)
        if all(one.recipient != recipient for one in left):
            connection.execute(delete(outgoing).where(outgoing.c.delivery == of.id, outgoing.c.recipient == recipient))
    here = {"of": of.id, "positions": [row.position for row in gone]}
    for table in (official_matter, message):
        connection.execute(delete(table).where(table.c.delivery == _of, table.c.position.in_(_positions)), here)
    if not left:
        for table in (forwarding, notice):
            connection.execute(delete(table).where(table.c.delivery == of.id))
        connection.execute(update(delivery).where(delivery.c.id == of.id).values(emptied=now))
    events = [Event(now, "deletion", by, None, row.message_id, of.trans_id, None, of.sender) for row in gone]
    record_event(connection, *events)
    return len(gone)


def _let_go(connection: Connection, of: int, position: int, sharing: Sequence[int]) -> None:
    """Hand the content of a message to one of those that share it, or doom it."""
    here = {"of": of, "position": position}
    row = connection.execute(_content, here).one()
    files = and_(attachment.c.delivery == of, attachment.c.message == position)
    if not sharing:
        blobs = [blob for blob in (row.blob, *connection.execute(_blobs, here).scalars()) if blob is not None]
        connection.execute(delete(attachment).where(files))
        if blobs:
            connection.execute(insert(doomed), [{"blob": blob} for blob in blobs])
        return
    heir, *others = sharing
    chosen = update(message).where(message.c.delivery == of)
    connection.execute(
        chosen.where(message.c.position == heir).values(body=row.body, blob=row.blob, size=row.size, content=None)
    )
    connection.execute(chosen.where(message.c.position.in_(others)).values(content=heir))
    connection.execute(update(attachment).where(files).values(message=heir))


def forget_emptied(connection: Connection, before: datetime) -> int:
    """Delete some of the deliveries to many that came before a time and have no message any more; return how many.

    Until then the same delivery again is answered as the first time. Their answers name recipients, so they go. A
    secure delivery names nobody any more and stays: whoever kept its bytes could else bring it once more.
    """
    old = connection.execute(_old_and_empty, {"before": before}).scalars().all()
    if old:
        connection.execute(delete(delivery).where(delivery.c.id.in_(old)))
    return len(old)


def keep_evidence(connection: Connection, now: datetime, until: datetime) -> int:
    """Let some of the evidence whose time is over stay, whose sealed delivery is still in a mailbox; return how much.

    It is what its recipient forwards.
    """
    evidence = message.metadata.tables["evidence"]
    held = exists().where(
        delivery.c.call_id == evidence.c.call_id,
        delivery.c.sealed_digest != "",
        delivery.c.emptied.is_(None),
        delivery.c.delivered,
    )
    due = select(evidence.c.id).where(evidence.c.keep_until < now, held).limit(_TOGETHER)
    ids = connection.execute(due).scalars().all()
    if ids:
        connection.execute(update(evidence).where(evidence.c.id.in_(ids)).values(keep_until=until))
    return len(ids)


def forget_deliveries(connection: Connection, before: datetime) -> int:
    """Delete some of the deliveries that came before a time, with their messages; return how many there were.

    For a test bed: elsewhere what is in a mailbox is its owner's.
    """
    ids = list(connection.execute(_old, {"before": before}).scalars())
    if ids:
        of_these = select(message.c.delivery, message.c.position).where(message.c.delivery.in_(ids))
        keys = [MessageKey(*row) for row in connection.execute(of_these)]
        delete_messages(connection, keys, lambda _: True, "rule: test bed", before)
        connection.execute(delete(delivery).where(delivery.c.id.in_(ids)))
    return len(ids)
