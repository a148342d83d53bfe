"""What the hot path asks the database: one query, whose answer is one row of long texts for all ids.

To make a row for each id would take longer than to find it; and sqlite3 lets another thread run before each row, which
with four calls at once is most of the time. Most recipients never chose about any sender: the database keeps which did,
so that the choice about the sender is looked up for these alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import sqlalchemy as sql
from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.elements import ColumnElement

from mm_soap.far import store
from mm_soap.far.model import AccountType

FIELD: Final = "|"
"""What separates the fields of a key."""

Statement = tuple[str, "Sequence[str] | None"]
"""The text of a statement, and the names of its parameters in their order; None where the driver takes names."""

_FEW_PAGES: Final = "mm_soap few pages"
_PAGES_KB: Final = 500
"""How much of the database a connection of SQLite keeps. A thousand ids in a register of ten million are on a thousand
pages: of more than 2 MB nothing is kept until the next call either, and each page is copied to memory that the
processor does not have at hand. That takes a twentieth longer."""

_OPERATOR: Final = ("number", "name", "service_address", "internal_address", "ui_address", "logo")
_Expression = ColumnElement[Any]


class Found(NamedTuple):
    """What the register holds about some ids. The first three are texts with a part for each id, all in
    one order, with commas between.

    Args:
        ids: the ids, in any order; those without an account may be left out.
        times: last registrations in UTC, ``2026-01-02 03:04:05.678901``; empty for none. Zeros at the end of a fraction
            may be left out, and a fraction that is zero whole.
        keys: what else there is to say of an account; empty for an id without one. Of an account like most, which is
            Secure, not pending, with a last registration, its recipient never having chosen about any sender: the
            number of its operator. Of others the fields, with `FIELD` between: operator; type; 1 if it is pending; 1 if
            it has a last registration; 0 if the recipient does not accept the sender, 1 if it does again; when that
            changed, as above.
        all_operators: as JSON, each an array in the order of the arguments of `Operator`.
        connected: whether the sender is a connected one.
    """

    ids: str
    times: str
    keys: str
    all_operators: str
    connected: bool


def find(connection: Connection, statement: Statement, sender: str, ids: str) -> Found:
    """Ask.

    Args:
        connection: of the register's database, in a transaction.
        statement: from `compiled`, for this kind of database.
        sender: for whom is asked.
        ids: in digits, each once, with commas between; at least one. In their order, what is near in the database is
            looked for one after another: SQLite then takes a tenth less.
    """
    if connection.dialect.name == "sqlite" and _FEW_PAGES not in connection.info:
        connection.exec_driver_sql(f"PRAGMA cache_size=-{_PAGES_KB}").close()
        connection.info[_FEW_PAGES] = True
    text, places = statement
    around = "[]" if connection.dialect.name == "sqlite" else "{}"
    values = {"sender": sender, "ids": f"{around[0]}{ids}{around[1]}"}
    parameters: Any = values if places is None else tuple(values[place] for place in places)
    row = connection.exec_driver_sql(text, parameters).one()
    ids_found, times, keys, all_operators, connected = row
    return Found(ids_found, times, keys, all_operators or "[]", bool(connected))


def compiled(dialect: Dialect) -> Statement:
    """Return the statement of `find` for a kind of database."""
    words: _Sqlite | _Postgresql = _Sqlite() if dialect.name == "sqlite" else _Postgresql()
    account = store.account.c
    nothing, between = _text(""), _text(",")
    found = words.rows(
        sql.func.coalesce(words.time(account.last_registration), nothing).label("time"),
        sql.func.coalesce(_key(words), nothing).label("key"),
    ).subquery()
    statement = sql.select(
        *(sql.func.coalesce(words.join(column, between), nothing) for column in found.c),
        sql.select(words.array([store.operator.c[name] for name in _OPERATOR])).scalar_subquery(),
        sql.exists(store.sender.c.number).where(
            store.sender.c.number == sql.bindparam("sender", type_=sql.String), store.sender.c.closed.is_(None)
        ),
    ).select_from(found)
    made = statement.compile(dialect=dialect)
    return str(made), getattr(made, "positiontup", None)


def _key(words: _Sqlite | _Postgresql) -> _Expression:
    # To join texts takes as long as to find an account; few need it.
    account, choice = store.account.c, store.sender_choice.c
    chosen = (
        sql.select(_joined(_number(choice.accepted), sql.func.coalesce(words.time(choice.changed), _text(""))))
        .where(choice.recipient == account.recipient, choice.sender == sql.bindparam("sender", type_=sql.String))
        .scalar_subquery()
    )
    return sql.case(
        (
            sql.or_(
                account.has_choices,
                account.pending,
                account.last_registration.is_(None),
                account.account_type != _text(AccountType.SECURE),
            ),
            _joined(
                account.operator,
                account.account_type,
                _number(account.pending),
                _number(account.last_registration.is_not(None)),
                sql.func.coalesce(chosen, _text(FIELD)),
            ),
        ),
        else_=account.operator,
    )


def _joined(*fields: _Expression) -> _Expression:
    return reduce(lambda one, other: one.op("||")(_text(FIELD)).op("||")(other), fields)


def _number(flag: _Expression) -> _Expression:
    return sql.cast(flag, sql.Integer)


def _text(text: str) -> _Expression:
    # A constant of the statement: as a parameter it would be handed over at each call, and read for each id.
    return sql.literal_column(f"'{text}'", sql.String)


class _Sqlite:
    """How SQLite says it."""

    join = staticmethod(sql.func.group_concat)

    @staticmethod
    def rows(*columns: _Expression) -> sql.Select[Any]:
        # The subquery is taken up into the query around it, whose outer loop goes through the ids as they were given.
        asked = sql.func.json_each(sql.bindparam("ids", type_=sql.String)).table_valued("value")
        return sql.select(asked.c.value.label("id"), *columns).select_from(
            asked.outerjoin(store.account, store.account.c.recipient == asked.c.value)
        )

    @staticmethod
    def time(column: _Expression) -> _Expression:
        return sql.type_coerce(column, sql.String)

    @staticmethod
    def array(columns: Sequence[_Expression]) -> _Expression:
        return sql.func.json_group_array(sql.func.json_array(*columns))


class _Postgresql:
    """How PostgreSQL says it."""

    @staticmethod
    def rows(*columns: _Expression) -> sql.Select[Any]:
        # To go through the ids in their order, as with SQLite, takes a third longer: one search of the index for each.
        asked = sql.cast(sql.bindparam("ids", type_=sql.String), sql.ARRAY(sql.BigInteger))
        recipient = store.account.c.recipient
        return sql.select(recipient.label("id"), *columns).where(recipient == sql.any_(asked))

    @staticmethod
    def join(column: _Expression, between: _Expression) -> _Expression:
        return sql.func.string_agg(sql.cast(column, sql.Text), between)

    @staticmethod
    def time(column: _Expression) -> _Expression:
        # to_char takes twice as long. Where DateStyle is not ISO the text is another, and the plain way is gone.
        return sql.cast(sql.func.timezone(_text("UTC"), column), sql.Text)

    @staticmethod
    def array(columns: Sequence[_Expression]) -> _Expression:
        return sql.cast(sql.func.json_agg(sql.func.json_build_array(*columns)), sql.Text)
