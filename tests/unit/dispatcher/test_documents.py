"""A document is handed over as it was signed, wherever its bytes are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text

from mm_soap.dispatcher import documents, store
from mm_soap.dispatcher.documents import Kept, documents_of
from mm_soap.dispatcher.model import NewDelivery
from mm_soap.dispatcher.tables import document as document_table
from mm_soap.storage import Evidence, NewKey, migrate, migration, reading, record_evidence, together, writing
from tests.unit.dispatcher.fakes import KOMMUN_A, NOON, RECIPIENT

TEXT = b"<b>" + b"0123456789abcdef" * 40 + b"</b>"
REQUEST = b'<Envelope xmlns:p="u"><Body><signedDelivery  xmlns = "v">' + TEXT + b"</signedDelivery></Body></Envelope>"
DOCUMENT = b'<SignedDelivery xmlns="v">' + TEXT + b"</SignedDelivery>"


def store_it(database: Engine, document: bytes, request: bytes) -> int:
    new = NewDelivery("d-1", KOMMUN_A, RECIPIENT, ("m",), "digest", document, NOON)
    evidence = Evidence(NOON, "in", "c-1", "distributeSecure", "accepted", None, request, NOON + timedelta(days=1))
    with writing(database) as connection, together(connection) as rows:
        (key,) = record_evidence(rows, evidence)
        added = store.add_delivery(rows, new, Kept(key, request))
    return int(added)


@pytest.mark.parametrize(
    ("document", "request_", "own"),
    [
        (DOCUMENT, REQUEST, len(DOCUMENT) - len(TEXT)),
        (DOCUMENT, REQUEST.replace(b"<Body>", b"<!--" + TEXT[:100] + b"--><Body>"), len(DOCUMENT)),
        (DOCUMENT, REQUEST.replace(b"0<", b"0<!-- --><"), len(DOCUMENT) - len(TEXT)),
        (DOCUMENT.replace(b"f0", b"f1"), REQUEST, len(DOCUMENT)),
        (DOCUMENT, REQUEST[:-200], len(DOCUMENT)),
        (b"<SignedDelivery/>", REQUEST, 17),
        (b"<a>short</a>", b"<x><a>short</a></x>", 12),
        (b"no markup" * 20, b"no markup" * 20, 1),
    ],
    ids=["stands there", "its beginning elsewhere", "after it", "changed", "cut off", "empty", "short", "no markup"],
)
def test_a_document_comes_back_and_is_written_once(
    database: Engine, document: bytes, request_: bytes, own: int
) -> None:
    key = store_it(database, document, request_)
    with reading(database) as connection:
        assert documents_of(connection, [key]) == {key: document}
        assert connection.execute(select(func.length(document_table.c.content))).scalar_one() == own


@given(
    st.sampled_from([DOCUMENT, TEXT, TEXT + TEXT, b""]) | st.binary(max_size=300),
    st.lists(st.sampled_from([DOCUMENT, TEXT, TEXT[:80], REQUEST, b">", b"</"]) | st.binary(max_size=90), max_size=4),
)
def test_what_is_put_together_again_is_the_document(document: bytes, parts: list[bytes]) -> None:
    request = b"".join(parts)
    row = documents._standing_in(Kept(NewKey(), request), document)
    if row is not None:
        own, begins, size, place = (row[name] for name in ("content", "begins", "size", "place"))
        assert isinstance(own, bytes)
        assert isinstance(begins, int)
        assert isinstance(size, int)
        assert isinstance(place, int)
        assert own[:place] + request[begins : begins + size] + own[place:] == document


def test_what_another_release_stored_is_handed_over(engine: Engine) -> None:
    def go(direction: Callable[[Config, str], None], revision: str) -> None:
        with writing(engine) as connection:
            config = migration._config("dispatcher")
            config.attributes["connection"] = connection
            direction(config, revision)

    go(command.upgrade, "dispatcher0009")
    key = store_it(engine, DOCUMENT, REQUEST)
    go(command.downgrade, "dispatcher0008")
    with reading(engine) as connection:
        assert bytes(connection.execute(text("SELECT signed FROM document")).scalar_one()) == DOCUMENT
    migrate(engine, "dispatcher")
    with reading(engine) as connection:
        assert documents_of(connection, [key]) == {key: DOCUMENT}
