"""Checking the chain of evidence: whether each record is there, unchanged, and in its place, and its bytes too.

A chain is read from its beginning in pages, so that neither its length nor the size of a message matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Engine, Select, and_, bindparam, func, not_, or_, select

from mm_soap.storage import Head, reading
from mm_soap.storage.chain import hash_of
from mm_soap.storage.evidence import chain, evidence, record

_PAGE: Final = 500
_AT_ONCE: Final = 4
"""Rows that the driver holds; each may have megabytes."""

_NEAR: Final = 50
_SAME: Final = ("at", "direction", "call_id", "operation", "verdict", "caller")
_columns = [
    *record.c,
    evidence.c.content,
    *(evidence.c[name].label(f"of_{name}") for name in (*_SAME, "keep_until")),
]
_both = select(*_columns).outerjoin_from(record, evidence, evidence.c.id == record.c.id)
_linked = _both.where(record.c.position > bindparam("after")).order_by(record.c.position).limit(_PAGE)
_loose = _both.where(record.c.position.is_(None), record.c.id > bindparam("after")).order_by(record.c.id).limit(_PAGE)
_strangers = (
    select(evidence.c.id, evidence.c.call_id)
    .outerjoin(record, evidence.c.id == record.c.id)
    .where(
        record.c.id.is_(None),
        evidence.c.id > bindparam("after"),
        not_(and_(evidence.c.id > bindparam("adopted"), evidence.c.id <= bindparam("adopt_until"))),
    )
    .order_by(evidence.c.id)
    .limit(_PAGE)
)
_outside = (
    select(record.c.position, record.c.call_id)
    .where(or_(record.c.position <= bindparam("forgotten"), record.c.position > bindparam("last")))
    .order_by(record.c.position)
    .limit(_PAGE)
)
_by_hash = select(record.c.position).where(record.c.hash == bindparam("wanted"))


class Kind(StrEnum):
    """What is wrong."""

    MISSING = "missing"
    CHANGED = "changed"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a chain.

    Args:
        kind: what kind of thing.
        text: a sentence that names the record.
        position: the record's number, where it has one.
        call_id: the call that it is of, where it is known.
    """

    kind: Kind
    text: str
    position: int | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotedHead:
    """Where a chain once ended, as it was noted elsewhere.

    Args:
        head: its last record then.
        at: when that was; None where it is not known.
    """

    head: Head
    at: datetime | None = None


@dataclass(slots=True)
class Counts:
    """What was looked at."""

    linked: int = 0
    loose: int = 0
    """Not yet in the chain."""
    without_bytes: int = 0
    """Whose time is over."""
    forgotten: int = 0
    """Records that went from the beginning of the chain, as the settings say."""
    heads: int = 0
    """Noted heads that were compared with the record of that number."""
    old_heads: int = 0
    """Noted heads whose records are forgotten by now, so that they tell nothing."""


class ChainCheck:
    """Checks the chain of one database.

    Args:
        database: the party's own.
        now: the time: bytes may be missing once theirs is over.
        known: where the chain ended at earlier times, as it was noted elsewhere.
        records_stay: how long records stay in the chain at least; None for always.
        progress: called with the number of records that were looked at since the last call.
    """

    def __init__(
        self,
        database: Engine,
        now: datetime,
        known: Sequence[NotedHead] = (),
        records_stay: timedelta | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._now = now
        self._known = sorted((one for one in known if one.head.position), key=lambda one: one.head.position)
        self._records_stay = records_stay
        self._progress = progress
        self._next = 0
        self.counts = Counts()

    def total(self) -> int:
        """Return how many records there are to look at."""
        with reading(self._database) as connection:
            return int(connection.execute(select(func.count()).select_from(record)).scalar_one())

    def findings(self) -> Iterator[Finding]:
        """Yield all that is wrong, in the order of the chain.

        Raises:
            Refused: ``UNAVAILABLE`` when the database is away or busy.
        """
        try:
            yield from self._all()
        except (ValueError, TypeError):
            # SQLite takes any value in any column. Whoever put it there cannot stop the check without being told of.
            told = f"A record after {self.counts.linked + self.counts.forgotten} has values that no record has."
            yield Finding(Kind.CHANGED, f"{told} What follows was not looked at.")

    def _all(self) -> Iterator[Finding]:
        with reading(self._database) as connection:
            end = connection.execute(select(chain)).mappings().first()
        if end is None:
            yield Finding(Kind.MISSING, "The row that tells where the chain ends is missing.")
            return
        self.counts.forgotten = end["forgotten"]
        yield from self._beginning(dict(end))
        yield from self._along(dict(end))
        yield from self._outside()
        for row in self._pages(_loose, "id"):
            self.counts.loose += 1
            yield from self._bytes(row, "A record that is not yet in the chain")
        for row in self._pages(_strangers, "id", adopted=end["adopted"], adopt_until=end["adopt_until"]):
            told = f"There are bytes without a record, of call {row['call_id']}."
            yield Finding(Kind.ADDED, told, None, row["call_id"])

    def _beginning(self, end: Mapping[str, Any]) -> Iterator[Finding]:
        """What is forgotten must have been old enough; of that, only the settings and noted heads tell."""
        forgotten, stay = end["forgotten"], self._records_stay
        if forgotten and stay is None:
            told = f"{_missing(1, forgotten)} They count as forgotten, and the settings keep records for good."
            yield Finding(Kind.MISSING, told, 1)
        for noted in self._known:
            place = noted.head.position
            if place >= forgotten:
                return
            self.counts.old_heads += 1
            if stay is not None and noted.at is not None and self._now < noted.at + stay:
                told = f"Record {place}, where the chain ended on {noted.at:%Y-%m-%d}, is forgotten before its time."
                yield Finding(Kind.MISSING, told, place)

    def _outside(self) -> Iterator[Finding]:
        with reading(self._database) as connection:
            end = connection.execute(select(chain)).mappings().first()
            parameters = {"forgotten": end["forgotten"], "last": end["position"]} if end is not None else None
            rows = connection.execute(_outside, parameters).all() if parameters else []
        for position, call_id in rows:
            yield Finding(Kind.ADDED, f"Record {position} stands outside of the chain.", position, call_id)

    def _along(self, end: Mapping[str, Any]) -> Iterator[Finding]:
        position, last = int(end["forgotten"]), str(end["forgotten_hash"])
        yield from self._at_known(position, last)
        for row in self._pages(_linked, "position", position):
            whole = row["position"] == position + 1
            if not whole:
                yield Finding(Kind.MISSING, _missing(position + 1, row["position"] - 1), position + 1)
            yield from self._record(row, last if whole else None)
            yield from self._bytes(row, f"Record {row['position']}")
            position, last = row["position"], row["hash"]
            self.counts.linked += 1
            if position == end["position"] and last != end["hash"]:
                told = f"Record {position} is another one than the last of the chain was."
                yield Finding(Kind.CHANGED, told, position, row["call_id"])
            yield from self._at_known(position, last)
        if position < end["position"]:
            yield Finding(Kind.TRUNCATED, _missing(position + 1, end["position"]), position + 1)
        if self._known and position < self._known[-1].head.position:
            told = f"The chain ends at record {position}. It once ended at {self._known[-1].head.position}."
            yield Finding(Kind.TRUNCATED, told, position + 1)

    def _at_known(self, position: int, found: str) -> Iterator[Finding]:
        while self._next < len(self._known) and self._known[self._next].head.position <= position:
            head, self._next = self._known[self._next].head, self._next + 1
            if head.position == position:
                self.counts.heads += 1
                if head.hash != found:
                    told = f"Record {position} is another one than when the head of the chain was noted."
                    yield Finding(Kind.CHANGED, told, position)

    def _record(self, row: Mapping[str, Any], before: str | None) -> Iterator[Finding]:
        position = row["position"]
        if hash_of(row) != row["hash"]:
            place = self._place_of(row)
            if place is not None:
                told = f"Record {place} stands in the place of record {position}."
                yield Finding(Kind.REORDERED, told, position, row["call_id"])
            else:
                yield Finding(Kind.CHANGED, f"Record {position} was changed.", position, row["call_id"])
        elif before is not None and row["previous"] != before:
            told = f"Record {position} does not follow record {position - 1}: that one was exchanged afterwards."
            yield Finding(Kind.CHANGED, told, position - 1)

    def _place_of(self, row: Mapping[str, Any]) -> int | None:
        """Return the number for which the hash of a record holds, if it can be found."""
        with reading(self._database) as connection:
            before = connection.execute(_by_hash, {"wanted": row["previous"]}).scalars().all()
        likely = [one + 1 for one in before if one is not None]
        near = range(max(1, row["position"] - _NEAR), row["position"] + _NEAR)
        return next((one for one in (*likely, *near) if hash_of({**row, "position": one}) == row["hash"]), None)

    def _bytes(self, row: Mapping[str, Any], named: str) -> Iterator[Finding]:
        place, call = row["position"], row["call_id"]
        if row["content"] is None:
            self.counts.without_bytes += 1
            if self._now < row["keep_until"]:
                told = f"{named}: its bytes are missing, which were to stay until {row['keep_until']:%Y-%m-%d}."
                yield Finding(Kind.MISSING, told, place, call)
            return
        if len(row["content"]) != row["size"] or sha256(row["content"]).hexdigest() != row["digest"]:
            yield Finding(Kind.CHANGED, f"{named}: its bytes were changed.", place, call)
        if any(row[f"of_{name}"] != row[name] for name in _SAME) or row["of_keep_until"] < row["keep_until"]:
            yield Finding(Kind.CHANGED, f"{named}: what stands beside its bytes was changed.", place, call)

    def _pages(
        self, statement: Select[Any], key: str, after: int = 0, **parameters: Any
    ) -> Iterator[Mapping[str, Any]]:
        # Each page is a transaction of its own: a long one would keep the database from clearing up behind it.
        while True:
            number = 0
            with reading(self._database) as connection:
                options = {"yield_per": _AT_ONCE}
                found = connection.execute(statement, {"after": after, **parameters}, execution_options=options)
                for row in found.mappings():
                    number, after = number + 1, row[key]
                    yield dict(row)
            self._progress(number)
            if number < _PAGE:
                return


def _missing(first: int, last: int) -> str:
    return f"Record {first} is missing." if first == last else f"Records {first} to {last} are missing."
