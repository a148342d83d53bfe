"""What the dispatcher forgets of deliveries that ended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, select

from mm_soap.dispatcher.tables import delivery as _delivery
from mm_soap.dispatcher.tables import document as _document
from mm_soap.dispatcher.tables import metadata
from mm_soap.dispatcher.tables import seal as _seal
from mm_soap.storage import forget_evidence
from mm_soap.storage.evidence import evidence as _evidence

_event = metadata.tables["event"]

_over: Final = (
    select(_document.c.delivery)
    .join(_delivery, _delivery.c.id == _document.c.delivery)
    .where(_delivery.c.next_attempt.is_(None), _delivery.c.received < bindparam("before"))
    .limit(500)
)
_forget_seals: Final = delete(_seal).where(_seal.c.delivery.in_(bindparam("wanted", expanding=True)))
_forget_documents: Final = delete(_document).where(_document.c.delivery.in_(bindparam("wanted", expanding=True)))
_ended: Final = (
    select(_delivery.c.id)
    .where(_delivery.c.next_attempt.is_(None), _delivery.c.received < bindparam("before"))
    .limit(500)
)
_forget_deliveries: Final = delete(_delivery).where(_delivery.c.id.in_(bindparam("wanted", expanding=True)))
# By the ids of the call, of which there is an index: all that is under way may be millions of rows.
_under_way: Final = exists().where(
    _event.c.call_id == _evidence.c.call_id,
    _delivery.c.distribution_id == _event.c.distribution_id,
    _delivery.c.next_attempt.is_not(None),
)


def forget_evidence_of_ended(connection: Connection, now: datetime) -> int:
    """Delete some of the evidence whose time is over, but none in which the document of a delivery under way stands.

    Returns how much it was; 0 when none is left.
    """
    return forget_evidence(connection, now, needed=_under_way)


def forget_documents(connection: Connection, before: datetime) -> int:
    """Delete what was signed and sealed of some deliveries that ended and were accepted before a time.

    What became of them, and by which ids, stays. Returns how many there were; 0 when none is left.
    """
    wanted = {"wanted": list(connection.execute(_over, {"before": before}).scalars())}
    if wanted["wanted"]:
        connection.execute(_forget_seals, wanted)
        connection.execute(_forget_documents, wanted)
    return len(wanted["wanted"])


def forget_deliveries(connection: Connection, before: datetime) -> int:
    """Delete all that is known of some deliveries that ended and were accepted before a time.

    For a test bed: elsewhere what became of a delivery stays. Returns how many there were; 0 when none is left.
    """
    wanted = {"wanted": list(connection.execute(_ended, {"before": before}).scalars())}
    if wanted["wanted"]:
        for statement in (_forget_seals, _forget_documents, _forget_deliveries):
            connection.execute(statement, wanted)
    return len(wanted["wanted"])
