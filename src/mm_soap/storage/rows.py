"""New rows: INSERTs that are compiled once, and the rows of one use case as one statement.

Each statement is a way to the database and back, on which a thread sleeps and wakes. So the rows of one use case are
gathered in a `Together`, which PostgreSQL gets as one statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, overload

from sqlalchemy import Connection, Dialect, Table, insert

from mm_soap.storage.prepared import Converter, Ready, execute, execute_each, first_of, parameters_of

_KEY: Final = "key"
"""The name under which an INSERT tells the key of its row."""

_MOST_TOGETHER: Final = 16
"""Rows of one statement: each number of them is a statement of its own, of which the database keeps some."""

_MOST_SHAPES: Final = 100
_PARAMETER: Final = re.compile(r"%\((\w+)\)s(::[A-Z]+(?: [A-Z]+)*)?")
_INSERT: Final = re.compile(r"(INSERT INTO .* VALUES )(\(.*\))((?: RETURNING .*)?)")


class PreparedInsert:
    """An INSERT of whole rows into a table.

    Args:
        table: the table. Every row names every column but ``left_out``.
        left_out: columns that the database fills in.
    """

    def __init__(self, table: Table, left_out: Iterable[str] = ()) -> None:
        self._columns = [column for column in table.columns if column.name not in set(left_out)]
        self._plain = insert(table)
        self._telling = self._plain.returning(*(column.label(_KEY) for column in table.primary_key.columns))
        # By the name of the database's kind. Two threads may both fill it in, with the same.
        self._ready: dict[str, Ready] = {}
        self._ready_to_tell: dict[str, Ready] = {}

    def execute(self, connection: Connection | Together, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows, in one statement."""
        if isinstance(connection, Together):
            connection.put(self, rows)
            return
        execute_each(connection, self.ready(connection.dialect), rows)

    @overload
    def add(self, connection: Connection, row: Mapping[str, Any]) -> int: ...
    @overload
    def add(self, connection: Connection | Together, row: Mapping[str, Any]) -> int | NewKey: ...
    def add(self, connection: Connection | Together, row: Mapping[str, Any]) -> int | NewKey:
        """Insert a row into a table that numbers its rows, and return its key."""
        if isinstance(connection, Together):
            new = NewKey()
            connection.put(self, [row], new)
            return new
        ready = self.ready(connection.dialect, telling=True)
        key: int = first_of(execute(connection, ready[0], parameters_of(ready, row)))[0]
        return key

    def ready(self, dialect: Dialect, *, telling: bool = False) -> Ready:
        """Return the statement for a kind of database, with what makes its parameters of a row's values."""
        known, statement = (self._ready_to_tell, self._telling) if telling else (self._ready, self._plain)
        return known.get(dialect.name) or self._prepare(dialect, statement, known)

    def types(self, dialect: Dialect) -> dict[str, str]:
        """Return the names of the columns' types."""
        return {column.name: column.type.compile(dialect) for column in self._columns}

    def _prepare(self, dialect: Dialect, statement: Any, known: dict[str, Ready]) -> Ready:
        compiled = statement.compile(dialect=dialect, column_keys=[column.name for column in self._columns])
        columns: list[tuple[str, Converter]] = [
            (column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in self._columns
        ]
        ready = known[dialect.name] = (str(compiled), columns, dialect.positional)
        return ready


class NewKey:
    """The key of a row that was added to a `Together`. It may be a value in rows that are added after it.

    ``int`` of it is the key, once the rows are written.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int | None = None

    def __int__(self) -> int:
        """Return the key."""
        assert self.value is not None, "its row is not written yet"
        return self.value


_Values = Mapping[str, Any]
_Run = tuple[PreparedInsert, list[_Values], NewKey | None]
"""Rows for one table that follow one another; one alone if its key is told."""


class Together:
    """Rows for some tables. It stands where `PreparedInsert` takes a connection, and `together` writes it."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._number = 0

    def put(self, prepared: PreparedInsert, rows: Iterable[_Values], key: NewKey | None = None) -> None:
        """Add rows for one table, or one whose key is to be told."""
        for row in rows:
            if key is None and self._runs and self._runs[-1][0] is prepared and self._runs[-1][2] is None:
                self._runs[-1][1].append(row)
            else:
                self._runs.append((prepared, [row], key))
            self._number += 1

    def write(self, connection: Connection) -> None:
        """Insert the rows: with PostgreSQL in one statement, else table by table."""
        if connection.dialect.name == "postgresql" and 1 < self._number <= _MOST_TOGETHER:
            self._write_at_once(connection)
            return
        for prepared, rows, key in self._runs:
            known = [_with_keys(row) if NewKey in map(type, row.values()) else row for row in rows]
            if key is None:
                prepared.execute(connection, known)
            else:
                key.value = prepared.add(connection, known[0])

    def _write_at_once(self, connection: Connection) -> None:
        told = {key: place for place, (_, _, key) in enumerate(self._runs) if key is not None}
        shape = tuple(
            (
                prepared,
                key is not None,
                tuple(
                    tuple((name, told[value]) for name, value in row.items() if isinstance(value, NewKey))
                    for row in rows
                ),
            )
            for prepared, rows, key in self._runs
        )
        text = _texts.get(shape)
        if text is None:
            if len(_texts) >= _MOST_SHAPES:
                _texts.clear()
            text = _texts[shape] = _one_statement(connection.dialect, shape)
        values = {
            f"{name}_{place}_{number}": row[name] if convert is None else convert(row[name])
            for place, (prepared, rows, _) in enumerate(self._runs)
            for number, row in enumerate(rows)
            for name, convert in prepared.ready(connection.dialect)[1]
            if not isinstance(row[name], NewKey)
        }
        keys = first_of(execute(connection, text, values))
        for key, value in zip(told, keys, strict=True):
            key.value = value


def _with_keys(row: _Values) -> _Values:
    return {name: int(value) if isinstance(value, NewKey) else value for name, value in row.items()}


_Shape = tuple[tuple[PreparedInsert, bool, tuple[tuple[tuple[str, int], ...], ...]], ...]
"""What a statement inserts, one after the other: whether the key is told, and for each row which of its columns take
the key that was told at which place."""

_texts: dict[_Shape, str] = {}
"""Statements of PostgreSQL. Two threads may both fill one in, with the same."""


def _one_statement(dialect: Dialect, shape: _Shape) -> str:
    keys = [f"(SELECT {_KEY} FROM w{place})" for place in range(len(shape))]  # noqa: S608 - names of our own alone
    parts = []
    for place, (prepared, tells, rows) in enumerate(shape):
        found = _INSERT.fullmatch(prepared.ready(dialect, telling=tells)[0])
        assert found is not None
        made = []
        for number, taken in enumerate(rows):
            taking = {name: keys[of] for name, of in taken}
            renamed = partial(_renamed, f"_{place}_{number}", taking, prepared.types(dialect))
            made.append(_PARAMETER.sub(renamed, found[2]))
        parts.append(f"w{place} AS ({found[1]}{', '.join(made)}{found[3]})")
    told = ", ".join(key for key, (_, tells, _) in zip(keys, shape, strict=True) if tells)
    return f"WITH {', '.join(parts)} SELECT {told}"


def _renamed(suffix: str, keys: Mapping[str, str], types: Mapping[str, str], parameter: re.Match[str]) -> str:
    name, of_type = parameter[1], parameter[2]
    # A value without a type would be taken for text where rows follow one another.
    return keys.get(name) or f"%({name}{suffix})s{of_type or f'::{types[name]}'}"


@contextmanager
def together(connection: Connection) -> Iterator[Together]:
    """Gather the rows of a block, and write them at its end.

    With PostgreSQL a row of which others take the key is there before them; else the order is the database's.

    Raises:
        Conflict: a unique or foreign key was broken (from `mm_soap.storage.writing`).
    """
    gathered = Together()
    yield gathered
    gathered.write(connection)
