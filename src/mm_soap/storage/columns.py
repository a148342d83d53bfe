"""Columns and statements that SQLite and PostgreSQL write differently, said once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Index,
    Integer,
    String,
    Table,
    any_,
    bindparam,
    case,
    func,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from mm_soap.storage.database import Conflict

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""The naming convention for a party's ``MetaData``: constraints with names can be changed by later migrations."""


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return value.astimezone(UTC)


def _text_in_utc(value: datetime | None) -> str | None:
    moment = _in_utc(value)
    return None if moment is None else moment.isoformat(" ", "microseconds").removesuffix("+00:00")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: takes a datetime with a time zone and gives it back in UTC, on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """Return what makes the driver's value of a moment: in SQLite, which has no type for one, the text of its UTC.

        SQLAlchemy's own way takes longer, and each message binds many.
        """
        return _text_in_utc if dialect.name == "sqlite" else _in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what was stored, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def big_key() -> TypeEngine[int]:
    """Return the type for a 64-bit integer key; in SQLite the one that names the row itself."""
    return BigInteger().with_variant(Integer(), "sqlite")


def among(column: ColumnElement[Any], parameter: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that an integer column is one of many values, given as one parameter.

    The text of the statement stays the same for any number of values, so both SQLAlchemy and the database prepare it
    once. Give the values by `id_list`.
    """
    if dialect == "sqlite":
        values = func.json_each(bindparam(parameter, type_=String)).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(bindparam(parameter, type_=ARRAY(BigInteger)))


def id_list(values: Iterable[int], dialect: str) -> str | list[int]:
    """Return the values for the parameter of `among`, each once and in order, which spares the database seeks."""
    once = sorted(set(values))
    return f"[{','.join(map(str, once))}]" if dialect == "sqlite" else once


def _insert(table: Table, dialect: str) -> Any:
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # loads its drivers' modules, some megabytes that SQLite has no use for

    return postgresql.insert(table)


def insert_new(table: Table, dialect: str) -> Insert:
    """Return an insert that leaves a row as it is where the primary key is there already."""
    statement = _insert(table, dialect)
    made: Insert = statement.on_conflict_do_nothing(
        index_elements=[column.name for column in table.primary_key.columns]
    )
    return made


def insert_once(connection: Connection, table: Table, row: Mapping[str, Any]) -> Any:
    """Insert a row and return the first column of its primary key.

    Of a key that a plain insert breaks PostgreSQL writes the values into its own log: personal numbers, names of
    folders. Where those are in a key, rows are inserted so.

    Raises:
        Conflict: a unique key of it is there already.
    """
    key = next(iter(table.primary_key.columns))
    statement = _insert(table, connection.dialect.name).on_conflict_do_nothing().returning(key)
    made = connection.execute(statement, row).first()
    if made is None:
        raise Conflict("a key of the database would be broken")
    return made[0]


def upsert(table: Table, dialect: str, kept: Collection[str] = ()) -> Insert:
    """Return an insert that, where the primary key is there already, writes the other columns anew but for the kept."""
    keys = [column.name for column in table.primary_key.columns]
    statement = _insert(table, dialect)
    others = {name: statement.excluded[name] for name in table.columns.keys() if name not in {*keys, *kept}}  # noqa: SIM118
    made: Insert = statement.on_conflict_do_update(index_elements=keys, set_=others)
    return made


def insert_or_join(index: Index, dialect: str, least: Collection[str] = (), most: Collection[str] = ()) -> Insert:
    """Return an insert that, where a row is there that a unique index lets be but once, widens that row instead.

    Args:
        index: the index, with its condition if it is partial.
        dialect: the name of the kind of database.
        least: columns of which the smaller value stays.
        most: columns of which the larger value stays.
    """
    table = index.table
    assert table is not None
    statement = _insert(table, dialect)
    new, old = statement.excluded, table.c
    widened = {name: case((new[name] < old[name], new[name]), else_=old[name]) for name in least}
    widened |= {name: case((new[name] > old[name], new[name]), else_=old[name]) for name in most}
    made: Insert = statement.on_conflict_do_update(
        index_elements=list(index.columns), index_where=index.dialect_options[dialect]["where"], set_=widened
    )
    return made
