"""The chain of evidence: each record gets a number without gaps, and a hash over itself and the record before it.

Records are written without a place in the chain, so that those who accept messages do not wait for each other. Who
links them holds the chain's one row: of several processes one links, and the others leave it to that one. What is not
yet linked can be changed without a trace; that is the time between two rounds of `mm_soap.linking`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, exists, insert, or_, select, update

from mm_soap.storage.evidence import Evidence, chain, evidence, record, record_of
from mm_soap.storage.prepared import PreparedQuery, PreparedUpdate

FIRST: Final = "0" * 64
"""What the first record of a chain follows."""

_LINKED_TOGETHER: Final = 500
_ADOPTED_TOGETHER: Final = 50
_FORGOTTEN_TOGETHER: Final = 500

_FIELDS: Final = ("at", "direction", "call_id", "operation", "verdict", "caller", "keep_until", "size", "digest")
_MOMENTS: Final = ("at", "keep_until")

_in_one_line: Final = json.JSONEncoder(sort_keys=True).encode

_the_chain = select(chain)
_hold_chain = _the_chain.with_for_update(skip_locked=True)
_is_loose = record.c.position.is_(None)
_loose = PreparedQuery(select(record).where(_is_loose).order_by(record.c.id).limit(_LINKED_TOGETHER))
_waits = PreparedQuery(select(or_(chain.c.adopted < chain.c.adopt_until, exists().where(_is_loose)).label("waits")))
_link = PreparedUpdate(
    update(record)
    .where(record.c.id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in ("position", "previous", "hash")})
)
_older = (
    select(evidence)
    .where(evidence.c.id > bindparam("after"), evidence.c.id <= bindparam("until"))
    .order_by(evidence.c.id)
    .limit(_ADOPTED_TOGETHER)
)
_oldest = (
    select(
        *(record.c[name] for name in ("id", "position", "hash", "at")),
        exists().where(evidence.c.id == record.c.id).label("held"),
    )
    .where(record.c.position > bindparam("after"))
    .order_by(record.c.position)
    .limit(_FORGOTTEN_TOGETHER)
)
_forget = delete(record).where(record.c.id.in_(bindparam("keys", expanding=True)))


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends.

    Args:
        position: the number of its last record; 0 for none.
        hash: the hash of that record, in hexadecimal.
    """

    position: int
    hash: str


def canonical(row: Mapping[str, Any]) -> bytes:
    """Return the bytes over which the hash of a record goes: one line of JSON, its names in alphabetical order.

    Args:
        row: the record's columns, ``position`` and ``previous`` among them.
    """
    told = {name: _moment(row[name]) if name in _MOMENTS else row[name] for name in _FIELDS}
    whole = {**told, "position": row["position"], "previous": row["previous"]}
    return (_in_one_line(whole) + "\n").encode()


def hash_of(row: Mapping[str, Any]) -> str:
    """Return the hash that a record must have: SHA-256 of `canonical`, in hexadecimal."""
    return sha256(canonical(row)).hexdigest()


def hold_chain(connection: Connection) -> RowMapping | None:
    """Hold the chain until this transaction ends, and return its state; None where another process holds it."""
    return connection.execute(_hold_chain).mappings().first()


def link_records(connection: Connection) -> int:
    """Give some of the records that have none their place in the chain; return how many, 0 when none is left.

    Evidence from before there was a chain gets its records first. Returns 0 also where another process is at it.
    """
    held = hold_chain(connection)
    if held is None:
        return 0
    adopted = _adopt(connection, dict(held))
    position, last = held["position"], held["hash"]
    links = []
    for row in _loose.all(connection, {}):
        position += 1
        place = {"position": position, "previous": last}
        last = hash_of(row._asdict() | place)
        links.append({"key": row.id, "new_position": position, "new_previous": place["previous"], "new_hash": last})
    _link.execute(connection, links)
    if links or adopted != held["adopted"]:
        connection.execute(update(chain).values(position=position, hash=last, adopted=adopted))
    return len(links)


def _adopt(connection: Connection, held: Mapping[str, Any]) -> int:
    """Write records of some older evidence, and return up to which key it has them now."""
    adopted, until = int(held["adopted"]), int(held["adopt_until"])
    if adopted >= until:
        return adopted
    number = 0
    found = connection.execute(_older, {"after": adopted, "until": until}, execution_options={"yield_per": 1})
    for row in found.mappings():
        told = {name: row[name] for name in Evidence.__dataclass_fields__}
        connection.execute(insert(record), {**record_of(told), "id": row["id"], "position": None})
        adopted, number = int(row["id"]), number + 1
    return adopted if number == _ADOPTED_TOGETHER else until


def waits_for_links(connection: Connection) -> bool:
    """Tell whether there is a record, or older evidence, without a place in the chain."""
    waits: bool = _waits.first(connection, {}).waits
    return waits


def head_of(connection: Connection) -> Head:
    """Return where the chain ends."""
    held = connection.execute(_the_chain).mappings().one()
    return Head(held["position"], held["hash"])


def forget_records(connection: Connection, before: datetime) -> int:
    """Delete some of the oldest records of the chain, from before a time and without bytes; return how many.

    They go from the beginning alone, and the chain keeps the hash of the last one that went: what stays can be checked.
    """
    held = hold_chain(connection)
    if held is None:
        return 0
    gone = []
    for row in connection.execute(_oldest, {"after": held["forgotten"]}).mappings():
        if row["held"] or row["at"] >= before:
            break
        gone.append(row)
    if gone:
        connection.execute(_forget, {"keys": [row["id"] for row in gone]})
        connection.execute(update(chain).values(forgotten=gone[-1]["position"], forgotten_hash=gone[-1]["hash"]))
    return len(gone)


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")
