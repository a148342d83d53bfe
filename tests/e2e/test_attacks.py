"""The attacks over HTTP, against a demonstration that serves all its parties; and what is then in their databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from lxml import etree
from sqlalchemy import Engine, MetaData, func, select

from mm_soap.bootstrap import databases
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.demonstration import OPERATOR_ONE
from mm_soap.dispatcher.tables import metadata as dispatcher_tables
from mm_soap.service_supplier.store import metadata as operator_tables
from mm_soap.storage import events_of, evidence_of, reading
from mm_soap.testing import TestPki
from tests.attacks.model import SECURITY_CODES, Attack, Expected
from tests.attacks.parties import LEDGER
from tests.attacks.sites import RECIPIENT, SUBJECT, Cast
from tests.attacks.table import expecting, some
from tests.e2e.suite import Demonstration, Fault, Listener, call, final_status

pytestmark = pytest.mark.slow

LONGEST = 30.0
"""Seconds. Each takes some hundredths; what is unbounded takes longer than this."""


@dataclass
class World:
    """A demonstration, whoever signs, and where nobody may call."""

    demonstration: Demonstration
    cast: Cast
    engines: dict[str, Engine]
    listener: Listener

    def send(self, attack: Attack) -> etree._Element:
        url = self.demonstration.servers[0].url
        return call(url + attack.site.path, attack.request(self.cast), 60, "text/xml")

    def database(self, attack: Attack) -> Engine:
        return self.engines["dispatcher" if attack.site.port == "message" else f"operator:{OPERATOR_ONE.number}"]

    def counts(self) -> dict[str, int]:
        """How many rows there are of what is stored or on its way, at all parties."""
        found = {}
        for party, engine in self.engines.items():
            tables: MetaData | None = {"dispatcher": dispatcher_tables}.get(party.partition(":")[0], operator_tables)
            if party == "far":
                continue
            assert tables is not None
            with reading(engine) as connection:
                for name in (one for one in tables.tables if not one.startswith(LEDGER)):
                    counted = connection.execute(select(func.count()).select_from(tables.tables[name])).scalar_one()
                    found[f"{party} {name}"] = counted
        return found


@pytest.fixture(scope="module")
def world(fresh_for_module: Demonstration) -> Iterator[World]:
    pki = TestPki(system_clock, new_keys=True)
    folder = fresh_for_module.folder / "attackers"
    pki.write(folder)
    fresh_for_module.change("trust", anchors=["pki/ca.pem", str(folder / "ca.pem")])
    fresh_for_module.serve()
    engines = databases(load(fresh_for_module.config))
    with Listener() as listener:
        yield World(fresh_for_module, Cast(pki, system_clock, listener.url), engines, listener)
        assert listener.connections == 0, "something that was sent was asked for"
    for engine in engines.values():
        engine.dispose()


@pytest.fixture(scope="module")
def before(world: World) -> dict[str, int]:
    return world.counts()


@pytest.mark.parametrize("attack", expecting(Expected.REFUSED, some()), ids=lambda attack: attack.id)
def test_an_attack_is_refused_and_nothing_is_stored(world: World, before: dict[str, int], attack: Attack) -> None:
    started = time.monotonic()
    with pytest.raises(Fault) as caught:
        world.send(attack)
    assert time.monotonic() - started < LONGEST
    assert caught.value.code in SECURITY_CODES
    assert world.counts() == before
    with reading(world.database(attack)) as connection:
        (event,) = events_of(connection, call_id=caught.value.call_id)
        *as_sent, kept = evidence_of(connection, caught.value.call_id)
    assert {one.verdict for one in as_sent} <= {"converted to UTF-8"}
    assert (event.kind, event.outcome) == ("refusal", kept.verdict)
    assert event.detail["code"] == caught.value.code


def test_what_means_the_same_arrives_as_it_was_signed(world: World) -> None:
    accepted = expecting(Expected.SAME, some())
    for attack in accepted:
        answer = world.send(attack)
        if attack.site.port == "message":
            distribution = answer.findtext("{*}return", "")
            assert final_status(world.demonstration.servers[0].url, distribution) == ("Digital", "Delivered"), attack.id
        else:
            assert answer.findtext(".//{*}Delivered") == "true", attack.id
    messages = world.demonstration.mailbox(RECIPIENT)
    assert [one.subject for one in messages] == [SUBJECT] * len(accepted)
