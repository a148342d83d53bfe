"""Cases: which messages belong together, in which order, whose turn it is, and who sees them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import Engine, update

from mm_soap.errors import Refusal
from mm_soap.message import AgreedDetail, Message, OfficialMatter
from mm_soap.service_supplier import TRASH, Turn, store
from mm_soap.service_supplier.cases import CaseEvent, in_order
from mm_soap.soap.envelope import wrap
from mm_soap.storage import migrate, writing
from mm_soap.xml import MESSAGE_V3, SERVICE_V3, parse_untrusted, qname

from .deliveries import KOMMUN_A, KOMMUN_B, RECIPIENT, STRANGER, a_message, sealed
from .test_inbox import DAY, NOW, World, refusal

OWN = '<x:Own xmlns:x="urn:x"><x:Diarienummer>BN 2026-1</x:Diarienummer><x:Handläggare>Kim</x:Handläggare></x:Own>'
AGREED = (AgreedDetail("Own / Diarienummer", "BN 2026-1"), AgreedDetail("Own / Handläggare", "Kim"))


@pytest.fixture
def world(engine: Engine, tmp_path: Any) -> World:
    migrate(engine, "service_supplier")
    return World(engine, tmp_path / "blobs")


def matter(
    case: str | None = "m1", event: str | None = None, after: str | None = None, *, day: int = 1, **more: Any
) -> OfficialMatter:
    return OfficialMatter(date(2026, 3, day), event, case, after, **more)


def deliver(
    world: World, *messages: Message, sender: str = KOMMUN_A, to: str = RECIPIENT, own: str = "", call: str = "call"
) -> str:
    """Deliver messages, with elements of another namespace in the last one's OfficialMatter; return the first's key."""
    seal = sealed(*messages, name=uuid4().hex, sender=sender, recipient=to)
    if own:
        put_own(seal.delivery.root, own)
    raw = as_it_came(seal.delivery.root)
    world.service.deliver_secure(seal, raw, call, None)
    (line,) = [one for one in world.inbox.page(to).lines if one.message_id == messages[0].id]
    return line.key


def put_own(root: etree._Element, own: str) -> None:
    header = list(root.iter(qname(MESSAGE_V3, "Header")))[-1]
    found = header.find(qname(MESSAGE_V3, "OfficialMatter"))
    if found is None:
        found = etree.Element(qname(MESSAGE_V3, "OfficialMatter"))
        header.insert(3, found)  # behind Id, Subject and Supportinfo
        found.append(parse_untrusted(own.encode()))
    else:
        found[0].insert(1, parse_untrusted(own.encode()))


def as_it_came(root: etree._Element) -> bytes:
    inner = etree.tostring(root, encoding="unicode")
    request = f'<deliverSecure xmlns="{SERVICE_V3}"><deliverSecure xmlns="{MESSAGE_V3}">{inner}</deliverSecure>'
    return wrap(f"{request}</deliverSecure>".encode())


def event(subject: str, case: OfficialMatter | None) -> Message:
    return a_message(subject, official_matter=case)


def subjects(world: World, key: str) -> list[str]:
    return [one.subject for one in world.inbox.case(RECIPIENT, key).events]


def test_messages_with_the_same_case_are_one_and_its_last_event_says_whose_turn_it_is(world: World) -> None:
    deliver(world, event("Annat", matter("m2", matter_status="closed")))
    world.clock.advance(timedelta(hours=1))
    first = deliver(
        world, event("Ansökan mottagen", matter(matter_status="senderinitiative", matter_subject="Bygglov"))
    )
    world.clock.advance(DAY)
    deliver(world, event("Komplettera", matter(day=2, matter_status="recipientinitiative", event_type="Begäran")))
    world.clock.advance(DAY)
    deliver(world, event("Kvittens", matter(day=3)))
    deliver(world, a_message("Inget ärende"))
    case = world.inbox.case(RECIPIENT, first)
    assert [one.subject for one in case.events] == ["Ansökan mottagen", "Komplettera", "Kvittens"]
    assert (case.turn, case.subject, case.total, case.unread) == (Turn.RECIPIENT, "Bygglov", 3, 3)
    assert (case.sender, case.official_matter_id, case.received) == (KOMMUN_A, "m1", NOW + 2 * DAY + timedelta(hours=1))
    page = world.inbox.cases(RECIPIENT)
    assert [(one.subject, one.turn, one.total) for one in page.cases] == [
        ("Bygglov", Turn.RECIPIENT, 3),
        ("Annat", Turn.CLOSED, 1),
    ]
    assert page.following is None
    assert world.inbox.event(RECIPIENT, first).turn is Turn.SENDER  # type: ignore[union-attr]


def test_no_sender_is_in_the_case_of_another_and_no_mailbox_shows_anothers(world: World) -> None:
    own = deliver(world, event("Ett", matter("m1", "e1", matter_subject="Vägen", matter_status="senderinitiative")))
    foreign = deliver(
        world,
        event("Två", matter("m1", "e2", "e1", matter_subject="Vägen", matter_status="closed")),
        sender=KOMMUN_B,
    )
    deliver(world, event("Annans", matter("m1")), to=STRANGER)
    assert subjects(world, own) == ["Ett"]
    assert world.inbox.case(RECIPIENT, own).turn is Turn.SENDER
    case = world.inbox.case(RECIPIENT, foreign)
    assert [one.subject for one in case.events] == ["Två"]
    assert case.before == {}  # another sender's event is not named as the one before
    assert [one.name for one in case.related] == ["Ett"]  # the same MatterSubject couples them loosely
    for call in (world.inbox.case, world.inbox.open):
        assert refusal(call, STRANGER, own) is Refusal.NOT_FOUND
    assert world.inbox.event(STRANGER, own) is None


def test_an_event_without_a_case_is_one_of_its_own(world: World) -> None:
    first = deliver(world, event("Ett", matter(None)))
    second = deliver(world, event("Två", matter("")))
    hostile = deliver(world, event("Tre", matter(f"message {first}")))
    assert [subjects(world, key) for key in (first, second, hostile)] == [["Ett"], ["Två"], ["Tre"]]


def test_an_event_comes_after_the_one_that_it_follows_whichever_way_they_came(world: World) -> None:
    late = deliver(world, event("Sedan", matter(event="e2", after="e1", matter_status="closed")))
    world.clock.advance(timedelta(minutes=1))
    deliver(world, event("Först", matter(event="e1", matter_status="senderinitiative")))
    assert subjects(world, late) == ["Först", "Sedan"]
    assert world.inbox.case(RECIPIENT, late).turn is Turn.CLOSED


def test_an_event_of_another_case_is_linked(world: World) -> None:
    first = deliver(world, event("Beslut", matter("m1", "e1")))
    second = deliver(world, event("Överklagan", matter("m2", "e2", "e1")))
    case = world.inbox.case(RECIPIENT, second)
    assert {key: (one.key, one.name) for key, one in case.before.items()} == {second: (first, "Beslut")}


def test_what_is_thrown_away_is_in_no_case_and_what_is_deleted_leaves_no_event(world: World) -> None:
    first = deliver(world, event("Ett", matter(matter_status="senderinitiative")))
    second = deliver(world, event("Två", matter(day=2, matter_status="closed")))
    world.inbox.throw_away(RECIPIENT, second)
    assert subjects(world, first) == ["Ett"]
    assert world.inbox.case(RECIPIENT, first).turn is Turn.SENDER
    world.inbox.restore(RECIPIENT, second)
    assert subjects(world, first) == ["Ett", "Två"]
    world.inbox.throw_away(RECIPIENT, second)
    world.inbox.delete(RECIPIENT, second)
    assert (subjects(world, first), world.count("official_matter")) == (["Ett"], 1)
    world.inbox.throw_away(RECIPIENT, first)
    assert world.inbox.cases(RECIPIENT).cases == ()
    assert refusal(world.inbox.case, RECIPIENT, first) is Refusal.NOT_FOUND
    world.inbox.empty_trash(RECIPIENT)
    assert world.count("official_matter") == 0
    assert world.inbox.page(RECIPIENT, TRASH).lines == ()


def test_elements_of_other_namespaces_are_details_and_no_case(world: World) -> None:
    plain = deliver(world, a_message("Eget"), own=OWN)
    found = world.inbox.event(RECIPIENT, plain)
    assert found is not None
    assert (found.in_case, found.details, found.turn) == (False, AGREED, None)
    assert refusal(world.inbox.case, RECIPIENT, plain) is Refusal.NOT_FOUND
    both = deliver(world, event("Båda", matter("m9")), own=OWN)
    assert world.inbox.case(RECIPIENT, both).events[0].details == AGREED
    assert [one.official_matter_id for one in world.inbox.cases(RECIPIENT).cases] == ["m9"]


def test_whoever_may_not_open_unread_messages_sees_none_of_them_in_cases(world: World) -> None:
    first = deliver(world, event("Läst", matter(matter_status="senderinitiative")))
    deliver(world, event("Oläst", matter(day=2, matter_status="closed", matter_subject="Hemligt")))
    assert world.inbox.cases(RECIPIENT, unread=False).cases == ()
    world.inbox.open(RECIPIENT, first)
    (case,) = world.inbox.cases(RECIPIENT, unread=False).cases
    assert (case.subject, case.turn, case.total) == ("Läst", Turn.SENDER, 1)
    assert world.inbox.case(RECIPIENT, first, unread=False).events == case.events


def test_cases_come_in_parts(world: World) -> None:
    for number in range(5):
        deliver(world, event(f"Nr {number}", matter(f"m{number}")))
        world.clock.advance(DAY)
    first = world.inbox.cases(RECIPIENT, most=2)
    second = world.inbox.cases(RECIPIENT, first.following or 0, 2)
    third = world.inbox.cases(RECIPIENT, second.following or 0, 2)
    found = [one.subject for page in (first, second, third) for one in page.cases]
    assert found == [f"Nr {number}" for number in reversed(range(5))]
    assert third.following is None


def test_a_notification_and_what_is_forwarded_are_in_no_case(world: World) -> None:
    key = deliver(world, event("Ett", matter()))
    assert len(world.inbox.case(RECIPIENT, key).events) == 1
    from .test_inbox import insert_shared

    insert_shared(world)
    assert len(world.inbox.cases(RECIPIENT).cases) == 1


def test_cases_of_messages_from_before_are_learnt_from_what_was_kept(world: World) -> None:
    one = replace(event("Gammal", matter(event="e1", matter_status="closed")), id="gammal")
    keys = [deliver(world, event(f"Före {number}", matter()), call=f"c{number}") for number in range(25)]
    keys.append(deliver(world, a_message("Utan"), one, own=OWN, call="two"))
    broken = world.deliver(event("Trasig", matter("m5")), call="broken")  # its evidence is no XML
    tables = store.metadata.tables
    with writing(world.engine) as connection:  # as the migration finds it
        connection.execute(tables["official_matter"].delete())
        connection.execute(update(tables["installation"]).values(uncased_to=27))
    newer = deliver(world, event("Ny", matter(day=9)))
    assert subjects(world, newer) == ["Ny"]
    world.keep_house()
    case = world.inbox.case(RECIPIENT, newer)
    assert [each.subject for each in case.events] == [*(f"Före {number}" for number in range(25)), "Gammal", "Ny"]
    assert case.events[-2].details == AGREED
    assert case.events[-2].turn is Turn.CLOSED
    assert world.inbox.event(RECIPIENT, broken) is None
    before = world.count("official_matter")
    world.keep_house()
    assert world.count("official_matter") == before == 27


@st.composite
def some_events(draw: st.DrawFn) -> list[CaseEvent]:
    """Events that name each other in any way, and come on any days."""
    rows = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 8)), max_size=7))
    return [
        CaseEvent(
            key=f"{place}-0",
            subject="",
            received=datetime(2026, 3, came, tzinfo=UTC),
            read=None,
            dated=date(2026, 3, dated),
            event_id=f"e{place}",
            preceding_event_id=f"e{after}" if after < len(rows) else None,
        )
        for place, (came, dated, after) in enumerate(rows)
    ]


@given(some_events())
def test_the_order_holds_all_events_once_and_follows_what_they_name(events: list[CaseEvent]) -> None:
    ordered = in_order(events)
    assert sorted(ordered, key=events.index) == events
    assert in_order(reversed(events)) == ordered
    places = {one.event_id: place for place, one in enumerate(ordered)}
    named = {one.event_id: one.preceding_event_id for one in events}
    for one in events:
        way, at = {one.event_id}, one.preceding_event_id
        while at is not None and at not in way:
            way.add(at)
            at = named[at]
        if at is None and one.preceding_event_id is not None:  # not on a way into a circle
            assert places[one.preceding_event_id] < places[one.event_id]
