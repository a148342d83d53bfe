"""How much each sender may send: messages a second, and bytes a day.

What was used is counted in the database, in the transaction that accepts the message: so it is true for any number of
processes and machines on one database, outlasts a restart, and counts nothing that was not accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Date, Float, String, Table, bindparam, delete, select, update

from mm_soap.dispatcher.policy import Bucket, Limit
from mm_soap.dispatcher.store import metadata
from mm_soap.errors import Refusal, Refused
from mm_soap.storage import UtcDateTime, insert_new

_bucket: Final = Table(
    "sender_bucket",
    metadata,
    Column("sender", String(12), primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("filled", UtcDateTime, nullable=False),
)

_day: Final = Table(
    "sender_day",
    metadata,
    Column("sender", String(12), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)
"""A row for each day, and not only for today: were the clock set forward and back, each day keeps what was used."""

_KEPT: Final = timedelta(days=31)

_of_sender: Final = _bucket.c.sender == bindparam("wanted")
_tokens: Final = select(_bucket.c.tokens, _bucket.c.filled).where(_of_sender).with_for_update()
_fill: Final = update(_bucket).where(_of_sender).values(tokens=bindparam("new_tokens"), filled=bindparam("at"))
_of_day: Final = (_day.c.sender == bindparam("wanted"), _day.c.day == bindparam("today"))
_used: Final = select(_day.c.bytes).where(*_of_day).with_for_update()
_use: Final = update(_day).where(*_of_day).values(bytes=_day.c.bytes + bindparam("size"))
_forget: Final = delete(_day).where(_day.c.sender == bindparam("wanted"), _day.c.day < bindparam("before"))


@dataclass(frozen=True)
class SenderLimits:
    """The limits of each sender.

    Args:
        default: for senders without one of their own.
        own: limits by the sender's organisation number.
    """

    default: Limit = field(default_factory=Limit)
    own: Mapping[str, Limit] = field(default_factory=lambda: MappingProxyType({}))

    def charge(self, connection: Connection, sender: str, size: int, now: datetime, messages: int = 1) -> None:
        """Count what a sender sends, in the transaction that stores it.

        Args:
            connection: in a write transaction. If this raises, that must end without storing anything.
            sender: the organisation number.
            size: how many bytes were signed.
            now: the time.
            messages: how many messages that is.

        Raises:
            Refused: ``SENDER_TOO_FAST``, ``SENDER_DAY_FULL`` or ``MORE_THAN_A_DAY``.
        """
        limit = self.own.get(sender, self.default)
        if limit.messages_per_second:
            _take(connection, sender, limit, now, messages)
        if limit.bytes_per_day:
            _add(connection, sender, limit.bytes_per_day, now, size)


def _take(connection: Connection, sender: str, limit: Limit, now: datetime, messages: int) -> None:
    row = connection.execute(_tokens, {"wanted": sender}).first()
    if row is None:
        # Another process may be first: this waits for it then, and reads what it wrote.
        new = {"sender": sender, "tokens": float(limit.burst), "filled": now}
        connection.execute(insert_new(_bucket, connection.dialect.name), new)
        row = connection.execute(_tokens, {"wanted": sender}).one()
    left = Bucket(row.tokens, row.filled).take(now, limit, messages)
    if left is None:
        raise Refused(Refusal.SENDER_TOO_FAST)
    connection.execute(_fill, {"wanted": sender, "new_tokens": left.tokens, "at": left.filled})


def _add(connection: Connection, sender: str, most: int, now: datetime, size: int) -> None:
    if size > most:
        raise Refused(Refusal.MORE_THAN_A_DAY)
    today = now.astimezone(UTC).date()
    wanted = {"wanted": sender, "today": today}
    used = connection.execute(_used, wanted).scalar()
    if used is None:
        new = {"sender": sender, "day": today, "bytes": 0}
        connection.execute(insert_new(_day, connection.dialect.name), new)
        connection.execute(_forget, {"wanted": sender, "before": today - _KEPT})
        used = connection.execute(_used, wanted).scalar_one()
    if used + size > most:
        raise Refused(Refusal.SENDER_DAY_FULL)
    connection.execute(_use, {**wanted, "size": size})
