"""Who changed what in the register: the table ``audit``. It holds no personal numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, MetaData, String, Table, bindparam, insert, or_, select, update

from mm_soap.storage import NAMING, UtcDateTime, big_key

ADMINISTERED: Final = ("closed", "certificate")
"""The columns of a sender, dispatcher or operator that administration alone writes."""

_own = MetaData(naming_convention=NAMING)

audit = Table(
    "audit",
    _own,
    Column("id", big_key(), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(200), nullable=False),
    Column("login", String(200), nullable=False),
    Column("what", String(60), nullable=False),
    Column("party", String(12), index=True),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One change that somebody made to the register.

    Args:
        at: when, with a time zone.
        who: whoever answers for it, by the name that was given; else the same as ``login``.
        login: the user of the operating system who ran the command.
        what: what was done, such as ``sender added``; at most 60 characters.
        party: the organisation number of the sender, dispatcher or operator that it concerns; None for imports.
        before: what was there before; None for nothing. No personal numbers.
        after: what is there now; None for nothing. No personal numbers.
    """

    at: datetime
    who: str
    login: str
    what: str
    party: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


_columns = [column for column in audit.columns if column.name != "id"]
_changes = (
    select(*_columns)
    .where(or_(bindparam("party", type_=String).is_(None), audit.c.party == bindparam("party", type_=String)))
    .order_by(audit.c.id.desc())
    .limit(bindparam("most"))
)


def administered() -> tuple[Column[Any], ...]:
    """Return the columns `ADMINISTERED`: since when a party is closed, and the SHA-256 of its certificate."""
    return Column("closed", UtcDateTime), Column("certificate", String(64))


def add_audit(metadata: MetaData) -> None:
    """Add the table ``audit`` to the register's metadata."""
    audit.to_metadata(metadata)


def record_change(connection: Connection, change: Change) -> int:
    """Write a change and return its key. Call it in the transaction that makes the change."""
    values = {column.name: getattr(change, column.name) for column in _columns}
    key = connection.execute(insert(audit), values).inserted_primary_key
    assert key is not None
    return int(key[0])


def complete_change(connection: Connection, key: int, after: Mapping[str, Any] | None) -> None:
    """Write what a change came to, in the transaction that recorded it: the rows of an import refer to it before."""
    connection.execute(update(audit).where(audit.c.id == key).values(after=after))


def changes(connection: Connection, party: str | None, most: int) -> Sequence[Change]:
    """Return the newest changes, newest first: those of one party, or all for None; at most ``most``."""
    found = connection.execute(_changes, {"party": party, "most": most})
    return [Change(**row) for row in found.mappings()]
