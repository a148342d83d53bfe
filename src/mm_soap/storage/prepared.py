"""Statements that are compiled once, and handed to the database's driver as they are.

SQLAlchemy works out the parameters of a statement anew at each execution, and what its result looks like; for a small
statement that costs several times what the database does. On the path of every message this is done here instead: text
and types are settled once for each kind of database. Transactions stay SQLAlchemy's, and so do the exceptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Select, Table, insert
from sqlalchemy.exc import DBAPIError

_Converter = Callable[[Any], Any] | None
_Ready = tuple[str, list[tuple[str, _Converter]], bool]


class PreparedInsert:
    """An INSERT of whole rows into a table.

    Args:
        table: the table. Every row names every column but ``left_out``.
        left_out: columns that the database fills in.
    """

    def __init__(self, table: Table, left_out: Iterable[str] = ()) -> None:
        self._columns = [column for column in table.columns if column.name not in set(left_out)]
        self._plain = insert(table)
        self._telling = self._plain.returning(*table.primary_key.columns)
        # By the name of the database's kind. Two threads may both fill it in, with the same.
        self._ready: dict[str, _Ready] = {}
        self._ready_to_tell: dict[str, _Ready] = {}

    def execute(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows, in one statement."""
        ready = self._ready.get(connection.dialect.name) or self._prepare(connection.dialect, self._plain, self._ready)
        parameters = [_parameters(ready, row) for row in rows]
        if len(parameters) == 1:
            _execute(connection, ready[0], parameters[0])
        elif parameters:
            _execute(connection, ready[0], parameters, many=True)

    def add(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Insert a row into a table that numbers its rows, and return its key."""
        known = self._ready_to_tell
        ready = known.get(connection.dialect.name) or self._prepare(connection.dialect, self._telling, known)
        key: int = _first(connection, ready, row)[0]
        return key

    def _prepare(self, dialect: Dialect, statement: Any, known: dict[str, _Ready]) -> _Ready:
        compiled = statement.compile(dialect=dialect, column_keys=[column.name for column in self._columns])
        columns: list[tuple[str, _Converter]] = [
            (column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in self._columns
        ]
        ready = known[dialect.name] = (str(compiled), columns, dialect.positional)
        return ready


class PreparedQuery:
    """A SELECT whose values come as the driver has them: with SQLite a truth is 0 or 1, and a moment a text.

    Args:
        statement: with named parameters of types that a driver takes as they are, and no list that is to be expanded.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._ready: dict[str, tuple[_Ready, dict[str, Any]]] = {}

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Return the first row as a tuple; None without one."""
        return _first(connection, *self._settled(connection.dialect, values))

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows."""
        ready, given = self._settled(connection.dialect, values)
        cursor = _execute(connection, ready[0], _parameters(ready, given))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return rows

    def _settled(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[_Ready, Mapping[str, Any]]:
        known = self._ready.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            names: list[str] = list(getattr(compiled, "positiontup", None) or compiled.params)
            ready: _Ready = (str(compiled), [(name, None) for name in names], dialect.positional)
            known = self._ready[dialect.name] = (ready, dict(compiled.params))
        return known[0], {**known[1], **values}


def _parameters(ready: _Ready, row: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
    _, columns, positional = ready
    if positional:
        return tuple([row[name] if convert is None else convert(row[name]) for name, convert in columns])
    return {name: row[name] if convert is None else convert(row[name]) for name, convert in columns}


def _first(connection: Connection, ready: _Ready, values: Mapping[str, Any]) -> Any:
    cursor = _execute(connection, ready[0], _parameters(ready, values))
    row = cursor.fetchone()
    cursor.close()  # SQLite does not commit while a statement has more to say
    return row


def _execute(connection: Connection, text: str, parameters: Any, many: bool = False) -> Any:
    dialect, driver = connection.dialect, connection.connection.driver_connection
    assert driver is not None  # the connection is open
    # PostgreSQL writes bytes as hexadecimal digits unless it is asked not to.
    cursor = driver.cursor(binary=True) if dialect.name == "postgresql" else driver.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(text, parameters)
    except dialect.loaded_dbapi.Error as error:
        if dialect.is_disconnect(error, driver, cursor):
            connection.invalidate(error)
        base = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(text, None, error, base, hide_parameters=True, dialect=dialect) from error
    return cursor
