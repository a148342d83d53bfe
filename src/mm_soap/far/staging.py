"""Rows of an import on their way into the register: checked, sorted, and each recipient once.

They wait in a temporary database file that has no name and goes with the process, so ten million rows take little
memory. The register's own database is written to in the order of its key, which a file of any order would make slow.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from mm_soap.errors import MmSoapError

_CACHE_KIB: Final = 16_384
_BATCH: Final = 10_000

StagedRow = tuple[int, str, str, str | None, int]
"""Recipient, account type, operator, last registration as SQLite stores it or None, and the line."""


class StagingError(MmSoapError):
    """The temporary file of an import cannot be written. The message says what to do."""


class Staging:
    """The rows of one import, and those of them that were refused."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.any_refused = False
        """Whether any row is refused."""

    def put(self, rows: Iterable[StagedRow]) -> None:
        """Take in all rows. ``rows`` may call `refuse` as it goes."""
        self._database.executemany("INSERT INTO staged VALUES (?, ?, ?, ?, ?)", rows)

    def refuse(self, line: int, reason: str) -> None:
        """Note that a row is refused."""
        self.any_refused = True
        self._database.execute("INSERT INTO refused VALUES (?, ?)", (line, reason))

    @property
    def count_refused(self) -> int:
        """How many rows are refused."""
        (count,) = self._database.execute("SELECT count(*) FROM refused").fetchone()
        return int(count)

    def refused(self) -> Iterator[tuple[int, str]]:
        """Yield line and reason of each refused row, by line."""
        yield from self._database.execute("SELECT line, reason FROM refused ORDER BY line")

    def batches(self) -> Iterator[list[StagedRow]]:
        """Yield the rows in the order of their recipients, some thousand at a time."""
        cursor = self._database.execute("SELECT * FROM staged ORDER BY recipient, line")
        with closing(cursor):
            while batch := cursor.fetchmany(_BATCH):
                yield batch


@contextmanager
def staging() -> Iterator[Staging]:
    """Open an empty staging place, gone afterwards.

    Raises:
        StagingError: there is no room in the folder for temporary files.
    """
    try:
        # The empty name makes a private file in the folder for temporary files, removed as soon as it is open.
        with closing(sqlite3.connect("", isolation_level=None)) as database:
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{_CACHE_KIB}"):
                database.execute(f"PRAGMA {pragma}").close()
            database.execute(
                "CREATE TABLE staged (recipient INTEGER, account_type, operator, registered, line INTEGER)"
            )
            database.execute("CREATE TABLE refused (line INTEGER, reason TEXT)")
            database.execute("BEGIN")
            yield Staging(database)
    except sqlite3.Error:
        raise StagingError("The folder for temporary files has no room for the import: set TMPDIR to one.") from None
