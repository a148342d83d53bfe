"""One engine on a database at a time, however many processes serve it.

The lock is one that ends with the process or its connection, however they end: no clean-up after a crash.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

_SECONDS_BETWEEN_TRIES: Final = 0.5
_ADVISORY_LOCK: Final = 0x6D6D656E67696E65
"""The number of the PostgreSQL lock; any number of our own."""


@contextmanager
def hold(database: Engine, stopping: threading.Event) -> Iterator[bool]:
    """Hold the lock of a database's engine, waiting for it; False if ``stopping`` was set before.

    With SQLite it is a lock on a file beside the database, with PostgreSQL an advisory lock of a connection of its own.
    """
    if database.dialect.name == "postgresql":
        with database.connect() as connection:
            got = _wait(
                lambda: bool(connection.scalar(text(f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})"))), stopping
            )
            connection.commit()
            yield got
            if got:
                connection.execute(text(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"))
                connection.commit()
        return
    with Path(f"{database.url.database}.engine").open("a") as file:
        yield _wait(lambda: _lock(file.fileno()), stopping)


def _wait(attempt: Callable[[], bool], stopping: threading.Event) -> bool:
    while not stopping.is_set():
        if attempt():
            return True
        stopping.wait(_SECONDS_BETWEEN_TRIES)
    return False


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
