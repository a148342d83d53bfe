"""A request that somebody kept and sends again: later, elsewhere, or as somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from mm_soap.repetitions import REPEATED, RETRIES_WITHIN
from mm_soap.service_supplier import Inbox
from mm_soap.service_supplier.retention import Retention
from mm_soap.storage import writing
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.databases import fresh_database
from tests.attacks.parties import Party, dispatcher, error_code, operator
from tests.attacks.sites import DISPATCHER, KOMMUN_A, OUTSIDER, RECIPIENT, SITES, Cast, Site, Target

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CLOCK = FrozenClock(NOON)
CAST = Cast(TestPki(CLOCK), CLOCK)
SENT = [site for site in SITES if not site.inner]
BY = {"delivery": KOMMUN_A, "seal": DISPATCHER, "forwarded-seal": None}
"""Who may bring each."""


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    CLOCK.set(NOON)
    yield
    CLOCK.set(NOON)


@pytest.fixture
def party(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Party]:
    site: Site = request.getfixturevalue("site")
    with fresh_database(tmp_path, None) as engine:
        yield (dispatcher if site.port == "message" else operator)(engine, CAST)


each_site = pytest.mark.parametrize("site", SENT, ids=lambda site: site.name)


def text(answer: etree._Element) -> bytes:
    return etree.tostring(answer)


@each_site
@pytest.mark.parametrize(
    ("later", "word"),
    [
        (timedelta(0), "retry"),
        (timedelta(seconds=1), "retry"),
        (RETRIES_WITHIN, "retry"),
        (RETRIES_WITHIN + timedelta(seconds=1), "replay"),
        (timedelta(days=300), "replay"),
    ],
)
def test_the_same_again_is_answered_as_the_first_time_and_told_apart(
    party: Party, site: Site, later: timedelta, word: str
) -> None:
    request = Target(site, CAST).request()
    first = party.post(site.path, request, caller=BY[site.name])
    assert error_code(first) is None
    kept, events = party.contents(), len(party.rows("event"))
    CLOCK.advance(later)
    assert text(party.post(site.path, request, caller=BY[site.name])) == text(first)
    assert party.contents() == kept
    (event,) = party.rows("event")[events:]
    assert event.outcome == REPEATED
    assert event.detail["repetition"] == word
    assert datetime.fromisoformat(event.detail["first_at"]) == NOON
    assert event.detail["first_caller"] == BY[site.name]
    assert [row.content for row in party.evidence()] == [request, request]
    assert event.call_id == party.evidence()[-1].call_id


@each_site
def test_the_same_content_written_otherwise_is_the_same(party: Party, site: Site) -> None:
    """Whoever replays may change what no signature covers."""
    target = Target(site, CAST)
    first = party.post(site.path, target.request(), caller=BY[site.name])
    kept = party.contents()
    for other in (
        target.good.replace(b"<Subject>", b"<!-- again --><Subject>"),
        target.good.replace(b"<Subject>", b"<Subject >"),
        b"<SignatureValue>\n".join(target.good.rsplit(b"<SignatureValue>", 1)),
    ):
        assert other != target.good
        assert text(party.post(site.path, target.request(other), caller=BY[site.name])) == text(first)
    assert party.contents() == kept
    assert [row.outcome for row in party.rows("event")[1:]] == [REPEATED] * 3


@pytest.mark.parametrize("site", [SENT[0]], ids=lambda site: site.name)
def test_another_caller_who_may_send_is_a_replay(party: Party, site: Site) -> None:
    """A dispatcher that is listed for the sender brings what the sender itself brought."""
    request = Target(site, CAST).request()
    first = party.post(site.path, request, caller=KOMMUN_A)
    assert text(party.post(site.path, request, caller=DISPATCHER)) == text(first)
    assert party.rows("event")[-1].detail["repetition"] == "replay"
    assert len(party.rows("delivery")) == 1


@pytest.mark.parametrize("site", SENT[:2], ids=lambda site: site.name)
def test_a_caller_who_may_not_is_refused_and_is_told_nothing(party: Party, site: Site) -> None:
    """Neither a first time nor after somebody else's."""
    target = Target(site, CAST)
    assert error_code(party.post(site.path, target.request(), caller=OUTSIDER)) == 5002
    first = party.post(site.path, target.request(), caller=BY[site.name])
    kept = party.contents()
    again = party.post(site.path, target.request(), caller=OUTSIDER)
    assert error_code(again) == 5002
    assert "".join(first.itertext())[:20] not in "".join(again.itertext())
    assert party.contents() == kept
    assert [row.kind for row in party.rows("event")][::2] == ["refusal", "refusal"]


@pytest.mark.parametrize("site", [SENT[1]], ids=lambda site: site.name)
def test_a_new_seal_around_the_same_delivery_brings_it_once(party: Party, site: Site) -> None:
    """The same delivery by another way, or on another day, is the same delivery."""
    target = Target(site, CAST)
    inner = Target(SITES[2], CAST)
    party.post(site.path, inner.request(), caller=DISPATCHER)
    CLOCK.advance(timedelta(days=1))
    (resealed,) = inner.travelling(inner.good)
    party.post(site.path, target.request(resealed), caller=DISPATCHER)
    assert len(party.rows("message")) == 1


@pytest.mark.parametrize("site", [SENT[1]], ids=lambda site: site.name)
def test_what_was_deleted_does_not_come_again(party: Party, site: Site) -> None:
    """Also when the evidence of it is over."""
    request = Target(site, CAST).request()
    first = party.post(site.path, request, caller=DISPATCHER)
    inbox = Inbox(party.engine, clock=CLOCK)
    (line,) = inbox.page(RECIPIENT).lines
    inbox.throw_away(RECIPIENT, line.key)
    for _ in range(3):
        CLOCK.advance(timedelta(days=200))
        for forget in Retention().forgets():
            with writing(party.engine) as connection:
                forget(connection, CLOCK())
    assert party.evidence() == []
    assert text(party.post(site.path, request, caller=DISPATCHER)) == text(first)
    assert party.rows("message") == []
    assert party.rows("event")[-1].detail["repetition"] == "replay"
