"""Prepared statements store and find what SQLAlchemy's own would, and fail as they would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    select,
    update,
)

from mm_soap.errors import Refusal, Refused
from mm_soap.storage import (
    Conflict,
    PreparedInsert,
    PreparedQuery,
    PreparedUpdate,
    UtcDateTime,
    big_key,
    end_with,
    reading,
    together,
    writing,
)
from mm_soap.testing.databases import fresh_database

TABLE = Table(
    "thing",
    MetaData(),
    Column("id", big_key(), primary_key=True),
    Column("name", String(20)),
    Column("moment", UtcDateTime),
    Column("day", Date),
    Column("yes", Boolean),
    Column("number", Integer),
    Column("content", LargeBinary),
    Column("detail", JSON(none_as_null=True)),
)
FULL = {
    "name": "å'%s:x",
    "moment": datetime(2026, 3, 1, 12, 0, 0, 7, tzinfo=UTC),
    "day": date(2026, 3, 1),
    "yes": True,
    "number": 7,
    "content": b"\x00\xff",
    "detail": {"a": ["å", None]},
}
EMPTY = dict.fromkeys(FULL)
PART = Table(
    "part",
    TABLE.metadata,
    Column("thing", big_key(), ForeignKey("thing.id"), primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True),
    Column("other", big_key()),
    Column("content", LargeBinary),
)
ADD, PUT = PreparedInsert(TABLE, left_out=["id"]), PreparedInsert(PART)


def test_each_type_is_stored_as_sqlalchemy_would(engine: Engine) -> None:
    prepared = PreparedInsert(TABLE, left_out=["id"])
    with writing(engine) as connection:
        TABLE.create(connection)
        prepared.execute(connection, [])
        prepared.execute(connection, [FULL])
        prepared.execute(connection, [EMPTY, FULL])
        connection.execute(insert(TABLE), [FULL, EMPTY])
    with reading(engine) as connection:
        rows = [dict(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.id)).mappings()]
    assert [row.pop("id") for row in rows] == [1, 2, 3, 4, 5]
    assert rows == [FULL, EMPTY, FULL, FULL, EMPTY]


def test_a_moment_is_written_in_sqlite_as_sqlalchemy_writes_it(engine: Engine) -> None:
    """Rows of earlier releases are compared with it, and their order is that of the texts."""
    plain = Table(
        "thing", MetaData(), Column("id", Integer, primary_key=True), Column("moment", DateTime(timezone=True))
    )
    abroad = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    with writing(engine) as connection:
        TABLE.create(connection)
        for moment in (FULL["moment"], abroad, None):
            ADD.add(connection, {**EMPTY, "moment": moment})
            connection.execute(insert(plain), {"moment": moment and moment.astimezone(UTC)})
    with reading(engine) as connection:
        texts = connection.execute(select(cast(TABLE.c.moment, String)).order_by(TABLE.c.id)).scalars().all()
        assert texts[::2] == texts[1::2]


def test_a_moment_without_a_time_zone_is_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        TABLE.create(connection)
        with pytest.raises(ValueError, match="time zone"):
            ADD.add(connection, {**EMPTY, "moment": datetime(2026, 3, 1, 12, 0)})


def test_the_key_of_a_new_row_is_told(engine: Engine) -> None:
    prepared = PreparedInsert(TABLE, left_out=["id"])
    with writing(engine) as connection:
        TABLE.create(connection)
        assert [prepared.add(connection, each) for each in (FULL, EMPTY)] == [1, 2]
    with reading(engine) as connection:
        assert [tuple(row)[1:] for row in connection.execute(select(TABLE).order_by(TABLE.c.id))] == [
            tuple(FULL.values()),
            tuple(EMPTY.values()),
        ]


def test_a_prepared_query_finds_what_sqlalchemy_would(engine: Engine) -> None:
    one = bindparam("one", type_=String)
    asked = select(TABLE.c.number, TABLE.c.name, select(func.count()).where(TABLE.c.name == one).scalar_subquery())
    asked = asked.where(TABLE.c.name == one, TABLE.c.number < bindparam("below", type_=Integer), TABLE.c.yes.is_(True))
    prepared = PreparedQuery(asked)
    with writing(engine) as connection:
        TABLE.create(connection)
        PreparedInsert(TABLE, left_out=["id"]).execute(connection, [FULL, EMPTY])
    with reading(engine) as connection:
        for below in (8, 7):
            values = {"one": FULL["name"], "below": below}
            row = connection.execute(asked, values).first()
            assert prepared.first(connection, values) == (None if row is None else tuple(row))
        assert prepared.first(connection, {"one": FULL["name"], "below": 8}) == (7, FULL["name"], 1)


def test_the_rows_of_a_prepared_query_are_those_of_sqlalchemy(engine: Engine) -> None:
    whole = select(*TABLE.c, func.coalesce(TABLE.c.number, 9).label("at_least"), TABLE.c.moment < TABLE.c.moment)
    prepared = PreparedQuery(whole.order_by(TABLE.c.id))
    changed = update(TABLE).where(TABLE.c.id == bindparam("row")).values(yes=bindparam("new")).returning(*TABLE.c)
    with writing(engine) as connection:
        TABLE.create(connection)
        ADD.execute(connection, [FULL, EMPTY])
        (row,) = PreparedQuery(changed).all(connection, {"row": 1, "new": False})
        assert row._asdict() == {"id": 1, **FULL, "yes": False}
    with reading(engine) as connection:
        rows = prepared.all(connection, {})
        expected = connection.execute(whole.order_by(TABLE.c.id)).all()
        assert rows == [tuple(each) for each in expected]
        assert [list(map(type, one)) for one in rows] == [list(map(type, one)) for one in expected]
        assert (rows[0].moment, rows[1].at_least) == (FULL["moment"], 9)
        assert prepared.first(connection, {}) == rows[0]


CHANGE = PreparedUpdate(
    update(TABLE)
    .where(TABLE.c.id == bindparam("row"))
    .values(
        **{name: bindparam(f"new_{name}") for name in FULL if name != "number"},
        number=func.coalesce(bindparam("new_number"), TABLE.c.number, 5),
    )
)


@pytest.mark.parametrize("rows", [[], [1], [2], [1, 3], [1, 2, 3]])
def test_each_type_is_changed_to_what_sqlalchemy_would(engine: Engine, rows: list[int]) -> None:
    new: dict[str, Any] = {**FULL, "name": "other", "moment": datetime(2027, 1, 1, tzinfo=UTC), "number": None}
    with writing(engine) as connection:
        TABLE.create(connection)
        ADD.execute(connection, [FULL, EMPTY, FULL])
    with writing(engine) as connection:
        changes = [{"row": row, **{f"new_{name}": value for name, value in new.items()}} for row in rows]
        CHANGE.execute(connection, changes)
    with reading(engine) as connection:
        found = [dict(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.id)).mappings()]
    for row, before in zip(found, (FULL, EMPTY, FULL), strict=True):
        key = row.pop("id")
        assert row == ({**new, "number": before["number"] or 5} if key in rows else before)


def test_a_change_takes_its_own_values_and_needs_the_others(engine: Engine) -> None:
    own = PreparedUpdate(update(TABLE).where(TABLE.c.name == bindparam("wanted")).values(number=8, day=FULL["day"]))
    with writing(engine) as connection:
        TABLE.create(connection)
        ADD.execute(connection, [{**EMPTY, "name": "a"}, {**EMPTY, "name": "b"}])
        own.execute(connection, [{"wanted": "b"}])
        with pytest.raises(KeyError):
            CHANGE.execute(connection, [{"row": 1}])
    with reading(engine) as connection:
        found = connection.execute(select(TABLE.c.number, TABLE.c.day).order_by(TABLE.c.id))
        assert [tuple(row) for row in found] == [(None, None), (8, FULL["day"])]


def test_a_change_that_breaks_a_key_is_a_conflict(engine: Engine) -> None:
    renumber = PreparedUpdate(update(TABLE).where(TABLE.c.id == bindparam("row")).values(id=bindparam("new")))
    with writing(engine) as connection:
        TABLE.create(connection)
        ADD.execute(connection, [FULL, FULL])
    with pytest.raises(Conflict), writing(engine) as connection:
        renumber.execute(connection, [{"row": 1, "new": 2}])


NAMES = PreparedQuery(select(TABLE.c.name).where(TABLE.c.id >= bindparam("from")).order_by(TABLE.c.id))
RENAME = PreparedQuery(
    update(TABLE)
    .where(TABLE.c.id == bindparam("row"))
    .values(name=bindparam("new"))
    .returning(TABLE.c.name, TABLE.c.number)
)


@pytest.fixture
def on_postgresql(postgresql: str, tmp_path: Path) -> Iterator[Engine]:
    with fresh_database(tmp_path, postgresql) as fresh:
        yield fresh


def test_what_a_transaction_ends_with_is_committed(on_postgresql: Engine) -> None:
    with writing(on_postgresql) as connection:
        TABLE.create(connection)
        ADD.execute(connection, [FULL, EMPTY])
    with writing(on_postgresql) as connection:
        ADD.add(connection, FULL)
        found = end_with(connection, (RENAME, {"row": 2, "new": "b"}), (RENAME, {"row": 1, "new": "a"}))
        with reading(on_postgresql) as other:  # before the block has ended
            assert NAMES.all(other, {"from": 1}) == [("a",), ("b",), (FULL["name"],)]
    assert tuple(found) == ("a", FULL["number"])
    with writing(on_postgresql) as connection:
        assert end_with(connection, (RENAME, {"row": 7, "new": "a"})) is None


def test_nothing_is_committed_where_one_of_the_last_statements_fails(on_postgresql: Engine) -> None:
    wrong = PreparedQuery(select(literal_column("no_such_column")))
    with writing(on_postgresql) as connection:
        TABLE.create(connection)
        ADD.execute(connection, [FULL])
    for steps in (((RENAME, {"row": 1, "new": "a"}), (wrong, {})), ((wrong, {}), (RENAME, {"row": 1, "new": "a"}))):
        with pytest.raises(Refused), writing(on_postgresql) as connection:
            end_with(connection, *steps)
        with reading(on_postgresql) as connection:
            assert NAMES.all(connection, {"from": 1}) == [(FULL["name"],)]


def test_a_broken_key_is_a_conflict_and_nothing_is_stored(engine: Engine) -> None:
    whole = PreparedInsert(TABLE)
    with writing(engine) as connection:
        TABLE.create(connection)
    for broken in ([{"id": 1, **FULL}] * 2, [{"id": 2, **FULL}, {"id": 3, **FULL}, {"id": 2, **FULL}]):
        with pytest.raises(Conflict), writing(engine) as connection:
            whole.execute(connection, broken)
    with writing(engine) as connection:
        assert whole.add(connection, {"id": 7, **FULL}) == 7
    with pytest.raises(Conflict), writing(engine) as connection:
        whole.add(connection, {"id": 7, **FULL})
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(TABLE)).scalar_one() == 1


def test_a_statement_that_the_database_refuses_is_refused(engine: Engine) -> None:
    with pytest.raises(Refused) as refused, reading(engine) as connection:
        PreparedQuery(select(literal_column("no_such_column"))).first(connection, {})
    assert refused.value.refusal in (Refusal.UNEXPECTED, Refusal.UNAVAILABLE)
    with reading(engine) as connection:
        assert connection.execute(select(1)).scalar_one() == 1


@pytest.mark.parametrize("number", [0, 1, 2, 7, 40])
def test_rows_that_are_written_together(engine: Engine, number: int) -> None:
    """One thing and its parts, which take its key and another's; more than go into one statement too."""
    with writing(engine) as connection:
        TABLE.metadata.create_all(connection)
    for _ in range(3):  # the same statement is used again
        with writing(engine) as connection, together(connection) as rows:
            first, second = ADD.add(rows, FULL), ADD.add(rows, EMPTY)
            for place in range(number):
                PUT.execute(rows, [{"thing": second, "place": place, "other": first, "content": bytes([place])}])
            PUT.execute(rows, [])
        with reading(engine) as connection:
            things = {row.pop("id"): row for row in map(dict, connection.execute(select(TABLE)).mappings())}
            parts = connection.execute(
                select(PART.c.place, PART.c.other, PART.c.content).where(PART.c.thing == int(second)).order_by("place")
            )
            assert [tuple(row) for row in parts] == [(place, int(first), bytes([place])) for place in range(number)]
        assert things[int(first)] == FULL
        assert things[int(second)] == EMPTY
        assert int(first) < int(second)
    assert len(things) == 6


def test_rows_of_one_table_are_written_in_their_order(engine: Engine) -> None:
    with writing(engine) as connection:
        TABLE.metadata.create_all(connection)
    with writing(engine) as connection, together(connection) as rows:
        key = ADD.add(rows, {**EMPTY, "number": 0})
        ADD.execute(rows, [{**EMPTY, "number": number} for number in (1, 2)])
        PUT.execute(rows, [{"thing": key, "place": place, "other": None, "content": None} for place in (1, 2)])
        ADD.execute(rows, [FULL, {**EMPTY, "number": 9}])
    with reading(engine) as connection:
        found = connection.execute(select(TABLE.c.number).order_by(TABLE.c.id)).scalars()
        # Between tables the order is the database's.
        assert list(found) in ([0, 1, 2, 7, 9], [0, 7, 9, 1, 2])
        assert connection.execute(select(PART.c.content)).scalars().all() == [None, None]


def test_a_broken_key_among_rows_is_a_conflict_and_nothing_is_stored(engine: Engine) -> None:
    with writing(engine) as connection:
        TABLE.metadata.create_all(connection)
    same = {"place": 1, "other": None, "content": None}

    def write(*parts: dict[str, Any]) -> None:
        with writing(engine) as connection, together(connection) as rows:
            key = ADD.add(rows, FULL)
            PUT.execute(rows, [{"thing": key, **part} for part in parts])

    for parts in ([same, same], [{**same, "thing": 99}]):
        with pytest.raises(Conflict):
            write(*parts)
    with writing(engine) as connection, together(connection) as rows:
        ADD.add(rows, FULL)
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(TABLE)).scalar_one() == 1
