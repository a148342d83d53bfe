"""Opening a database, and what its transactions promise."""

from __future__ import annotations

import logging
import os
import select
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest
from sqlalchemy import Engine, make_url, text

from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.storage import Conflict, open_database, reading, wait_for_disk, writing
from mm_soap.testing.databases import fresh_schema


@pytest.fixture
def table(engine: Engine) -> Engine:
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE thing (name VARCHAR(20) PRIMARY KEY)"))
    return engine


def names(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(text("SELECT name FROM thing ORDER BY name")).scalars())


def add(engine: Engine, *things: str) -> None:
    with writing(engine) as connection:
        for thing in things:
            connection.execute(text("INSERT INTO thing VALUES (:name)"), {"name": thing})


def test_sqlite_is_durable_and_strict(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "new folder" / "party.sqlite3")
    with reading(engine) as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_path_and_a_url_name_the_same_file(tmp_path: Path) -> None:
    by_path = open_database(tmp_path / "a.sqlite3")
    add_table = text("CREATE TABLE thing (name VARCHAR(20))")
    with writing(by_path) as connection:
        connection.execute(add_table)
    for target in (str(tmp_path / "a.sqlite3"), f"sqlite:///{tmp_path / 'a.sqlite3'}"):
        other = open_database(target)
        assert names(other) == []
        other.dispose()
    by_path.dispose()


@pytest.mark.parametrize("target", ["mysql://host/name", "sqlite://", "sqlite:///:memory:", "nonsense://secret@:::"])
def test_other_databases_are_refused_without_repeating_the_url(target: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_database(target)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("error", [ModuleNotFoundError("psycopg"), ImportError("no pq wrapper available")])
def test_what_postgresql_lacks_is_said(monkeypatch: pytest.MonkeyPatch, error: ImportError) -> None:
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    def import_dbapi() -> None:
        raise error

    monkeypatch.setattr(PGDialect_psycopg, "import_dbapi", import_dbapi)
    with pytest.raises(ConfigurationError, match=r"install mm-soap\[postgresql\]"):
        open_database("postgresql://somebody:secret@host/name")


def test_a_schema_in_the_address_is_used(postgresql: str) -> None:
    # As the pages say, without percent signs.
    with fresh_schema(postgresql) as inside:
        name = make_url(inside).query["application_name"]
        engine = open_database(f"{postgresql}{'&' if '?' in postgresql else '?'}options=-csearch_path={name}")
        with reading(engine) as connection:
            assert connection.execute(text("SELECT current_schema()")).scalar() == name
        engine.dispose()


def test_a_connection_that_the_server_has_closed_is_opened_again(postgresql: str) -> None:
    engine, other = open_database(postgresql), open_database(postgresql)
    with reading(engine) as connection:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        driver = connection.connection.driver_connection
    with reading(other) as connection:
        connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
    assert select.select([driver.pgconn.socket], [], [], 60)[0]
    with reading(engine) as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != process
    for each in (engine, other):
        each.dispose()


def ends_of(target: str) -> tuple[dict[str, str], dict[str, str]]:
    """What each end of a connection does to notice that the other's host is gone: the client's, and the server's."""
    engine = open_database(target)
    with reading(engine) as connection:
        driver = connection.connection.driver_connection
        client = {name: value for name, value in driver.info.get_parameters().items() if name != "options"}
        # Over a Unix socket the settings themselves read as 0.
        told = text("SELECT name, reset_val FROM pg_settings WHERE name LIKE 'tcp%' AND source = 'client'")
        server = {row.name: row.reset_val for row in connection.execute(told)}
    engine.dispose()
    return client, server


def test_both_ends_notice_within_a_minute_that_the_other_host_is_gone(postgresql: str) -> None:
    client, server = ends_of(postgresql)
    assert server == {
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "60000",
    }
    assert (
        client.items()
        >= {
            "keepalives_idle": "30",
            "keepalives_interval": "10",
            "keepalives_count": "3",
            "tcp_user_timeout": "60000",
            "connect_timeout": "10",
        }.items()
    )


def test_what_an_address_says_of_connections_goes_before(postgresql: str) -> None:
    more = "keepalives_idle=7&connect_timeout=3&options=-ctcp_keepalives_idle=8"
    client, server = ends_of(f"{postgresql}{'&' if '?' in postgresql else '?'}{more}")
    assert (client["keepalives_idle"], client["keepalives_count"], client["connect_timeout"]) == ("7", "3", "3")
    assert (server["tcp_keepalives_idle"], server["tcp_keepalives_count"]) == ("8", "3")


def test_a_block_that_raises_stores_nothing(table: Engine) -> None:
    def fail_halfway() -> None:
        with writing(table) as connection:
            connection.execute(text("INSERT INTO thing VALUES ('half')"))
            raise Refused(Refusal.NOT_FOUND)

    with pytest.raises(Refused):
        fail_halfway()
    assert names(table) == []


def test_a_broken_key_is_a_conflict_and_stores_nothing(table: Engine) -> None:
    add(table, "first")
    with pytest.raises(Conflict):
        add(table, "second", "first")
    assert names(table) == ["first"]


class SlowDisk:
    """Counts the turns of the disk, and holds each until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: bool = True) -> None:
        self.begun: SimpleQueue[None] = SimpleQueue()
        self.turns = 0
        self.error: OSError | None = None
        self.free = threading.Event()
        if free:
            self.free.set()
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, file: int) -> None:
        self.turns += 1
        self.begun.put(None)
        assert self.free.wait(20)
        if self.error:
            raise self.error
        self._real(file)


@pytest.fixture
def sqlite_table(tmp_path: Path) -> Iterator[Engine]:
    """Behind a symbolic link: SQLite has its log beside the file itself."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.sqlite3").symlink_to(tmp_path / "real" / "party.sqlite3")
    engine = open_database(tmp_path / "link.sqlite3")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE thing (name VARCHAR(20) PRIMARY KEY)"))
    yield engine
    engine.dispose()


def test_each_durable_commit_waits_for_the_disk(sqlite_table: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    add(sqlite_table, "one")
    add(sqlite_table, "two")
    assert disk.turns == 2
    with writing(sqlite_table, durable=False) as connection:
        connection.execute(text("INSERT INTO thing VALUES ('three')"))
    assert disk.turns == 2
    wait_for_disk(sqlite_table)
    assert disk.turns == 3


def test_those_that_wait_for_the_disk_share_a_turn_and_hold_nobody_up(
    sqlite_table: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch, free=False)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(add, sqlite_table, "first")
        disk.begun.get(timeout=20)
        others = [pool.submit(add, sqlite_table, f"other {number}") for number in range(5)]
        deadline = time.monotonic() + 20
        while len(names(sqlite_table)) < 6:  # all commit, while the first one still waits
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not first.done()
        assert disk.turns == 1
        disk.free.set()
        for each in (first, *others):
            each.result(20)
    assert 2 <= disk.turns <= 3  # one that came late may have had to begin a third


def test_a_disk_that_fails_is_told_to_all_that_wait(sqlite_table: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    disk.error = OSError(5, "Input/output error")
    with pytest.raises(Refused) as refused:
        add(sqlite_table, "lost")
    assert refused.value.refusal is Refusal.UNAVAILABLE
    # What comes behind a lost page would be lost with it, whatever the disk says of that.
    disk.error = None
    with pytest.raises(Refused):
        add(sqlite_table, "behind it")
    with pytest.raises(Refused):
        wait_for_disk(sqlite_table)
    again = open_database(str(sqlite_table.url.database))  # as a process that is started anew
    add(again, "kept")
    assert "kept" in names(again)
    again.dispose()


def test_a_reader_does_not_wait_for_a_writer(table: Engine) -> None:
    with writing(table) as connection:
        connection.execute(text("INSERT INTO thing VALUES ('unseen')"))
        assert names(table) == []
    assert names(table) == ["unseen"]


def test_a_reader_sees_one_moment(table: Engine) -> None:
    count = text("SELECT count(*) FROM thing")
    with reading(table) as connection:
        assert connection.execute(count).scalar() == 0
        add(table, "meanwhile")
        assert connection.execute(count).scalar() == 0


@pytest.mark.parametrize("engines", [1, 2])
def test_those_who_read_and_then_write_never_collide(table: Engine, engines: int) -> None:
    # Two engines stand for two processes.
    add(table, "0")
    others = [open_database(table.url.render_as_string(hide_password=False)) for _ in range(engines - 1)]
    failures: list[Exception] = []

    def count_up(engine: Engine) -> None:
        try:
            for _ in range(20):
                with writing(engine) as connection:
                    if connection.dialect.name == "postgresql":
                        connection.execute(text("LOCK TABLE thing IN EXCLUSIVE MODE"))
                    value = int(str(connection.execute(text("SELECT name FROM thing")).scalar()))
                    connection.execute(text("UPDATE thing SET name = :name"), {"name": str(value + 1)})
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=count_up, args=(engine,)) for engine in [table, *others] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.dispose()
    assert failures == []
    assert names(table) == [str(len(threads) * 20)]


def test_a_database_that_is_away_is_refused_as_technical(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    engine = open_database(tmp_path / "folder")
    with pytest.raises(Refused) as caught, reading(engine):
        pass
    assert caught.value.refusal is Refusal.UNAVAILABLE
    engine.dispose()


def test_errors_hold_no_values(table: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(Refused) as caught, writing(table) as connection:
        connection.execute(text("INSERT INTO missing VALUES (:name)"), {"name": "192705178354"})
    assert caught.value.refusal in (Refusal.UNAVAILABLE, Refusal.UNEXPECTED)
    assert caught.value.__suppress_context__
    assert table.hide_parameters
    assert "192705178354" not in str(caught.value) + caplog.text


def test_another_process_that_holds_the_lock_is_waited_for(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "a.sqlite3")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE thing (name VARCHAR(20))"))
    other = sqlite3.connect(tmp_path / "a.sqlite3", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    release.start()
    add(engine, "later")
    assert names(engine) == ["later"]
    release.join()
    other.close()
    engine.dispose()


def test_who_reads_once_leaves_the_connection_as_it_was(engine: Engine) -> None:
    """PostgreSQL is asked without a transaction then; the next one to use the connection has its own again."""
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE thing (number integer)"))
    with reading(engine, once=True) as connection:
        assert connection.execute(text("SELECT count(*) FROM thing")).scalar_one() == 0

    def fail() -> None:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO thing VALUES (1)"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM thing")).scalar_one() == 0
