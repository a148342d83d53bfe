"""Finding the evidence that belongs to an id, and noting that somebody looked at it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Engine, bindparam, select

from mm_soap.linking import link_all
from mm_soap.storage import Event, Evidence, reading, record_evidence, writing
from mm_soap.storage.evidence import evidence, record
from mm_soap.trace import Step, find_steps

_LONGEST_ID: Final = 255
_pieces = (
    select(*record.c, evidence.c.content)
    .outerjoin_from(record, evidence, evidence.c.id == record.c.id)
    .where(record.c.call_id.in_(bindparam("calls", expanding=True)))
    .order_by(record.c.id)
)


@dataclass(frozen=True)
class Piece:
    """One record with its bytes.

    Args:
        party: who keeps it.
        record: the record's columns.
        content: the bytes; None where their time is over.
        events: what the party wrote down about the call.
    """

    party: str
    record: Mapping[str, Any]
    content: bytes | None
    events: Sequence[Event]


def find_pieces(parties: dict[str, Engine], any_id: str) -> list[Piece]:
    """Return the evidence of a message or a call at each party, in the order in which it was written.

    Args:
        parties: their databases.
        any_id: a distribution id, message id, TransId or CallId.
    """
    steps = find_steps(parties, any_id)
    found: list[Piece] = []
    for party, database in parties.items():
        own = [step for step in steps if step.party == party]
        calls = {any_id, *(step.event.call_id for step in own if step.event.call_id)}
        with reading(database) as connection:
            for row in connection.execute(_pieces, {"calls": sorted(calls)}).mappings():
                told = {name: value for name, value in row.items() if name != "content"}
                found.append(Piece(party, told, row["content"], _of_call(own, row["call_id"])))
    return sorted(found, key=lambda piece: piece.record["at"])


def note_look(database: Engine, login: str, what: str, asked: str | None, now: datetime, retention: timedelta) -> None:
    """Note, as evidence itself, that somebody looks at evidence. It is in the chain when this returns.

    Args:
        database: of the party whose evidence it is.
        login: the user of the operating system.
        what: show, export, verify or head.
        asked: the id that was given; None where all of it is looked at.
        now: the time.
        retention: how long the id is kept; who looked, and when, stays with the record.
    """
    told = json.dumps({"login": login, "what": what, "id": asked and asked[:_LONGEST_ID], "host": socket.gethostname()})
    look = Evidence(now, "use", str(uuid4()), f"evidence {what}", "noted", login[:200], told.encode(), now + retention)
    with writing(database) as connection:
        record_evidence(connection, look)
    link_all(database)


def _of_call(steps: Sequence[Step], call_id: str) -> list[Event]:
    return [step.event for step in steps if step.event.call_id == call_id]
