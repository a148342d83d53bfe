"""A prepared insert stores what SQLAlchemy's own would."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
)

from mm_soap.storage import PreparedInsert, UtcDateTime, big_key, reading, writing

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
