"""What waited for a database is taken in once, with the time of the refusal, whatever is cut short in between."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from mm_soap.clock import system_clock
from mm_soap.errors import Refusal, Refused
from mm_soap.evidence.checking import ChainCheck
from mm_soap.linking import link_all
from mm_soap.refusals import keep_refusals, keep_sent
from mm_soap.soap import Caller
from mm_soap.spooling import Spooling, take_in
from mm_soap.storage import (
    NotSpooled,
    Spool,
    events_of,
    evidence_of,
    forget_evidence,
    migrate,
    open_database,
    reading,
    writing,
)
from mm_soap.storage.evidence import record
from mm_soap.testing.clock import FrozenClock
from mm_soap.testing.databases import fresh_database

CALLER = Caller("162021004748", "127.0.0.1")
KEPT = timedelta(days=90)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def database(engine: Engine) -> Engine:
    migrate(engine, "far")
    return engine


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 10_000_000)


@pytest.fixture
def away(tmp_path: Path) -> Engine:
    """A database that nobody can open."""
    return open_database(tmp_path)


def refuse(away: Engine, spool: Spool, clock: FrozenClock, call_id: str = "call", raw: bytes = b"<sent/>") -> None:
    keep_refusals(away, clock, KEPT, spool)(call_id, "isReachable", CALLER, raw, Refused(Refusal.TOO_MANY))


def records(database: Engine) -> list[tuple[str, str]]:
    with reading(database) as connection:
        found = connection.execute(select(record.c.call_id, record.c.verdict).order_by(record.c.position))
        return [(one.call_id, one.verdict) for one in found]


def test_a_refusal_waits_and_bears_its_own_time(
    database: Engine, away: Engine, spool: Spool, clock: FrozenClock
) -> None:
    at = clock()
    refuse(away, spool, clock)
    assert spool.state().waiting == 1
    clock.advance(timedelta(days=2))
    assert take_in(database, spool, clock) == 1
    with reading(database) as connection:
        (event,) = events_of(connection, call_id="call")
        (kept,) = evidence_of(connection, "call")
    assert (kept.at, kept.keep_until, kept.content) == (at, at + KEPT, b"<sent/>")
    assert (kept.operation, kept.verdict, kept.caller) == ("isReachable", "TOO_MANY", "162021004748")
    assert (event.at, event.kind, event.outcome, event.detail["code"]) == (at, "refusal", "TOO_MANY", 5005)
    assert event.detail["taken_in"] == clock().isoformat(timespec="seconds")
    assert (spool.state().waiting, take_in(database, spool, clock)) == (0, 0)


def test_what_is_not_in_utf8_waits_as_it_came_and_its_call_is_refused(
    database: Engine, away: Engine, spool: Spool, clock: FrozenClock
) -> None:
    with pytest.raises(Refused) as refused:
        keep_sent(away, clock, KEPT, spool)("call", CALLER, "<å/>".encode("utf-16"))
    keep_refusals(away, clock, KEPT, spool)("call", None, CALLER, "<å/>".encode(), refused.value)
    assert take_in(database, spool, clock) == 2
    with reading(database) as connection:
        told = [(one.content, one.verdict) for one in evidence_of(connection, "call")]
    assert told == [("<å/>".encode("utf-16"), "converted to UTF-8"), ("<å/>".encode(), "UNAVAILABLE")]


def test_nothing_waits_while_the_database_takes_it(database: Engine, spool: Spool, clock: FrozenClock) -> None:
    refuse(database, spool, clock)
    assert (spool.state().waiting, spool.written, len(records(database))) == (0, 0, 1)
    with reading(database) as connection:
        assert "taken_in" not in events_of(connection, call_id="call")[0].detail


def test_without_a_spool_or_room_the_hook_raises(away: Engine, tmp_path: Path, clock: FrozenClock) -> None:
    with pytest.raises(Refused):
        keep_refusals(away, clock)("call", None, CALLER, b"x", Refused(Refusal.TOO_MANY))
    with pytest.raises(NotSpooled, match="full"):
        refuse(away, Spool(tmp_path / "spool", 1), clock)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=200)], ids=["at once", "when the bytes are gone"])
def test_a_crash_before_the_file_is_gone_puts_nothing_in_twice(
    database: Engine, away: Engine, spool: Spool, clock: FrozenClock, later: timedelta
) -> None:
    refuse(away, spool, clock)
    (file,) = spool.waiting()
    whole = file.read_bytes()
    take_in(database, spool, clock)
    file.write_bytes(whole)
    clock.advance(later)
    with writing(database) as connection:
        assert forget_evidence(connection, clock()) == bool(later)
    assert take_in(database, spool, clock) == 1
    assert (records(database), spool.state().waiting) == ([("call", "TOO_MANY")], 0)


def test_a_commit_whose_answer_was_lost_is_known(
    database: Engine, away: Engine, spool: Spool, clock: FrozenClock
) -> None:
    """The database has it, and the party was told that it has not."""
    refuse(database, spool, clock)
    refuse(away, spool, clock)
    assert take_in(database, spool, clock) == 1
    assert records(database) == [("call", "TOO_MANY")]


def test_the_chain_has_them_in_the_order_of_their_time(
    database: Engine, away: Engine, spool: Spool, clock: FrozenClock
) -> None:
    for number in (3, 1, 2):
        refuse(away, spool, clock, f"call-{number}")
        clock.advance(timedelta(seconds=1))
    Spooling(database, spool, clock).turn()
    link_all(database)
    assert [call for call, _ in records(database)] == ["call-3", "call-1", "call-2"]
    check = ChainCheck(database, clock())
    assert (list(check.findings()), check.counts.linked) == ([], 3)


def test_while_the_database_is_away_they_stay(away: Engine, spool: Spool, clock: FrozenClock) -> None:
    refuse(away, spool, clock)
    with pytest.raises(Refused):
        take_in(away, spool, clock)
    Spooling(away, spool, clock).turn()  # raises nothing
    assert spool.state().waiting == 1


def test_while_another_process_holds_the_chain_they_stay(
    postgresql: str, away: Engine, spool: Spool, clock: FrozenClock, tmp_path: Path
) -> None:
    refuse(away, spool, clock)
    with fresh_database(tmp_path, postgresql) as database:
        migrate(database, "far")
        with writing(database) as connection:
            connection.exec_driver_sql("SELECT id FROM evidence_chain FOR UPDATE")
            assert take_in(database, spool, clock) == 0
        assert take_in(database, spool, clock) == 1


def test_one_that_cannot_be_stored_holds_up_no_other(
    database: Engine, away: Engine, spool: Spool, clock: FrozenClock
) -> None:
    refuse(away, spool, clock, "damaged")
    refuse(away, spool, clock, "removed")
    clock.advance(timedelta(seconds=1))
    refuse(away, spool, clock, "whole")
    damaged, stuck, _ = spool.waiting()
    damaged.write_bytes(b"torn")
    stuck.unlink()
    stuck.mkdir()  # cannot be read
    with pytest.raises(OSError, match="directory"):
        take_in(database, spool, clock)
    assert [call for call, _ in records(database)] == ["whole"]


def _take_all(url: str, folder: Path, begin: object) -> None:
    database, spool = open_database(url), Spool(folder, 10_000_000)
    begin.wait(60)  # type: ignore[attr-defined]
    while spool.state().waiting:
        take_in(database, spool, system_clock)
    database.dispose()


def test_two_processes_take_each_in_once(
    database: Engine, away: Engine, spool: Spool, clock: FrozenClock, tmp_path: Path
) -> None:
    for number in range(40):
        refuse(away, spool, clock, f"call-{number:02}")
    database.dispose()
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(2)
    url = database.url.set(drivername=database.url.get_backend_name()).render_as_string(hide_password=False)
    both = [context.Process(target=_take_all, args=(url, tmp_path / "spool", begin)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert [one.exitcode for one in both] == [0, 0]
    assert sorted(call for call, _ in records(database)) == [f"call-{number:02}" for number in range(40)]
