"""What arrived at a test bed, and how many certificates it handed out: the tables and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
)

from mm_soap.errors import Refusal
from mm_soap.storage import NAMING, UtcDateTime, big_key

MOST_LISTED: Final = 200
"""How many exchanges one page lists."""

_FORGOTTEN_TOGETHER: Final = 100

metadata: Final = MetaData(naming_convention=NAMING)

_exchange: Final = Table(
    "exchange",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("method", String(20), nullable=False),
    Column("path", String(200), nullable=False),
    Column("status", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("verdict", String(60), nullable=False),
    Column("code", Integer),
    Column("place", String(400)),
    Column("call_id", String(50), index=True),
    Column("operation", String(60)),
    Column("sender", String(12)),
    Column("form", String(60)),
    Column("distribution_id", String(50), index=True),
    Column("headers", JSON, nullable=False),
    # The large ones last: SQLite reads a row from its beginning, and the list needs none of them.
    Column("request", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
)

_certificate: Final = Table(
    "certificate",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("organisation", String(12), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call that came, without its bytes.

    Args:
        at: when.
        method: of HTTP.
        path: where it came.
        status: the HTTP status of the answer.
        seconds: how long the answer took.
        verdict: ``accepted``, ``answered``, ``http``, or the name of the refusal.
        code: the ErrorCode of the fault.
        place: where in the message the refusal saw its reason, by the contract's names.
        call_id: the CallId; None where the call ended before it got one.
        operation: the operation, where it is known.
        sender: the sender's organisation number, as the request has it; proven only where it was accepted.
        form: the form in which the signature held.
        distribution_id: which delivery it made, or asked for.
    """

    at: datetime
    method: str
    path: str
    status: int
    seconds: float
    verdict: str
    code: int | None = None
    place: str | None = None
    call_id: str | None = None
    operation: str | None = None
    sender: str | None = None
    form: str | None = None
    distribution_id: str | None = None
    id: int = 0

    @property
    def refused(self) -> bool:
        """Whether it was refused, by whatever step."""
        return self.status >= 400

    @property
    def reason(self) -> str:
        """Why it was refused, in one sentence; empty where no refusal of the contract says it."""
        refusal = Refusal.__members__.get(self.verdict)
        return refusal.value.text if refusal is not None else ""


@dataclass(frozen=True, slots=True)
class Captured:
    """The bytes of one call.

    Args:
        headers: those of the request that matter.
        request: the body as it came; empty where it was not read.
        answer: the body of the answer.
    """

    headers: Mapping[str, str]
    request: bytes = field(repr=False)
    answer: bytes = field(repr=False)


_columns: Final = [_exchange.c[one.name] for one in fields(Arrival)]
_newest: Final = (
    select(*_columns)
    .where(
        _exchange.c.at >= bindparam("since"),
        or_(bindparam("sender", type_=String).is_(None), _exchange.c.sender == bindparam("sender", type_=String)),
    )
    .order_by(_exchange.c.at.desc(), _exchange.c.id.desc())
    .limit(MOST_LISTED)
)
_senders: Final = (
    select(_exchange.c.sender)
    .where(_exchange.c.at >= bindparam("since"), _exchange.c.sender.is_not(None))
    .distinct()
    .order_by(_exchange.c.sender)
)
_of_distribution: Final = (
    select(*_columns)
    .where(_exchange.c.distribution_id == bindparam("wanted"))
    .order_by(_exchange.c.at, _exchange.c.id)
    .limit(MOST_LISTED)
)
_issued: Final = select(func.count()).select_from(_certificate).where(_certificate.c.at >= bindparam("since"))
_forget: Final = {
    table: delete(table).where(
        table.c.id.in_(select(table.c.id).where(table.c.at < bindparam("before")).limit(_FORGOTTEN_TOGETHER))
    )
    for table in (_exchange, _certificate)
}


def add(connection: Connection, arrival: Arrival, captured: Captured) -> None:
    """Write down a call."""
    row = {one.name: getattr(arrival, one.name) for one in fields(Arrival) if one.name != "id"}
    bodies = {"headers": dict(captured.headers), "request": captured.request, "answer": captured.answer}
    connection.execute(insert(_exchange), {**row, **bodies})


def newest(connection: Connection, since: datetime, sender: str | None = None) -> Sequence[Arrival]:
    """Return what came since a time, newest first: from one sender, or from all; at most `MOST_LISTED`."""
    return [_arrival(row) for row in connection.execute(_newest, {"since": since, "sender": sender}).mappings()]


def senders(connection: Connection, since: datetime) -> Sequence[str]:
    """Return the organisation numbers of the senders of which something came since a time."""
    return list(connection.execute(_senders, {"since": since}).scalars())


def find(connection: Connection, key: int, since: datetime) -> tuple[Arrival, Captured] | None:
    """Return one call with its bytes, unless it came before a time."""
    wanted = select(_exchange).where(_exchange.c.id == key, _exchange.c.at >= since)
    row = connection.execute(wanted).mappings().first()
    return None if row is None else (_arrival(row), Captured(row["headers"], row["request"], row["answer"]))


def of_distribution(connection: Connection, distribution_id: str) -> Sequence[Arrival]:
    """Return the calls that made a delivery or asked for it, oldest first."""
    return [_arrival(row) for row in connection.execute(_of_distribution, {"wanted": distribution_id}).mappings()]


def add_certificate(connection: Connection, at: datetime, organisation: str) -> None:
    """Write down that a certificate was handed out."""
    connection.execute(insert(_certificate), {"at": at, "organisation": organisation})


def certificates_since(connection: Connection, since: datetime) -> int:
    """Return how many certificates were handed out since a time."""
    return int(connection.execute(_issued, {"since": since}).scalar_one())


def forget(connection: Connection, before: datetime) -> int:
    """Delete some of what came before a time, and return how many rows; 0 when none is left."""
    return sum(connection.execute(statement, {"before": before}).rowcount for statement in _forget.values())


def _arrival(row: Any) -> Arrival:
    return Arrival(**{one.name: row[one.name] for one in fields(Arrival)})
