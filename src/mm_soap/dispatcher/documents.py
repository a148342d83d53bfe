"""What was signed, of each delivery: for the most part the place where it stands in the evidence of its call.

The evidence of a call that was accepted is the whole request, and all of the document but its outermost tags stands
there word for word. To write those bytes a second time would double what a large message costs the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import Connection, LargeBinary, func, select

from mm_soap.dispatcher.tables import document as _document
from mm_soap.dispatcher.tables import seal as _seal
from mm_soap.storage import NewKey, PreparedInsert, PreparedQuery, Together, among, id_list
from mm_soap.storage.evidence import evidence as _evidence

_add: Final = PreparedInsert(_document)
_PROBE: Final = 64
"""Bytes by which the place is found. Fewer than these are not worth a place."""
_WHOLE: Final = {"evidence": None, "begins": None, "size": None, "place": None}


@dataclass(frozen=True)
class Kept:
    """The evidence in which documents may stand.

    Args:
        key: of its row.
        content: its bytes.
    """

    key: int | NewKey
    content: bytes


def add_documents(
    connection: Connection | Together, documents: Mapping[int | NewKey, bytes], kept: Kept | None = None
) -> None:
    """Store what is to be handed over.

    Args:
        connection: of a transaction that writes.
        documents: by the key of the delivery.
        kept: evidence in which they may stand; it must stay as long as a delivery is under way.
    """
    rows = [
        {"delivery": key, **((_standing_in(kept, one) if kept else None) or {"content": one, **_WHOLE})}
        for key, one in documents.items()
    ]
    _add.execute(connection, rows)


def documents_of(connection: Connection, deliveries: Collection[int]) -> dict[int, bytes]:
    """Return the document of each delivery."""
    return {key: document for key, (document, _) in sealed_parts(connection, deliveries).items()}


def sealed_parts(connection: Connection, deliveries: Collection[int]) -> dict[int, tuple[bytes, bytes]]:
    """Return the document and the seal of each delivery, which make the same bytes at every attempt.

    A part of a notification has no seal: the contract knows none for class 1.
    """
    dialect = connection.dialect.name
    rows = _parts(dialect).all(connection, {"wanted": id_list(deliveries, dialect)})
    found: dict[int, tuple[bytes, bytes]] = {}
    for key, document, place, standing, seal in rows:
        if place is not None:
            document = b"".join((document[:place], standing, document[place:]))
        found[key] = (document, seal or b"")
    return found


@cache
def _parts(dialect: str) -> PreparedQuery:
    standing = func.substr(_evidence.c.content, _document.c.begins + 1, _document.c.size, type_=LargeBinary)
    return PreparedQuery(
        select(
            _document.c.delivery,
            _document.c.content,
            _document.c.place,
            standing.label("standing"),
            _seal.c.content.label("seal"),
        )
        .outerjoin(_evidence, _evidence.c.id == _document.c.evidence)
        .outerjoin(_seal, _seal.c.delivery == _document.c.delivery)
        .where(among(_document.c.delivery, "wanted", dialect))
    )


def _standing_in(kept: Kept, document: bytes) -> dict[str, object] | None:
    """Return the row of a document as a place in evidence, or None where its content does not stand there."""
    place, end = document.find(b">") + 1, document.rfind(b"</")
    content = document[place:end]
    begins = kept.content.find(content[:_PROBE]) if len(content) >= _PROBE else -1
    if begins < 0 or not kept.content.startswith(content, begins):
        return None
    around = document[:place] + document[end:]
    return {"content": around, "evidence": kept.key, "begins": begins, "size": len(content), "place": place}
