"""What comes back as e-mail: a notice that a mail server took, and that could not be delivered after all."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from mm_soap.service_supplier.reaching import came_back
from mm_soap.service_supplier.tables import delivery, outgoing, post_notice
from mm_soap.storage import Event, record_event


class Return(StrEnum):
    """What a report of a failed delivery meant here."""

    COUNTED = "counted"
    FAILED = "the address does not work"
    """It was counted, and it was one too many: nothing is sent there any more."""
    UNKNOWN = "no notice of ours"
    """Nothing that was sent from here, or that did not come back already, has its mark."""


_posts = (
    select(
        *(post_notice.c.id, post_notice.c.recipient, post_notice.c.channel, post_notice.c.refusals),
        *(post_notice.c.begun.label("sent"), delivery.c.trans_id),
    )
    .join(delivery, delivery.c.id == post_notice.c.first, isouter=True)
    .where(post_notice.c.mark == bindparam("mark"), post_notice.c.state == "sent")
    .with_for_update(of=post_notice)
)
_others = (
    select(
        *(outgoing.c.id, outgoing.c.recipient, outgoing.c.channel, outgoing.c.refusals),
        *(delivery.c.received.label("sent"), delivery.c.trans_id),
    )
    .join(delivery, delivery.c.id == outgoing.c.delivery)
    .where(outgoing.c.mark == bindparam("mark"), outgoing.c.state == "sent")
    .with_for_update(of=outgoing)
)


_next = (
    select(post_notice.c.id)
    .where(
        post_notice.c.recipient == bindparam("recipient"),
        post_notice.c.channel == bindparam("channel"),
        post_notice.c.state == "sent",
        post_notice.c.id > bindparam("after"),
    )
    .order_by(post_notice.c.id)
    .limit(1)
    .with_for_update()
)


def take_back(connection: Connection, mark: str, reason: str, limit: int, now: datetime) -> Return:
    """Write that a notice came back, and count it against its address. The same one counts once.

    Args:
        connection: in a transaction that writes.
        mark: the key of the notice.
        reason: for the event, without addresses.
        limit: how many in a row an address may refuse before nothing is sent there any more.
        now: the time.
    """
    for table, statement in ((post_notice, _posts), (outgoing, _others)):
        row: Any = connection.execute(statement, {"mark": mark}).first()
        if row is None:
            continue
        connection.execute(update(table).where(table.c.id == row.id).values(state="returned"))
        number = row.refusals + 1
        # The next one that was taken ended the row, as it seemed. Should it come back too, it goes on from here. Of
        # notifications, of which there are many, none is looked for: there the row is counted as the news arrive.
        later = _lengthen(connection, row, number) if table is post_notice else False
        over = came_back(connection, row.recipient, row.channel, number, row.sent, limit, now, last=not later)
        detail = {"channel": row.channel, "reason": reason, **({"address": Return.FAILED.value} if over else {})}
        record_event(connection, Event(now, "notice", "returned", None, None, row.trans_id, detail=detail))
        return Return.FAILED if over else Return.COUNTED
    return Return.UNKNOWN


def _lengthen(connection: Connection, row: Any, number: int) -> bool:
    """Let a row of refusals go on before the notice that was taken next; False if there is none."""
    where = {"recipient": row.recipient, "channel": row.channel, "after": row.id}
    following = connection.execute(_next, where).scalar()
    if following is None:
        return False
    longer = update(post_notice).where(post_notice.c.id == following)
    connection.execute(longer.values(refusals=post_notice.c.refusals + number))
    return True
