"""What the dispatcher forgets of deliveries that ended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from mm_soap.dispatcher.tables import delivery as _delivery
from mm_soap.dispatcher.tables import document as _document
from mm_soap.dispatcher.tables import seal as _seal

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
