"""The recipients of notifications, and the parts into which notifications are split: tables and queries.

A part is a row among the deliveries, due and handed over as any other. A recipient without a state of its own has that
of its part, or of the notification while there is no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from hashlib import sha256
from typing import Final

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, insert, select, update

from mm_soap.dispatcher.documents import add_documents
from mm_soap.dispatcher.model import Kind, NewPart, Notified, Outcome, State, part_id
from mm_soap.dispatcher.tables import delivery as _delivery
from mm_soap.dispatcher.tables import recipient as _recipient
from mm_soap.storage import PreparedInsert, among, id_list

_add_recipients: Final = PreparedInsert(_recipient, left_out=["part", "state", "channels"])
_add_part: Final = insert(_delivery)


@cache
def _recipients(dialect: str) -> Select[int, str]:
    return (
        select(_recipient.c.delivery, _recipient.c.recipient)
        .where(among(_recipient.c.delivery, "wanted", dialect))
        .order_by(_recipient.c.delivery, _recipient.c.position)
    )


_into_part: Final = (
    update(_recipient)
    .where(_recipient.c.delivery == bindparam("whole"), _recipient.c.recipient == bindparam("one"))
    .values(part=bindparam("new_part"))
)
_values: Final[dict[str, BindParameter[str]]] = {"state": bindparam("new_state"), "channels": bindparam("new_channels")}
_end_in_whole: Final = (
    update(_recipient)
    .where(_recipient.c.delivery == bindparam("row"), _recipient.c.recipient == bindparam("one"))
    .values(_values)
)
_end_in_part: Final = (
    update(_recipient)
    .where(_recipient.c.part == bindparam("row"), _recipient.c.recipient == bindparam("one"))
    .values(_values)
)
_part: Final = _delivery.alias("part")
_status: Final = (
    select(
        _recipient.c.recipient,
        func.coalesce(_recipient.c.state, _part.c.state, _delivery.c.state),
        _recipient.c.channels,
    )
    .join(_delivery, _delivery.c.id == _recipient.c.delivery)
    .outerjoin(_part, _part.c.id == _recipient.c.part)
    .where(
        _delivery.c.distribution_id == bindparam("wanted"),
        _delivery.c.sender == bindparam("wanted_sender"),
        _delivery.c.kind == Kind.NOTIFICATION.value,
    )
    .order_by(_recipient.c.position)
)


def add_recipients(connection: Connection, delivery: int, recipients: Iterable[str]) -> None:
    """Store the recipients of a notification that is accepted."""
    rows = [{"delivery": delivery, "recipient": each, "position": position} for position, each in enumerate(recipients)]
    _add_recipients.execute(connection, rows)


def recipients_of(connection: Connection, deliveries: Collection[int]) -> dict[int, list[str]]:
    """Return the recipients of each notification, in their order."""
    dialect = connection.dialect.name
    found: dict[int, list[str]] = defaultdict(list)
    for delivery, recipient in connection.execute(_recipients(dialect), {"wanted": id_list(deliveries, dialect)}):
        found[delivery].append(recipient)
    return found


def write_parts(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down the parts of notifications, and what became of their recipients.

    Raises:
        Conflict: a part is there already (from `mm_soap.storage.writing`): two engines worked on one database.
    """
    for outcome in outcomes:
        for part in outcome.parts:
            _write_part(connection, outcome, part)
        ended = [
            {
                "row": outcome.id,
                "one": each.recipient,
                "new_state": each.state.value,
                "new_channels": ",".join(each.channels) or None,
            }
            for each in outcome.recipients
        ]
        if ended:
            # What is written of a notification itself is what the register said; of a part, what its operator said.
            whole = outcome.state is State.UNPACKED
            connection.execute(_end_in_whole if whole else _end_in_part, ended)


def _write_part(connection: Connection, outcome: Outcome, part: NewPart) -> None:
    name = part_id(outcome.distribution_id, part.operator)
    row = connection.execute(
        _add_part,
        {
            "distribution_id": name,
            "sender": outcome.sender,
            "recipient": part.recipients[0],
            "digest": sha256(name.encode()).hexdigest(),
            "received": part.received,
            "state": State.SEALED.value,
            "attempts": 0,
            "next_attempt": part.due,
            "operator": part.operator,
            "address": part.address,
            "kind": Kind.PART.value,
            "size": len(part.recipients),
        },
    )
    assert row.inserted_primary_key is not None
    key: int = row.inserted_primary_key[0]
    add_documents(connection, {key: part.document})
    connection.execute(_into_part, [{"whole": outcome.id, "one": each, "new_part": key} for each in part.recipients])


def status_of_notification(connection: Connection, sender: str, distribution_id: str) -> list[Notified] | None:
    """Return what became of a sender's notification for each recipient, in the order in which they were named.

    Returns:
        Empty if this sender has no such notification; None while it is still on its way to one of the recipients.
    """
    found: list[Notified] = []
    for recipient, state, channels in connection.execute(_status, {"wanted": distribution_id, "wanted_sender": sender}):
        if state in (State.ACCEPTED, State.SEALED):
            return None
        delivered = state == State.DELIVERED
        found.append(Notified(recipient, delivered, tuple(channels.split(",")) if delivered and channels else ()))
    return found
