"""Open a database, and the two kinds of transaction: one that reads and one that writes."""

from __future__ import annotations

import logging
import select
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy import exc as sql_errors
from sqlalchemy.pool import QueuePool

from mm_soap.errors import ConfigurationError, MmSoapError, Refusal, Refused
from mm_soap.storage.disk import Disk

BUSY_SECONDS: Final = 10
"""How long a transaction waits for a lock or for a free connection before it is given up as technical, in seconds."""

_POOL_SIZE: Final = 10
_POOL_OVERFLOW: Final = 30
_GONE_AFTER: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""When the other end of a connection is asked whether it is still there, in seconds, and how often before it is not."""
_UNANSWERED_MS: Final = 60_000
_WRITE_LOCK: Final = "mm_soap_write_lock"
_DISK: Final = "mm_soap_disk"
_SYNCED_TOGETHER: Final = "mm_soap_synced_together"

_AWAY: Final = (
    sqlite3.OperationalError,
    sql_errors.OperationalError,
    sql_errors.InterfaceError,
    sql_errors.TimeoutError,
    sql_errors.DisconnectionError,
)
"""What is raised when the database is away or busy."""
_OF_THE_DATABASE: Final = (sqlite3.OperationalError, sql_errors.SQLAlchemyError)

_log = logging.getLogger(__name__)


class Conflict(MmSoapError):
    """A write broke a unique or foreign key; nothing of its transaction is stored.

    The use case decides what it means: often that another transaction was first, and its result is to be read.
    """


def open_database(target: Path | str) -> Engine:
    """Return an engine for a database; connects on first use.

    Args:
        target: the path of an SQLite file, or a URL: ``sqlite:///PATH`` or ``postgresql://USER@HOST/NAME``. The folder
            of an SQLite file is made if it is missing.

    SQLite runs in WAL mode: what `writing` has committed survives a crash of process and machine.

    Raises:
        ConfigurationError: the URL cannot be read, names another kind of database, or its driver is not installed.
    """
    url = _url_of(target)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(url)
    if backend == "postgresql":
        return _open_postgresql(url)
    raise ConfigurationError("The database must be an SQLite file or a postgresql:// URL.")


def _url_of(target: Path | str) -> URL:
    if isinstance(target, Path) or "://" not in target:
        return URL.create("sqlite", database=str(target))
    try:
        return make_url(target)
    except (sql_errors.ArgumentError, ValueError):
        # The text of the error repeats the URL, which may hold a password.
        raise ConfigurationError("The database URL cannot be read. Write it as postgresql://USER@HOST/NAME.") from None


def _open_sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError("The database must be a file: write sqlite:///PATH or a path.")
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"The folder of the database cannot be made: {error.strerror}.") from error
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
        # SQLite lets one transaction write at a time, and one that finds another writing sleeps and polls. The threads
        # of one process queue here instead; its own lock is then waited for only across processes.
        execution_options={_WRITE_LOCK: threading.Lock(), _DISK: Disk(url.database)},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # Whoever goes past `writing` gets at least this: the driver begins a transaction before the first change.
    connection.isolation_level = "IMMEDIATE"
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _open_postgresql(url: URL) -> Engine:
    try:
        engine = create_engine(
            _notices_who_vanished(url).set(drivername="postgresql+psycopg"),
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_OVERFLOW,
            pool_timeout=BUSY_SECONDS,
            hide_parameters=True,
        )
    except ImportError:  # of psycopg, or of libpq beneath it
        raise ConfigurationError("A PostgreSQL database needs more packages: install mm-soap[postgresql].") from None
    event.listen(engine, "checkout", _check_postgresql)
    return engine


def _notices_who_vanished(url: URL) -> URL:
    """Let both ends of a connection notice within a minute that the other one's host is gone; Linux takes hours.

    What a vanished host had locked is free only once the server has noticed: so the server's end is told too. Over a
    Unix socket none of it counts. What the URL itself says goes before.
    """
    ends = {**{f"tcp_{name}": value for name, value in _GONE_AFTER.items()}, "tcp_user_timeout": _UNANSWERED_MS}
    servers = " ".join(f"-c{name}={value}" for name, value in ends.items())
    own = url.query.get("options", ())
    query = {name: str(value) for name, value in (*_GONE_AFTER.items(), ("tcp_user_timeout", _UNANSWERED_MS))}
    query["connect_timeout"] = str(BUSY_SECONDS)
    said = " ".join((servers, *((own,) if isinstance(own, str) else own)))
    return url.set(query={**query, **url.query, "options": said})


def _check_postgresql(connection: Any, _record: Any, _proxy: Any) -> None:
    # A server that is gone has closed the connection, and that is seen without asking it: a question before each
    # transaction would cost as much as some of its statements. One that waits says nothing else that matters.
    waiting = select.poll()
    waiting.register(connection.pgconn.socket, select.POLLIN)
    if waiting.poll(0):
        raise sql_errors.DisconnectionError  # SQLAlchemy opens another one


@contextmanager
def reading(engine: Engine, *, once: bool = False) -> Iterator[Connection]:
    """Run a block in a transaction that only reads: it sees one moment, and never waits for a writer.

    Args:
        engine: from `open_database`.
        once: whether the block asks one statement. That one sees one moment by itself, so PostgreSQL is asked without a
            transaction around it: each turn of one is a way to the server and back.

    Raises:
        Refused: ``UNAVAILABLE`` when the database is away or busy, ``UNEXPECTED`` for any other error of it.
    """
    try:
        with engine.connect() as connection:
            postgresql = connection.dialect.name == "postgresql"
            if postgresql:
                level = "AUTOCOMMIT" if once else "REPEATABLE READ"
                connection.execution_options(isolation_level=level, postgresql_readonly=not once)
            with connection.begin():
                if not postgresql:
                    _driver_of(connection).execute("BEGIN").close()  # before its first change, see `_begin_to_write`
                yield connection
    except _OF_THE_DATABASE as error:
        raise _translated(error) from None


@contextmanager
def writing(engine: Engine, *, durable: bool = True) -> Iterator[Connection]:
    """Run a block in one write transaction: all of it is stored, or nothing when the block raises.

    Keep the block short and without calls to others: with SQLite one transaction writes at a time.

    Args:
        engine: from `open_database`.
        durable: whether what was written outlasts a crash of the machine once this returns. Without it, such a crash
            may undo the transaction, and those after it that were not durable either; a crash of the process never
            does. For what can be done again from what was there before.

    Raises:
        Conflict: a unique or foreign key was broken.
        Refused: ``UNAVAILABLE`` when the database is away or busy, ``UNEXPECTED`` for any other error of it.
    """
    options = engine.get_execution_options()
    lock: threading.Lock | None = options.get(_WRITE_LOCK)
    if lock is not None and not lock.acquire(timeout=BUSY_SECONDS):
        raise Refused(Refusal.UNAVAILABLE)
    held = lock
    try:
        with engine.connect() as connection:
            with connection.begin():
                _begin_to_write(connection, durable)
                yield connection
            if held is not None:
                held.release()  # the next one writes while this one waits for the disk
                held = None
                if durable:
                    _wait_for(options[_DISK])
    except _OF_THE_DATABASE as error:
        raise _translated(error) from None
    finally:
        if held is not None:
            held.release()


def wait_for_disk(engine: Engine) -> None:
    """Return once everything that can be read now outlasts a crash of the machine, but for what was not to be durable.

    For whoever tells others of what another thread may have written just now. In PostgreSQL nothing can be read before.

    Raises:
        Refused: ``UNAVAILABLE`` when the disk has failed.
    """
    if (disk := engine.get_execution_options().get(_DISK)) is not None:
        try:
            with engine.connect():
                _wait_for(disk)
        except _OF_THE_DATABASE as error:
            raise _translated(error) from None


def _wait_for(disk: Disk) -> None:
    try:
        disk.wait()
    except OSError as error:
        _log.error("The disk of the database has failed: %s", error.strerror)
        raise Refused(Refusal.UNAVAILABLE) from None


def _begin_to_write(connection: Connection, durable: bool) -> None:
    if connection.dialect.name == "postgresql":
        if not durable:
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
        return
    driver = _driver_of(connection)
    if _SYNCED_TOGETHER not in connection.info:
        # With NORMAL a commit does not synchronise the write-ahead log: `Disk` does, for many commits at once.
        driver.execute("PRAGMA synchronous=NORMAL").close()
        connection.info[_SYNCED_TOGETHER] = True
    # Left alone, the sqlite3 module begins a transaction at its first change. One that read before can then fail at
    # once with "database is locked", whatever the time limit; so one that writes takes the write lock as it begins.
    # SQLAlchemy's event for this would cost every later statement of the engine a tenth of its time.
    driver.execute("BEGIN IMMEDIATE").close()


def _driver_of(connection: Connection) -> sqlite3.Connection:
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


def _translated(error: Exception) -> Conflict | Refused:
    """Return what a block is told of an error of the database."""
    # Errors of the database are named in the log by class and code alone: PostgreSQL puts values into its texts.
    if isinstance(error, sql_errors.IntegrityError):
        return Conflict("a key of the database was broken")
    if isinstance(error, _AWAY):
        _log.error("The database is not available: %s", _name(error))
        return Refused(Refusal.UNAVAILABLE)
    _log.error("The database refused a statement: %s", _name(error))
    return Refused(Refusal.UNEXPECTED)


def _name(error: Exception) -> str:
    cause = error.orig if isinstance(error, sql_errors.DBAPIError) and error.orig is not None else error
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    return f"{type(cause).__name__} {code}".rstrip()
