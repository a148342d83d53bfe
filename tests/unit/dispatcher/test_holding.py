"""The lock of a database's engine: one holder at a time, and who lost it learns of it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sqlalchemy import Engine, text

from mm_soap.dispatcher.holding import hold
from mm_soap.testing.databases import fresh_database

GOING = threading.Event()


def is_free(database: Engine) -> bool:
    """Try to get the lock for a moment."""
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()
    with hold(database, stopping) as held:
        return held is not None


def lose_connections(database: Engine) -> None:
    # The fresh database gives its connections its own name.
    name = database.url.query["application_name"]
    question = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name AND pid <> "
    with database.connect() as connection:
        connection.execute(text(question + "pg_backend_pid()"), {"name": name})


def test_one_at_a_time(engine: Engine) -> None:
    with hold(engine, GOING) as held:
        assert held is not None
        assert held()
        assert not is_free(engine)
    assert is_free(engine)


def test_nobody_holds_once_it_is_stopped(engine: Engine) -> None:
    stopped = threading.Event()
    stopped.set()
    with hold(engine, stopped) as held:
        assert held is None


def test_each_database_has_its_own(engine: Engine, postgresql_or_none: str | None, tmp_path: Path) -> None:
    with fresh_database(tmp_path, postgresql_or_none) as other, hold(engine, GOING):
        assert is_free(other)


def test_who_lost_the_connection_learns_of_it(postgresql: str, tmp_path: Path) -> None:
    with fresh_database(tmp_path, postgresql) as database:
        with hold(database, GOING) as held:
            assert held is not None
            time.sleep(1.1)
            assert held()
            lose_connections(database)
            time.sleep(1.1)
            assert not held()
            assert is_free(database)
        assert is_free(database)


def test_who_waits_outlives_a_lost_connection(postgresql: str, tmp_path: Path) -> None:
    with fresh_database(tmp_path, postgresql) as database, hold(database, GOING) as held:
        assert held is not None
        threading.Timer(0.3, lose_connections, [database]).start()
        with hold(database, GOING) as second:
            assert second is None, "it tries again, and does not end in an error"
