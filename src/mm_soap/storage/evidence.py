"""Evidence: the exact bytes of what came, and a record of each, which outlives the bytes.

A record is written in the transaction of the use case, with the digest of the bytes. It gets its place in the chain
soon afterwards, see `mm_soap.storage.chain`: so those who write wait for nobody. The bytes go when their time is over;
the record stays, and so does the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    select,
)

from mm_soap.storage.columns import NAMING, UtcDateTime, big_key
from mm_soap.storage.rows import NewKey, PreparedInsert, Together

RETENTION: Final = timedelta(days=365)
"""How long evidence is kept where the settings say nothing else."""

_FORGOTTEN_TOGETHER: Final = 500
"""Rows deleted in one transaction, so that others do not wait long."""

_own = MetaData(naming_convention=NAMING)

evidence = Table(
    "evidence",
    _own,
    Column("id", big_key(), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("direction", String(3), nullable=False),
    Column("call_id", String(50), nullable=False, index=True),
    Column("operation", String(60)),
    Column("verdict", String(60), nullable=False),
    Column("caller", String(200)),
    Column("keep_until", UtcDateTime, nullable=False, index=True),
    Column("content", LargeBinary, nullable=False),
)
"""The bytes, and what is known of them."""

record = Table(
    "evidence_record",
    _own,
    Column("id", big_key(), primary_key=True),
    Column("position", BigInteger, unique=True),
    *(Column(name, evidence.c[name].type, nullable=False) for name in ("at", "direction", "call_id")),
    Column("operation", String(60)),
    Column("verdict", String(60), nullable=False),
    Column("caller", String(200)),
    Column("keep_until", UtcDateTime, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("previous", String(64)),
    Column("hash", String(64)),
    sqlite_autoincrement=True,
)
"""The same by the same key, with the digest of the bytes. Position and hashes come with its place in the chain."""

chain = Table(
    "evidence_chain",
    _own,
    Column("id", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("forgotten", BigInteger, nullable=False),
    Column("forgotten_hash", String(64), nullable=False),
    Column("adopted", BigInteger, nullable=False),
    Column("adopt_until", BigInteger, nullable=False),
)
"""One row: where the chain ends, up to where it is forgotten, and which older evidence has no record yet."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The exact bytes of one request or answer, or that somebody looked at such bytes.

    Args:
        at: when they came or went, with a time zone.
        direction: ``in`` for what came, ``out`` for what went, ``use`` for a look at evidence.
        call_id: the id of the call.
        operation: the operation, where it is known.
        verdict: what became of it: ``accepted``, or why not.
        caller: the other party: its organisation number, else its address; of a look, the user of the system.
        content: the bytes.
        keep_until: when they may be forgotten.
    """

    at: datetime
    direction: Literal["in", "out", "use"]
    call_id: str
    operation: str | None
    verdict: str
    caller: str | None
    content: bytes
    keep_until: datetime


_told = [evidence.c[name] for name in Evidence.__dataclass_fields__]
_insert_evidence = PreparedInsert(evidence)
_insert_record = PreparedInsert(record, left_out=["id"])
_evidence_of = select(*_told).where(evidence.c.call_id == bindparam("wanted")).order_by(evidence.c.id)
_over = select(evidence.c.id).where(evidence.c.keep_until < bindparam("now")).limit(_FORGOTTEN_TOGETHER)


def add_evidence(metadata: MetaData) -> None:
    """Add the tables of evidence to a party's metadata."""
    for table in (evidence, record, chain):
        table.to_metadata(metadata)


def record_evidence(connection: Connection | Together, *new: Evidence) -> list[int | NewKey]:
    """Write evidence, with a record of each, and return their keys."""
    keys = []
    for one in new:
        told = {name: getattr(one, name) for name in Evidence.__dataclass_fields__}
        # The key is the record's, which the database never gives twice, also when the bytes are gone.
        key = _insert_record.add(connection, {**record_of(told), "position": None})
        _insert_evidence.execute(connection, [{**told, "id": key}])
        keys.append(key)
    return keys


def record_of(told: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the record of some evidence, not yet in the chain."""
    content = told["content"]
    values = {name: value for name, value in told.items() if name != "content"}
    digest = sha256(content).hexdigest()
    return {**values, "size": len(content), "digest": digest, "previous": None, "hash": None}


def evidence_of(connection: Connection, call_id: str) -> Sequence[Evidence]:
    """Return the evidence of one call, in the order in which it was written."""
    return [Evidence(**row) for row in connection.execute(_evidence_of, {"wanted": call_id}).mappings()]


def forget_evidence(connection: Connection, now: datetime, needed: ColumnElement[bool] | None = None) -> int:
    """Delete some of the bytes whose time is over, and return how many were; 0 when none is left. Records stay.

    Args:
        connection: of a transaction that writes.
        now: the time.
        needed: of `evidence`: which of it stays all the same.
    """
    over = _over if needed is None else _over.where(~needed)
    return connection.execute(delete(evidence).where(evidence.c.id.in_(over)), {"now": now}).rowcount
