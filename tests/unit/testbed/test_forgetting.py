"""After an hour nothing is listed; after a day nothing is left in any database, mailboxes too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, func, select

from mm_soap.bootstrap import Party, build_parties
from mm_soap.bootstrap_testbed import Testbed, open_testbed, settings_of_testbed
from mm_soap.demonstration import KOMMUN_A, OPERATOR_ONE, RECIPIENT, init_demo
from mm_soap.dispatcher import State
from mm_soap.dispatcher import store as dispatcher
from mm_soap.dispatcher.model import NewDelivery, Outcome
from mm_soap.housekeeping import Housekeeping
from mm_soap.linking import link_all
from mm_soap.message import Party as Sender
from mm_soap.message import SecureDelivery, new_message
from mm_soap.seeding import seed
from mm_soap.service_supplier import many, model, store
from mm_soap.service_supplier.contents import Contents
from mm_soap.soap import Metrics, Wsgi, compose
from mm_soap.storage import Event, Evidence, reading, record_event, record_evidence, writing
from mm_soap.testing.clock import FrozenClock
from mm_soap.testing.documents import one_page_pdf

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LASTING = {"alembic_version", "account", "operator", "sender", "dispatcher", "dispatcher_sender", "mailbox"}
LASTING |= {"deselected", "sender_choice", "installation", "evidence_chain"}


class TestbedInProcess:
    """A test bed whose parties are called without HTTP."""

    __test__ = False

    def __init__(self, folder: Path, clock: FrozenClock) -> None:
        settings = settings_of_testbed(init_demo(folder, clock, seed), clock)
        parties = build_parties(settings, [], Metrics(), clock)
        self.testbed: Testbed = open_testbed(settings, parties, b"secret", clock)
        self.parties = {party.name: party for party in self.testbed.parties}
        services = {path: one for party in self.testbed.parties for path, one in party.applications.items()}
        self.application: Wsgi = self.testbed.around(compose(services, {}, lambda: True, pages=self.testbed.pages))

    def call(self, path: str, body: bytes | None = None, query: str = "", **headers: str) -> tuple[int, str]:
        answered: list[int] = []
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET" if body is None else "POST",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8080",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body or b""),
            "CONTENT_LENGTH": str(len(body or b"")),
            "CONTENT_TYPE": "text/xml",
            **headers,
        }
        content = b"".join(self.application(environ, lambda line, headers, *more: answered.append(int(line[:3]))))
        return answered[-1], content.decode()

    def housekeep(self) -> None:
        for party in self.testbed.parties:
            for work in party.work:
                if isinstance(work, Housekeeping):
                    if party.name != "testbed":
                        link_all(party.database)
                    work.once()

    def close(self) -> None:
        for party in self.testbed.parties:
            party.database.dispose()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def bed(tmp_path: Path, clock: FrozenClock) -> Iterator[TestbedInProcess]:
    made = TestbedInProcess(tmp_path / "demo", clock)
    yield made
    made.close()


def rows(database: Engine) -> dict[str, int]:
    """Return how many rows each table has that is not to last."""
    tables = MetaData()
    with reading(database) as connection:
        tables.reflect(connection)
        counted = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in tables.tables.items()
        }
    return {name: number for name, number in counted.items() if number and name not in LASTING}


def a_delivery(bed: TestbedInProcess, clock: FrozenClock) -> None:
    """Write what a delivered message leaves behind in the dispatcher and the operator."""
    now, sender = clock(), KOMMUN_A.number
    event = Event(now, "accepted", "accepted", "d-1", "m-1", call_id="c-1", sender=sender)
    evidence = Evidence(now, "in", "c-1", "distributeSecure", "accepted", None, b"<x/>", now + DAY)
    with writing(bed.parties["dispatcher"].database) as connection:
        dispatcher.add_delivery(connection, NewDelivery("d-1", sender, RECIPIENT, ("m-1",), "x", b"document", now))
        sealed = Outcome(1, "d-1", sender, State.SEALED, "", 0, now, seal=b"seal")
        dispatcher.write_outcomes(connection, [sealed, Outcome(1, "d-1", sender, State.DELIVERED, "", 1)])
        record_event(connection, event)
        record_evidence(connection, evidence)
    message = new_message("Beslut", text="Hej", attachments=[("a.pdf", "application/pdf", one_page_pdf("a", "b"))])
    content = SecureDelivery(Sender(sender, "Kommun A"), RECIPIENT, (message,))
    new = model.NewDelivery("t-1", "x", "y", "c-2", sender, sender, sender, date(2026, 1, 1), now, True)
    operator = bed.parties[f"operator:{OPERATOR_ONE.number}"].database
    with Contents().keeping(content.sender, content.messages) as keeping, writing(operator) as connection:
        key = store.add_delivery(connection, new)
        kept, to = keeping.messages, [RECIPIENT]
        many.add_to_mailboxes(connection, key, model.Kind.SECURE, content.sender, kept, to, now)
        record_event(connection, event)
        record_evidence(connection, evidence)


def test_an_hour_on_it_is_not_listed_and_a_day_on_it_is_nowhere(bed: TestbedInProcess, clock: FrozenClock) -> None:
    a_delivery(bed, clock)
    assert bed.call("/Message/v3", b"<a><b></a>")[0] == 500
    assert bed.call("/Recipient/v3", b"<a><b></a>")[0] == 500
    assert "MALFORMED_XML" in bed.call("/testbed")[1]
    assert bed.call("/testbed/1")[0] == 200
    clock.advance(HOUR + timedelta(seconds=1))
    assert "MALFORMED_XML" not in bed.call("/testbed")[1]
    assert bed.call("/testbed/1")[0] == 200
    clock.advance(DAY - HOUR - timedelta(seconds=2))
    bed.housekeep()
    held = {name.partition(":")[0]: rows(party.database) for name, party in bed.parties.items() if rows(party.database)}
    assert {name: sorted(tables) for name, tables in held.items()} == {
        "far": ["event", "evidence", "evidence_record"],
        "dispatcher": ["delivery", "document", "event", "evidence", "evidence_record", "seal"],
        "operator": ["attachment", "delivery", "event", "evidence", "evidence_record", "message", "searchable"],
        "testbed": ["exchange"],
    }
    clock.advance(timedelta(seconds=2))
    assert bed.call("/testbed/1")[0] == 404
    bed.housekeep()
    left = {name: rows(party.database) for name, party in bed.parties.items() if rows(party.database)}
    assert left == {f"operator:{OPERATOR_ONE.number}": {"event": 1}}  # that it was deleted, without content
    clock.advance(DAY + timedelta(seconds=1))
    bed.housekeep()
    assert {name: rows(party.database) for name, party in bed.parties.items() if rows(party.database)} == {}


def test_what_is_on_its_way_is_not_forgotten(bed: TestbedInProcess, clock: FrozenClock) -> None:
    database = bed.parties["dispatcher"].database
    with writing(database) as connection:
        new = NewDelivery("d-1", KOMMUN_A.number, RECIPIENT, ("m-1",), "x", b"document", clock())
        dispatcher.add_delivery(connection, new)
    clock.advance(2 * DAY)
    bed.housekeep()
    assert rows(database) == {"delivery": 1, "document": 1}


def test_without_a_test_bed_what_is_in_mailboxes_stays(tmp_path: Path, clock: FrozenClock) -> None:
    parties: list[Party] = build_parties(init_demo(tmp_path / "demo", clock, seed), [], Metrics(), clock)
    operator = next(party for party in parties if party.name == f"operator:{OPERATOR_ONE.number}")
    with writing(operator.database) as connection:
        new = model.NewDelivery("t-1", "x", "y", "c-2", "1", "1", "1", date(2026, 1, 1), clock(), True)
        store.add_delivery(connection, new)
        record_event(connection, Event(clock(), "delivery", "stored"))
    clock.advance(400 * DAY)
    for party in parties:
        for work in party.work:
            if isinstance(work, Housekeeping):
                work.once()
    assert rows(operator.database) == {"delivery": 1, "event": 1}
    for party in parties:
        party.database.dispose()
