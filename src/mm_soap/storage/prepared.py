"""Inserts that are compiled once.

SQLAlchemy works out the parameters of a statement anew at each execution, which for a small insert costs several times
what the database does. On the path of every message this is done here instead: text and types are settled once for each
kind of database, and each row is handed to the driver as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert

_Converter = Callable[[Any], Any] | None
_Ready = tuple[str, list[tuple[str, _Converter]], bool]


class PreparedInsert:
    """An INSERT of whole rows into a table.

    Args:
        table: the table. Every row names every column but ``left_out``.
        left_out: columns that the database fills in.
        returning: the one of them that `execute_for_key` returns.
    """

    def __init__(self, table: Table, left_out: Iterable[str] = (), returning: str | None = None) -> None:
        self._table = table
        self._returning = returning
        self._columns = [column for column in table.columns if column.name not in set(left_out)]
        # By the name of the database's kind. Two threads may both fill it in, with the same.
        self._ready: dict[str, _Ready] = {}

    def execute(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows, in one statement."""
        dialect = connection.dialect
        text, columns, positional = self._ready.get(dialect.name) or self._prepare(dialect)
        values = (
            [(name, row[name] if convert is None else convert(row[name])) for name, convert in columns] for row in rows
        )
        if positional:
            parameters: list[Any] = [tuple(value for _, value in row) for row in values]
        else:
            parameters = [dict(row) for row in values]
        if parameters:
            connection.exec_driver_sql(text, parameters[0] if len(parameters) == 1 else parameters)

    def execute_for_key(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Insert one row, and return the key that the database gave it."""
        text, columns, positional = self._ready.get(connection.dialect.name) or self._prepare(connection.dialect)
        values = [(name, row[name] if convert is None else convert(row[name])) for name, convert in columns]
        parameters: Any = tuple(value for _, value in values) if positional else dict(values)
        result = connection.exec_driver_sql(text, parameters)
        return int(result.scalar_one() if result.returns_rows else result.lastrowid)

    def _prepare(self, dialect: Dialect) -> _Ready:
        statement = insert(self._table)
        if self._returning is not None and dialect.name != "sqlite":  # its driver tells the key, in half the time
            statement = statement.returning(self._table.c[self._returning])
        compiled = statement.compile(dialect=dialect, column_keys=[column.name for column in self._columns])
        columns: list[tuple[str, _Converter]] = [
            (column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in self._columns
        ]
        ready = self._ready[dialect.name] = (str(compiled), columns, dialect.positional)
        return ready
