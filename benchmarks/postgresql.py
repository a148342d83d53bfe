"""PostgreSQL beside the register: what its own processes cost, and the floor under an import into it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
_CLEANING = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
_TABLE = (
    "CREATE TABLE floor_account (recipient bigint PRIMARY KEY, account_type text NOT NULL, pending boolean NOT NULL, "
    "operator text NOT NULL, last_registration timestamptz)"
)
_COPY = "COPY floor_account (recipient, account_type, operator, last_registration, pending) FROM STDIN"
_SIZE = "SELECT pg_total_relation_size('floor_account')"


class Backends:
    """The processes of a PostgreSQL server on this machine that serve connections. Call `close` at the end.

    Args:
        url: the database.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def cpu_ms(self) -> float:
        """Return the processor time that all of them but this connection's have used, in ms."""
        pids = [pid for (pid,) in self._connection.execute(_BACKENDS).fetchall()]
        files = [Path(f"/proc/{pid}/schedstat") for pid in pids]
        return sum(int(one.read_text().split()[0]) for one in files if one.exists()) / 1e6

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def import_floor(url: str, rows: Iterable[tuple[Any, ...]], number: int) -> tuple[float, float]:
    """Return how many rows the bare work gets through in a second, and what one takes, in bytes.

    Args:
        url: the database.
        rows: recipient, type, operator, time of each.
        number: how many.
    """
    begun = time.perf_counter()
    with closing(psycopg.connect(url)) as connection:
        connection.execute(_TABLE)
        with connection.cursor().copy(_COPY) as copy:
            for row in sorted(rows):
                copy.write_row((*row, False))
        connection.commit()
        seconds = time.perf_counter() - begun
        found = connection.execute(_SIZE).fetchone()
        connection.execute("DROP TABLE floor_account")
        connection.commit()
    return number / seconds, (found[0] if found else 0) / number


def rest(url: str, seconds: float = 300) -> None:
    """Return once the server has done what millions of new rows left it to do in the background, or time is up.

    Args:
        url: the database, of a user who may order a checkpoint.
        seconds: how long that may take.
    """
    deadline = time.monotonic() + seconds
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("CHECKPOINT")
        while connection.execute(_CLEANING).fetchone() != (0,) and time.monotonic() < deadline:
            time.sleep(0.5)


def size(url: str, table: str) -> int:
    """Return what a table takes with its indexes, in bytes."""
    with closing(psycopg.connect(url)) as connection:
        found = connection.execute("SELECT pg_total_relation_size(%s)", (table,)).fetchone()
    return int(found[0]) if found else 0
