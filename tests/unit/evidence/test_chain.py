"""The chain of evidence: linked without gaps by one at a time, and checked from end to end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from alembic import command
from sqlalchemy import Engine, text

from mm_soap.evidence.checking import ChainCheck, Finding, Kind, NotedHead
from mm_soap.evidence.finding import find_pieces, note_look
from mm_soap.linking import Linking, link_all
from mm_soap.storage import (
    Evidence,
    Head,
    forget_evidence,
    forget_records,
    head_of,
    link_records,
    migrate,
    reading,
    record_evidence,
    writing,
)
from mm_soap.storage.migration import _config

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
DAY = timedelta(days=1)


def a_piece(number: int, keep: timedelta = 30 * DAY) -> Evidence:
    return Evidence(NOW, "in", f"c-{number}", "deliverSecure", "accepted", None, b"<x>%d</x>" % number, NOW + keep)


@pytest.fixture
def database(engine: Engine) -> Engine:
    migrate(engine, "far")
    return engine


@pytest.fixture
def ten(database: Engine) -> Engine:
    """A chain of ten records."""
    with writing(database) as connection:
        record_evidence(connection, *(a_piece(number) for number in range(1, 11)))
    assert link_all(database) == 10
    return database


def found(database: Engine, now: datetime = NOW, known: Head | None = None) -> Sequence[Finding]:
    return list(ChainCheck(database, now, [NotedHead(known)] if known else ()).findings())


def told(database: Engine, known: Head | None = None) -> list[tuple[Kind, int | None]]:
    return [(one.kind, one.position) for one in found(database, known=known)]


def tamper(database: Engine, *statements: str) -> None:
    with database.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def head(database: Engine) -> Head:
    with reading(database) as connection:
        return head_of(connection)


def test_a_whole_chain_holds(ten: Engine) -> None:
    assert found(ten) == []
    assert head(ten).position == 10


def test_records_that_are_not_linked_yet_are_checked_too(ten: Engine) -> None:
    with writing(ten) as connection:
        record_evidence(connection, a_piece(11))
    check = ChainCheck(ten, NOW)
    assert list(check.findings()) == []
    assert (check.counts.linked, check.counts.loose) == (10, 1)
    tamper(ten, "UPDATE evidence SET verdict = 'refused' WHERE call_id = 'c-11'")
    (one,) = found(ten)
    assert (one.kind, one.call_id) == (Kind.CHANGED, "c-11")


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["DELETE FROM evidence_record WHERE position = 4"], [(Kind.MISSING, 4), (Kind.ADDED, None)]),
        (["DELETE FROM evidence WHERE call_id = 'c-4'"], [(Kind.MISSING, 4)]),
        (["UPDATE evidence SET content = 'else' WHERE call_id = 'c-4'"], [(Kind.CHANGED, 4)]),
        (["UPDATE evidence SET caller = 'somebody' WHERE call_id = 'c-4'"], [(Kind.CHANGED, 4)]),
        (["UPDATE evidence_record SET verdict = 'refused' WHERE position = 1"], [(Kind.CHANGED, 1), (Kind.CHANGED, 1)]),
        (["UPDATE evidence_record SET hash = previous WHERE position = 4"], [(Kind.CHANGED, 4), (Kind.CHANGED, 4)]),
        (
            [
                "UPDATE evidence_record SET position = 99 WHERE position = 4",
                "UPDATE evidence_record SET position = 4 WHERE position = 8",
                "UPDATE evidence_record SET position = 8 WHERE position = 99",
            ],
            [(Kind.REORDERED, 4), (Kind.CHANGED, 4), (Kind.REORDERED, 8), (Kind.CHANGED, 8)],
        ),
        (
            ["DELETE FROM evidence WHERE id > 7", "DELETE FROM evidence_record WHERE position > 7"],
            [(Kind.TRUNCATED, 8)],
        ),
        (["DELETE FROM evidence_chain"], [(Kind.MISSING, None)]),
        (["UPDATE evidence_chain SET hash = 'x'"], [(Kind.CHANGED, 10)]),
    ],
)
def test_whatever_was_done_to_the_chain_is_found(
    ten: Engine, statements: Sequence[str], expected: list[tuple[Kind, int | None]]
) -> None:
    if ten.dialect.name == "postgresql":
        statements = [one.replace("content = 'else'", r"content = '\x00'") for one in statements]
    tamper(ten, *statements)
    assert told(ten) == expected


def test_a_tail_that_was_cut_off_with_care_is_found_by_a_head_that_was_kept(ten: Engine) -> None:
    kept = head(ten)
    with reading(ten) as connection:
        seventh = connection.execute(text("SELECT hash FROM evidence_record WHERE position = 7")).scalar_one()
    tamper(
        ten,
        "DELETE FROM evidence WHERE id > 7",
        "DELETE FROM evidence_record WHERE position > 7",
        f"UPDATE evidence_chain SET position = 7, hash = '{seventh}'",
    )
    assert told(ten) == []
    assert told(ten, kept) == [(Kind.TRUNCATED, 8)]


def test_a_chain_that_was_written_anew_is_found_by_a_head_that_was_kept(ten: Engine) -> None:
    kept = head(ten)
    tamper(
        ten,
        "UPDATE evidence_record SET position = NULL, previous = NULL, hash = NULL, verdict = 'refused'",
        "UPDATE evidence SET verdict = 'refused'",
        f"UPDATE evidence_chain SET position = 0, hash = '{'0' * 64}'",
    )
    link_all(ten)
    assert told(ten) == []
    assert told(ten, kept) == [(Kind.CHANGED, 10)]


def test_bytes_may_go_when_their_time_is_over_and_the_chain_still_holds(ten: Engine) -> None:
    later = NOW + 31 * DAY
    with writing(ten) as connection:
        assert forget_evidence(connection, later) == 10
    check = ChainCheck(ten, later)
    assert list(check.findings()) == []
    assert check.counts.without_bytes == 10
    assert [one.kind for one in found(ten, NOW)] == [Kind.MISSING] * 10  # a clock set back: they should be there


def test_records_go_from_the_beginning_alone_and_only_without_their_bytes(ten: Engine) -> None:
    tamper(ten, "DELETE FROM evidence WHERE id IN (1, 2, 4)")
    later = NOW + 31 * DAY
    with writing(ten) as connection:
        assert forget_records(connection, NOW) == 0
        assert forget_records(connection, later) == 2
        assert forget_records(connection, later) == 0
    check = ChainCheck(ten, later, records_stay=DAY)
    assert list(check.findings()) == []
    assert (check.counts.forgotten, check.counts.linked) == (2, 8)
    with writing(ten) as connection:
        forget_evidence(connection, later)
        assert forget_records(connection, later) == 8
        record_evidence(connection, a_piece(11))
    assert link_all(ten) == 1
    assert head(ten).position == 11
    assert list(ChainCheck(ten, later, records_stay=DAY).findings()) == []


def forget_with_care(database: Engine, last: int) -> None:
    """As whoever may write to the database does it who wants the first records gone."""
    with reading(database) as connection:
        hash_of_last = connection.execute(
            text("SELECT hash FROM evidence_record WHERE position = :last"), {"last": last}
        ).scalar_one()
    tamper(
        database,
        f"DELETE FROM evidence WHERE id <= {last}",
        f"DELETE FROM evidence_record WHERE position <= {last}",
        f"UPDATE evidence_chain SET forgotten = {last}, forgotten_hash = '{hash_of_last}'",
    )


def test_a_beginning_that_was_cut_off_with_care_is_found_where_the_settings_keep_it(ten: Engine) -> None:
    forget_with_care(ten, 3)
    assert told(ten) == [(Kind.MISSING, 1)]


def test_a_beginning_that_was_cut_off_too_early_is_found_by_heads_that_were_kept(ten: Engine) -> None:
    with reading(ten) as connection:
        hashes = connection.execute(text("SELECT hash FROM evidence_record ORDER BY position")).scalars().all()
    forget_with_care(ten, 3)
    first, second, third = (NotedHead(Head(place, hashes[place - 1]), NOW) for place in (2, 3, 7))

    def check(now: datetime, *known: NotedHead) -> tuple[list[tuple[Kind, int | None]], int, int]:
        made = ChainCheck(ten, now, known, 30 * DAY)
        return [(one.kind, one.position) for one in made.findings()], made.counts.heads, made.counts.old_heads

    assert check(NOW) == ([], 0, 0)
    assert check(NOW + 29 * DAY, third, first, second) == ([(Kind.MISSING, 2)], 2, 1)
    assert check(NOW + 31 * DAY, first, second, third)[1:] == (2, 1)
    assert check(NOW, NotedHead(Head(2, hashes[1])))[0] == []  # nobody knows when that was
    assert check(NOW, replace(second, head=Head(3, "x")))[0] == [(Kind.CHANGED, 3)]


def test_each_noted_head_is_compared(ten: Engine) -> None:
    with reading(ten) as connection:
        hashes = connection.execute(text("SELECT hash FROM evidence_record ORDER BY position")).scalars().all()
    good = [NotedHead(Head(place, hashes[place - 1])) for place in (9, 4)]
    check = ChainCheck(ten, NOW, good)
    assert list(check.findings()) == []
    assert check.counts.heads == 2
    wrong = [good[0], NotedHead(Head(4, "x")), NotedHead(Head(12, "x"))]
    assert [one.kind for one in ChainCheck(ten, NOW, wrong).findings()] == [Kind.CHANGED, Kind.TRUNCATED]


@pytest.mark.parametrize("place", [-1, 0, 12])
def test_a_record_outside_of_the_chain_is_found(ten: Engine, place: int) -> None:
    with writing(ten) as connection:
        record_evidence(connection, a_piece(11))
    tamper(ten, f"UPDATE evidence_record SET position = {place}, previous = 'x', hash = 'x' WHERE position IS NULL")
    assert (Kind.ADDED, place) in told(ten)


def test_what_can_no_longer_be_read_is_a_finding(ten: Engine, postgresql_or_none: str | None) -> None:
    if postgresql_or_none is not None:
        return  # its columns hold nothing else
    tamper(ten, "UPDATE evidence_record SET at = 'yesterday', size = 'much' WHERE position = 4")
    assert told(ten)


def test_a_key_is_never_used_again(ten: Engine) -> None:
    with writing(ten) as connection:
        forget_evidence(connection, NOW + 31 * DAY)
        assert forget_records(connection, NOW + DAY) == 10
        record_evidence(connection, a_piece(11))
        assert connection.execute(text("SELECT id FROM evidence")).scalar_one() == 11


def test_of_many_that_link_at_once_each_record_gets_one_place(database: Engine) -> None:
    writers = [threading.Thread(target=write_some, args=(database, number)) for number in range(4)]
    linkers = [threading.Thread(target=link_some, args=(database,)) for _ in range(3)]
    for thread in (*writers, *linkers):
        thread.start()
    for thread in (*writers, *linkers):
        thread.join()
    link_all(database)
    with reading(database) as connection:
        places = connection.execute(text("SELECT position FROM evidence_record ORDER BY position")).scalars().all()
    assert places == list(range(1, 4 * 25 + 1))
    assert found(database) == []


def write_some(database: Engine, number: int) -> None:
    for each in range(25):
        with writing(database) as connection:
            record_evidence(connection, a_piece(100 * number + each))


def link_some(database: Engine) -> None:
    for _ in range(20):
        link_all(database)


def test_who_finds_another_linking_leaves_it_to_that_one(postgresql_or_none: str | None, ten: Engine) -> None:
    if postgresql_or_none is None:
        return  # there, one writes at a time
    with writing(ten) as connection:
        record_evidence(connection, a_piece(11))
    with writing(ten) as one:
        assert link_records(one) == 1
        with writing(ten) as other:
            assert link_records(other) == 0
    assert head(ten).position == 11


def test_linking_goes_on_in_the_background_until_the_end(
    database: Engine, caplog: pytest.LogCaptureFixture, until: Callable[[Callable[[], bool]], None]
) -> None:
    caplog.set_level("INFO")
    with writing(database) as connection:
        record_evidence(connection, a_piece(1))
    linking = Linking(database, "far")
    linking.start()
    until(lambda: head(database).position == 1)
    with writing(database) as connection:
        record_evidence(connection, a_piece(2))
    linking.stop()
    end = head(database)
    assert end.position == 2
    assert f"evidence party=far head=2:{end.hash}" in caplog.text


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    def wait(true: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(600):
            if true():
                return
            pause.wait(0.05)
        raise AssertionError("it did not come to that")

    return wait


@pytest.mark.parametrize(
    ("party", "before"),
    [("far", "far0007"), ("dispatcher", "dispatcher0007"), ("service_supplier", "service_supplier0006")],
)
def test_what_was_there_before_the_chain_comes_first_into_it(engine: Engine, party: str, before: str) -> None:
    config = _config(party)  # type: ignore[arg-type]
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, before)
    old = "INSERT INTO evidence (at, direction, call_id, verdict, keep_until, content) VALUES (:at, :d, :c, :v, :k, :b)"
    moments = {"at": NOW, "k": NOW + DAY}
    if engine.dialect.name == "sqlite":
        moments = {name: f"{value:%Y-%m-%d %H:%M:%S.%f}" for name, value in moments.items()}  # type: ignore[misc]
    with engine.begin() as connection:
        for number in range(120):
            values = {"d": "in", "c": f"old-{number}", "v": "accepted", "b": b"%d" % number}
            connection.execute(text(old), {**moments, **values})
    migrate(engine, party)  # type: ignore[arg-type]
    with writing(engine) as connection:
        record_evidence(connection, a_piece(1))
    assert found(engine) == []  # before they are adopted, too
    assert link_all(engine) == 121
    assert found(engine) == []
    with reading(engine) as connection:
        rows = connection.execute(text("SELECT position, call_id, digest FROM evidence_record ORDER BY position")).all()
    # The new one was linked with the first of the old ones; all old ones have the digests of their bytes.
    digests = {row.call_id: row.digest for row in rows}
    assert digests == {
        **{f"old-{number}": sha256(b"%d" % number).hexdigest() for number in range(120)},
        "c-1": sha256(b"<x>1</x>").hexdigest(),
    }
    assert [row.position for row in rows] == list(range(1, 122))


def test_a_look_is_evidence_itself(ten: Engine) -> None:
    note_look(ten, "kim", "export", "d-1", NOW, DAY)
    with reading(ten) as connection:
        row = connection.execute(text("SELECT * FROM evidence_record WHERE position = 11")).one()
        content = connection.execute(text("SELECT content FROM evidence WHERE id = :id"), {"id": row.id}).scalar_one()
    assert (row.direction, row.operation, row.caller) == ("use", "evidence export", "kim")
    assert b'"id": "d-1"' in content
    assert found(ten) == []


def test_a_piece_without_its_bytes_is_still_found(ten: Engine) -> None:
    tamper(ten, "DELETE FROM evidence WHERE call_id = 'c-4'")
    (piece,) = find_pieces({"far": ten}, "c-4")
    assert (piece.content, piece.record["position"]) == (None, 4)
