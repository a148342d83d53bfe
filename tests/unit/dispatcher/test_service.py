"""Accepting: once for the same bytes, and for those who may send."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from mm_soap.dispatcher import Limit, MessageService, Origin, SenderLimits, State, store
from mm_soap.dispatcher.model import Outcome
from mm_soap.dsig import VerifiedDelivery, sign_delivery
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits
from mm_soap.storage import events_of, evidence_of, reading, writing
from mm_soap.testing.clock import FrozenClock
from tests.unit.dispatcher.fakes import (
    KOMMUN_A,
    KOMMUN_A_IDENTITY,
    KOMMUN_B,
    NOON,
    RECIPIENT,
    count_by_state,
    delivery,
    noon,
)
from tests.unit.dsig.samples import DISPATCHER as DISPATCHER_IDENTITY
from tests.unit.dsig.samples import PKI, distribute, verify
from tests.unit.service_supplier.deliveries import FakeDirectory

STRANGER_IDENTITY = PKI.organisation(KOMMUN_B, "Kommun B")
ORIGIN = Origin("c-1", b"<raw/>", None)


class Woken:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self, _delivery: int, _sender: str) -> None:
        self.times += 1


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def service(database: Engine, directory: FakeDirectory, woken: Woken) -> MessageService:
    own = DISPATCHER_IDENTITY.organisation
    return MessageService(database, own, directory, Limits(), timedelta(days=1), noon(), woken)


def signed(subject: str = "Beslut", sender: str = KOMMUN_A) -> VerifiedDelivery:
    return verify(distribute(sign_delivery(delivery(subject=subject, sender=sender), KOMMUN_A_IDENTITY)))


def test_accepted_with_its_event_and_evidence(service: MessageService, database: Engine, woken: Woken) -> None:
    distribution = service.distribute_secure(signed(), ORIGIN)
    assert woken.times == 1
    with reading(database) as connection:
        assert len(store.due_for_look_up(connection, noon()(), 9)) == 1
        (event,) = events_of(connection, distribution_id=distribution)
        (evidence,) = evidence_of(connection, "c-1")
    assert (event.outcome, event.message_id, event.call_id, event.sender) == ("accepted", "m-1", "c-1", KOMMUN_A)
    assert RECIPIENT not in repr(event)
    assert evidence.content == ORIGIN.raw


def test_the_same_bytes_are_accepted_once(service: MessageService, database: Engine, woken: Woken) -> None:
    verified = signed()
    assert len({service.distribute_secure(verified, ORIGIN) for _ in range(3)}) == 1
    assert service.distribute_secure(signed("Another"), ORIGIN) != service.distribute_secure(verified, ORIGIN)
    assert woken.times == 2
    with reading(database) as connection:
        assert count_by_state(connection) == {State.ACCEPTED: 2}


def test_threads_that_race_with_the_same_bytes(service: MessageService, database: Engine) -> None:
    for number in range(10):
        verified, gate = signed(f"Beslut {number}"), threading.Barrier(2)

        def race(_: int, verified: VerifiedDelivery = verified, gate: threading.Barrier = gate) -> str:
            gate.wait()
            return service.distribute_secure(verified, ORIGIN)

        with ThreadPoolExecutor(2) as pool:
            assert len(set(pool.map(race, range(2)))) == 1
    with reading(database) as connection:
        assert count_by_state(connection) == {State.ACCEPTED: 10}


def refusal(service: MessageService, verified: VerifiedDelivery) -> Refusal:
    with pytest.raises(Refused) as refused:
        service.distribute_secure(verified, ORIGIN)
    with reading(service.database) as connection:
        assert count_by_state(connection) == {}
    return refused.value.refusal


def test_who_may_send(service: MessageService, directory: FakeDirectory) -> None:
    assert refusal(service, signed(sender=KOMMUN_B)) is Refusal.SIGNER_NOT_LISTED
    directory.dispatchers[DISPATCHER_IDENTITY.organisation] = {KOMMUN_B}
    assert refusal(service, signed()) is Refusal.DISPATCHER_NOT_LISTED
    directory.senders = {KOMMUN_B}
    assert refusal(service, signed()) is Refusal.SENDER_UNKNOWN
    directory.away = True
    assert refusal(service, signed()) is Refusal.UNAVAILABLE


def test_the_rules_hold(service: MessageService) -> None:
    assert refusal(service, signed(subject="x" * 256)) is Refusal.TEXT_TOO_LONG


def test_the_status_as_the_sender_sees_it(service: MessageService, database: Engine) -> None:
    distribution = service.distribute_secure(signed(), ORIGIN)
    with reading(database) as connection:
        (one,) = store.due_for_look_up(connection, noon()(), 9)

    def status_in(state: State) -> tuple[str, str | None]:
        with writing(database) as connection:
            store.write_outcomes(connection, [Outcome(one.id, distribution, KOMMUN_A, state, "")])
        (status,) = service.check_distribution_status(KOMMUN_A, distribution, None)
        assert status.recipient == RECIPIENT
        return status.type, status.delivery_status

    unknown_yet = {State.ACCEPTED, State.SWITCHING}
    for state in unknown_yet:
        with pytest.raises(Refused) as early:
            status_in(state)
        assert early.value.refusal is Refusal.NOT_FINISHED
    assert {state.name: status_in(state) for state in State if state not in unknown_yet | {State.UNPACKED}} == {
        "SEALED": ("Digital", "Pending"),
        "LOOK_UP_AGAIN": ("Digital", "Pending"),
        "DELIVERED": ("Digital", "Delivered"),
        "FAILED": ("Digital", "DeliveryFailed"),
        "PAPER": ("Paper", None),
        "NOT_REGISTERED": ("Not", None),
        "SWITCHED": ("Digital", "Pending"),
        "SENT": ("Digital", "Delivered"),
        "PRINTING": ("Paper", "Pending"),
        "PRINTED": ("Paper", "Delivered"),
        "NOT_PRINTED": ("Paper", "DeliveryFailed"),
        "NO_CHANNEL": ("Not", "DeliveryFailed"),
    }
    for sender, asked in ((KOMMUN_B, distribution), (KOMMUN_A, "another")):
        with pytest.raises(Refused) as unknown:
            service.check_distribution_status(sender, asked, None)
        assert unknown.value.refusal is Refusal.NOT_FOUND


# Limits of a sender


def limited(service: MessageService, clock: FrozenClock, **limit: Any) -> MessageService:
    return replace(service, clock=clock, sender_limits=SenderLimits(own={KOMMUN_A: Limit(**limit)}))


def refusal_of(service: MessageService, verified: VerifiedDelivery) -> Refusal | None:
    try:
        service.distribute_secure(verified, ORIGIN)
    except Refused as refused:
        return refused.refusal
    return None


def test_messages_a_second(service: MessageService, database: Engine) -> None:
    clock = noon()
    limited_service = limited(service, clock, messages_per_second=2, burst=3)
    answers = [refusal_of(limited_service, signed(f"{number}")) for number in range(5)]
    assert answers == [None] * 3 + [Refusal.SENDER_TOO_FAST] * 2
    assert refusal_of(limited_service, signed("0")) is None  # the same bytes are answered as before, and not counted
    clock.advance(timedelta(seconds=1))
    answers = [refusal_of(limited_service, signed(f"{number}")) for number in range(3, 6)]
    assert answers == [None, None, Refusal.SENDER_TOO_FAST]
    with reading(database) as connection:
        assert count_by_state(connection) == {State.ACCEPTED: 5}  # nothing of what was refused is stored


def test_bytes_a_day(service: MessageService) -> None:
    size = len(signed("0").document)
    clock = noon()
    limited_service = limited(service, clock, bytes_per_day=2 * size + 1)
    assert [refusal_of(limited_service, signed(each)) for each in "0012"] == [None] * 3 + [Refusal.SENDER_DAY_FULL]
    clock.set(NOON.replace(hour=23, minute=59))
    assert refusal_of(limited_service, signed("2")) is Refusal.SENDER_DAY_FULL
    clock.set(NOON.replace(hour=0) + timedelta(days=1))
    assert [refusal_of(limited_service, signed(each)) for each in "234"] == [None, None, Refusal.SENDER_DAY_FULL]
    clock.set(NOON)  # set back: that day is full already
    assert refusal_of(limited_service, signed("4")) is Refusal.SENDER_DAY_FULL
    clock.set(NOON + timedelta(days=400))  # set far forward, and back again
    assert refusal_of(limited_service, signed("4")) is None
    clock.set(NOON + timedelta(days=2))
    assert refusal_of(limited_service, signed("5")) is None


def test_a_message_larger_than_a_day_is_refused_for_good(service: MessageService) -> None:
    assert refusal_of(limited(service, noon(), bytes_per_day=100), signed()) is Refusal.MORE_THAN_A_DAY


def test_others_have_no_limit(service: MessageService, directory: FakeDirectory) -> None:
    limits = SenderLimits(own={KOMMUN_B: Limit(1, 1, 1)})
    assert {refusal_of(replace(service, sender_limits=limits), signed(f"{number}")) for number in range(5)} == {None}


def test_a_burst_is_one_for_all_threads_and_processes(service: MessageService) -> None:
    """Each service stands for a process: what they share is the database."""
    documents = [signed(f"{number}") for number in range(12)]
    services = [limited(service, noon(), messages_per_second=0.1, burst=5) for _ in documents]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(refusal_of, services, documents))
    assert sorted(answers, key=str) == [None] * 5 + [Refusal.SENDER_TOO_FAST] * 7


def test_a_day_is_one_for_all_threads_and_processes(service: MessageService) -> None:
    documents = [signed(f"{number:02}") for number in range(12)]
    services = [limited(service, noon(), bytes_per_day=5 * len(documents[0].document)) for _ in documents]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(refusal_of, services, documents))
    assert sorted(answers, key=str) == [None] * 5 + [Refusal.SENDER_DAY_FULL] * 7
