"""Rows in bulk into PostgreSQL, by its own way for that: some ten times as fast as inserts. And what is due then."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy import exc as sql_errors

_log = logging.getLogger(__name__)


def copy_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a table of a PostgreSQL database, in the transaction under way.

    Args:
        connection: of that database.
        table: the table.
        columns: the names of those of its columns that the rows have; the others get what the database says.
        rows: the values in that order. Moments are texts with a time zone.
    """
    dialect: Any = connection.dialect
    quote = dialect.identifier_preparer
    names = ", ".join(quote.quote(name) for name in columns)
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {quote.format_table(table)} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except dialect.loaded_dbapi.Error as error:
        # As SQLAlchemy would: whoever began the transaction knows its errors.
        raised = sql_errors.DBAPIError.instance(
            "COPY", None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
        )
        raise raised from None


def settle(engine: Engine, table: Table) -> None:
    """Let PostgreSQL learn at once how a table is after many rows came, which it would find out by itself in time.

    Until then it reads rows that it need not read, since it does not know that everybody may see them. Other databases
    have nothing to do. That it could not be done is logged and no error: the rows are there.
    """
    if engine.dialect.name != "postgresql":
        return
    name = engine.dialect.identifier_preparer.format_table(table)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"VACUUM (ANALYZE) {name}"))
    except sql_errors.SQLAlchemyError as error:
        _log.warning("PostgreSQL did not vacuum %s: %s", name, type(error).__name__)
