"""Statements that are compiled once, and handed to the database's driver as they are.

SQLAlchemy works out the parameters of a statement anew at each execution, and what its result looks like; for a small
statement that costs several times what the database does. On the path of every message this is done here instead: text
and types are settled once for each kind of database. Transactions stay SQLAlchemy's, and so do the exceptions.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Select, Update
from sqlalchemy.exc import DBAPIError

Converter = Callable[[Any], Any] | None
Ready = tuple[str, list[tuple[str, Converter]], bool]
"""A statement's text, its parameters with what makes the driver's value of each, and whether they go by position."""


class _Prepared:
    """A statement with named parameters, none of which is a list that is to be expanded."""

    def __init__(self, statement: Select[Any] | Update) -> None:
        self._statement = statement
        # By the name of the database's kind. Two threads may both fill it in, with the same.
        self._ready: dict[str, tuple[Ready, dict[str, Any]]] = {}

    def _settled(self, dialect: Dialect) -> tuple[Ready, dict[str, Any]]:
        """Return the statement for a kind of database, and the values that it has by itself."""
        known = self._ready.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            converters: dict[str, Converter] = {
                name: bound.type.dialect_impl(dialect).bind_processor(dialect) for name, bound in compiled.binds.items()
            }
            names: list[str] = list(getattr(compiled, "positiontup", None) or compiled.params)
            ready: Ready = (str(compiled), [(name, converters[name]) for name in names], dialect.positional)
            own = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}
            known = self._ready[dialect.name] = (ready, own)
        return known


class PreparedUpdate(_Prepared):
    """An UPDATE of some columns, row by row.

    Args:
        statement: with named parameters, none of which is a list that is to be expanded.
    """

    def execute(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Change rows, once for each set of parameters."""
        ready, own = self._settled(connection.dialect)
        execute_each(connection, ready, [{**own, **row} for row in rows])


class PreparedQuery(_Prepared):
    """A statement that gives rows.

    Args:
        statement: with named parameters, none of which is a list that is to be expanded.
    """

    def __init__(self, statement: Select[Any] | Update) -> None:
        super().__init__(statement)
        # By the name of the database's kind, as above.
        self._rows: dict[str, _Rows] = {}

    def ask(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Execute it, and return the driver's cursor."""
        ready, own = self._settled(connection.dialect)
        return execute(connection, ready[0], parameters_of(ready, {**own, **values}))

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Return the first row, a tuple with names, its values as SQLAlchemy gives them; None without one."""
        return self.first_of(connection, self.ask(connection, values))

    def first_of(self, connection: Connection, cursor: Any) -> Any:
        """Return the first row of a cursor from `ask`, None without one, and close it."""
        row = first_of(cursor)
        return None if row is None else self._rows_for(connection.dialect).row(row)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Return all rows, as `first` does one."""
        cursor = self.ask(connection, values)
        found = cursor.fetchall()
        cursor.close()
        return list(map(self._rows_for(connection.dialect).row, found))

    def _rows_for(self, dialect: Dialect) -> _Rows:
        known = self._rows.get(dialect.name)
        if known is None:
            known = self._rows[dialect.name] = _Rows(self._statement, dialect)
        return known


class _Rows:
    """Makes a statement's rows of what the driver of a kind of database gives.

    Args:
        statement: whose rows.
        dialect: the kind of database.
    """

    def __init__(self, statement: Select[Any] | Update, dialect: Dialect) -> None:
        columns = list(statement.exported_columns)
        names = [str(getattr(column, "name", "")) for column in columns]
        named: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # what has no name gets one by its place
        self._made: Callable[[Iterable[Any]], Any] = named._make
        converters = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        self._converters = [(place, each) for place, each in enumerate(converters) if each is not None]

    def row(self, given: Sequence[Any]) -> Any:
        """Return a row, its values converted as SQLAlchemy would."""
        values = list(given)
        for place, convert in self._converters:
            values[place] = convert(values[place])
        return self._made(values)


def end_with(connection: Connection, *steps: tuple[PreparedQuery, Mapping[str, Any]]) -> Any:
    """Ask PostgreSQL some statements and commit, in one go; return the first row of the last, or None.

    What the statements lock is free again before this thread wakes up: while it waits for its turn to run, others that
    want the same go on. A later statement sees what was committed while an earlier one waited for its lock.

    Args:
        connection: of a PostgreSQL database, in a transaction that writes. It is over afterwards.
        steps: statements, each with its values.
    """
    driver = _driver_of(connection)
    try:
        with driver.pipeline():
            cursors = [query.ask(connection, values) for query, values in steps]
            driver.commit()
        return steps[-1][0].first_of(connection, cursors[-1])
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, "COMMIT", error) from error


def parameters_of(ready: Ready, row: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
    """Return what the driver takes of a row's values."""
    _, columns, positional = ready
    if positional:
        return tuple([row[name] if convert is None else convert(row[name]) for name, convert in columns])
    return {name: row[name] if convert is None else convert(row[name]) for name, convert in columns}


def execute_each(connection: Connection, ready: Ready, rows: Iterable[Mapping[str, Any]]) -> None:
    """Execute a statement for each of some rows, or not at all."""
    parameters = [parameters_of(ready, row) for row in rows]
    if len(parameters) == 1:
        execute(connection, ready[0], parameters[0])
    elif parameters:
        execute(connection, ready[0], parameters, many=True)


def first_of(cursor: Any) -> Any:
    """Return a cursor's first row, None without one, and close it."""
    row = cursor.fetchone()
    cursor.close()  # SQLite does not commit while a statement has more to say
    return row


def execute(connection: Connection, text: str, parameters: Any, many: bool = False) -> Any:
    """Execute a statement and return the driver's cursor.

    Raises:
        DBAPIError: as SQLAlchemy would.
    """
    dialect, driver = connection.dialect, _driver_of(connection)
    # PostgreSQL writes bytes as hexadecimal digits unless it is asked not to.
    cursor = driver.cursor(binary=True) if dialect.name == "postgresql" else driver.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(text, parameters)
    except dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, text, error) from error
    return cursor


def _driver_of(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    assert driver is not None  # the connection is open
    return driver


def _as_sqlalchemy(connection: Connection, text: str, error: Exception) -> Exception:
    """Return what SQLAlchemy raises for an error of the driver."""
    dialect = connection.dialect
    if dialect.is_disconnect(error, _driver_of(connection), None):  # type: ignore[arg-type]
        connection.invalidate(error)
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(text, None, error, base, hide_parameters=True, dialect=dialect)
