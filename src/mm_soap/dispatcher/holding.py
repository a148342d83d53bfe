"""One engine on a database at a time, however many processes serve it.

The lock is one that ends with the process or its connection, however they end: no clean-up after a crash.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_TRIES: Final = 0.5
_SECONDS_BETWEEN_LOOKS: Final = 1.0
_ADVISORY_LOCK: Final = f"{0x6D6D656E}, hashtext(coalesce(current_schema(), ''))"
"""The PostgreSQL lock: any number of our own, and one by schema, since several parties may share a database."""

_TRY: Final = text(f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})")
_UNLOCK: Final = text(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})")

Held = Callable[[], bool]
"""Tells whether the lock is still held. Cheap: it may be asked all the time."""


@contextmanager
def hold(database: Engine, stopping: threading.Event) -> Iterator[Held | None]:
    """Hold the lock of a database's engine, waiting for it; None if ``stopping`` was set before, or the database went.

    With SQLite it is a lock on a file beside the database, with PostgreSQL an advisory lock of a connection of its own:
    that one is lost with the connection, and then another process may have it.
    """
    if database.dialect.name == "postgresql":
        with _advisory(database, stopping) as held:
            yield held
        return
    with Path(f"{database.url.database}.engine").open("a") as file:
        yield (lambda: True) if _wait(lambda: _lock(file.fileno()), stopping) else None


@contextmanager
def _advisory(database: Engine, stopping: threading.Event) -> Iterator[Held | None]:
    try:
        connection = database.connect()
    except SQLAlchemyError:
        _log.error("The engine waits: the database cannot be reached.")
        stopping.wait(_SECONDS_BETWEEN_LOOKS)
        yield None
        return
    with connection:
        try:
            got = _wait(lambda: _ask(connection, _TRY), stopping)
        except SQLAlchemyError:
            got = False
        yield _Looks(connection) if got else None
        if got:
            with suppress(SQLAlchemyError):  # if the connection is gone, so is its lock
                _ask(connection, _UNLOCK)


class _Looks:
    """Looks from time to time whether the connection that has the lock is still there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next = time.monotonic() + _SECONDS_BETWEEN_LOOKS

    def __call__(self) -> bool:
        if time.monotonic() < self._next:
            return True
        try:
            _ask(self._connection, text("SELECT true"))
        except SQLAlchemyError:
            return False
        self._next = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        return True


def _ask(connection: Connection, question: TextClause) -> bool:
    answer = bool(connection.scalar(question))
    connection.commit()
    return answer


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
