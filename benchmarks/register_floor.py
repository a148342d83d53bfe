"""The floor under the register: the same queries and the same XML with no service around them.

A call: the query for a thousand ids by the driver of the database, its rows fetched; then the request, and the answer
that the service gave, parsed and validated; all by C libraries, in one process. A service that has a proof of its
answers may come in below this. An import: the rows read by Python's csv module and written, in order of their key, into
a table like the register's, in one durable transaction. No rule is checked, nothing is compared, no history written.
"""

from __future__ import annotations

import csv
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree

from benchmarks.asking import Client, Country, request
from mm_soap.contract import prepare, validate
from mm_soap.demonstration import KOMMUN_A

_QUERY = (
    "SELECT account.recipient, account_type, pending, operator, last_registration, accepted, changed FROM account "
    "LEFT JOIN sender_choice ON sender_choice.recipient = account.recipient AND sender_choice.sender = {sender} "
    "WHERE account.recipient {among}"
)
_SQLITE = _QUERY.format(sender="?", among="IN (SELECT value FROM json_each(?))")
_POSTGRESQL = _QUERY.format(sender="%s", among="= ANY(%s)")
_TABLE = (
    "CREATE TABLE account (recipient INTEGER PRIMARY KEY, account_type TEXT NOT NULL, pending BOOLEAN NOT NULL, "
    "operator TEXT NOT NULL, last_registration TEXT)"
)
_OWN_SEED = 1 << 20


@dataclass(frozen=True)
class Example:
    """One call: what was asked, and the bytes."""

    ids: list[int]
    request: bytes
    answer: bytes


def examples(port: int, country: Country, number: int) -> list[Example]:
    """Ask the service some times, and return what it was asked and answered."""
    client, chance, made = Client(port, country, _OWN_SEED), random.Random(_OWN_SEED), []
    for _ in range(number):
        ids = country.ids(chance)
        raw = request(ids)
        made.append(Example(sorted(map(int, ids)), raw, client.ask(raw)))
    return made


class Floor:
    """Does for examples what any service must do.

    Args:
        database: the path of the SQLite file, or a PostgreSQL URL.
    """

    def __init__(self, database: str) -> None:
        prepare()
        self._query: Callable[[list[int]], list[Any]]
        if "://" in database:
            import psycopg

            self._connection: Any = psycopg.connect(database, autocommit=True)
            self._query = lambda ids: self._connection.execute(_POSTGRESQL, (KOMMUN_A.number, ids)).fetchall()
        else:
            self._connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
            self._query = lambda ids: self._connection.execute(
                _SQLITE, (KOMMUN_A.number, f"[{','.join(map(str, ids))}]")
            ).fetchall()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def measure(self, made: list[Example]) -> tuple[list[float], list[float]]:
        """Return for each example the processor time of this process and the time on the clock, in ms."""
        cpu, wall = [], []
        for one in made:
            spent, begun = time.process_time(), time.perf_counter()
            self._query(one.ids)
            for document in (one.request, one.answer):
                validate(etree.fromstring(document)[0][0])
            cpu.append((time.process_time() - spent) * 1e3)
            wall.append((time.perf_counter() - begun) * 1e3)
        return cpu, wall


def import_floor(file: Path, folder: Path, database: str, rows: int) -> tuple[float, float]:
    """Return how many rows of an accounts file the bare work gets through in a second, and what one takes, in bytes.

    Args:
        file: the accounts file.
        folder: for the SQLite file.
        database: the register's: its path, or a PostgreSQL URL.
        rows: how many.
    """
    if "://" in database:
        from benchmarks import postgresql

        return postgresql.import_floor(database, _read(file, rows), rows)
    made = folder / "floor.sqlite3"
    begun = time.perf_counter()
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(_TABLE)
        with connection:
            connection.executemany("INSERT INTO account VALUES (?, ?, 0, ?, ?)", sorted(_read(file, rows)))
    seconds, size = time.perf_counter() - begun, made.stat().st_size
    made.unlink()
    return rows / seconds, size / rows


def _read(file: Path, rows: int) -> Iterator[tuple[int, str, str, str]]:
    with file.open(encoding="ascii", newline="") as text:
        for recipient, operator, kind, registered in islice(csv.reader(text), 1, rows + 1):
            yield int(recipient), kind, operator, registered
