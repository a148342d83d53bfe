"""How an import writes its rows, on either database: the accounts, and the history of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Insert, bindparam, false, insert, select

from mm_soap.far.account_tables import imported_account
from mm_soap.far.staging import StagedRow
from mm_soap.far.store import DATABASE_KEEPS, account
from mm_soap.storage import copy_rows, upsert

_WRITTEN: Final = ("recipient", "account_type", "operator", "last_registration")
_NOTED: Final = tuple(imported_account.columns.keys())

Write = Callable[[Sequence[StagedRow], Collection[int], bool], None]
"""Writes rows, given whose recipients have an account, and whether nobody from the first to the last has one."""

between = account.c.recipient.between(bindparam("first"), bindparam("last"))
"""The accounts from the first recipient of a batch to the last."""

# Where there was no account and nobody else writes, those between the first and the last of a batch are the batch.
_note_new = insert(imported_account).from_select(
    list(_NOTED),
    select(
        bindparam("audit", type_=BigInteger),
        account.c.recipient,
        account.c.operator,
        account.c.account_type,
        false(),
    )
    .where(between)
    .order_by(account.c.recipient),
)


def writer(connection: Connection, begun: int) -> Write:
    """Return what writes rows, each with its history, which leads to the entry of the audit that was begun."""
    again = upsert(account, connection.dialect.name, [DATABASE_KEEPS]).values(pending=false())
    return (
        _sqlite(connection, begun, again)
        if connection.dialect.name == "sqlite"
        else _postgresql(connection, begun, again)
    )


def _sqlite(connection: Connection, begun: int, again: Insert) -> Write:
    # SQLAlchemy takes longer to bind a row than SQLite to store it: the text is made once, and rows go as they are.
    def text(statement: Insert, names: Sequence[str]) -> str:
        compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
        assert getattr(compiled, "positiontup", None) == list(names)
        return str(compiled)

    put, put_again = (text(one, _WRITTEN) for one in (insert(account).values(pending=false()), again))
    note = text(insert(imported_account), _NOTED)

    def write(batch: Sequence[StagedRow], present: Collection[int], free: bool) -> None:
        connection.exec_driver_sql(put if free else put_again, [row[:4] for row in batch])
        if free:
            connection.execute(_note_new, {"audit": begun, "first": batch[0][0], "last": batch[-1][0]})
        else:
            connection.exec_driver_sql(note, list(_history(begun, batch, present)))

    return write


def _postgresql(connection: Connection, begun: int, again: Insert) -> Write:
    def write(batch: Sequence[StagedRow], present: Collection[int], free: bool) -> None:
        if free:
            rows = ((row[0], row[1], row[2], row[3] and f"{row[3]}+00", False) for row in batch)
            copy_rows(connection, account, (*_WRITTEN, "pending"), rows)
        else:
            connection.execute(again, [_values(row) for row in batch])
        copy_rows(connection, imported_account, _NOTED, _history(begun, batch, present))

    return write


def _history(begun: int, batch: Sequence[StagedRow], present: Collection[int]) -> Iterator[tuple[Any, ...]]:
    return ((begun, row[0], row[2], row[1], row[0] in present) for row in batch)


def _values(row: StagedRow) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(_WRITTEN, row[:4], strict=True))
    if row[3] is not None:
        values["last_registration"] = datetime.fromisoformat(row[3]).replace(tzinfo=UTC)
    return values
