"""The dispatcher's neighbours, in memory, and deliveries for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from lxml import etree
from sqlalchemy import Connection, Engine, func, select

from mm_soap.dispatcher import Backoff, DeliveryPolicy, Policies, TimeLimits, store
from mm_soap.dispatcher.model import Accepted, NewDelivery, Outcome, Sealed, State
from mm_soap.dispatcher.tables import delivery as delivery_table
from mm_soap.register_client import Reached
from mm_soap.storage import reading, writing
from mm_soap.testing.clock import FrozenClock
from mm_soap.xml import SERVICE_V1, SERVICE_V3, parse_untrusted
from tests.unit.dsig.samples import DISPATCHER, delivery
from tests.unit.dsig.samples import KOMMUN_A as KOMMUN_A_IDENTITY

KOMMUN_A, KOMMUN_B = "162021004748", "162021003898"
RECIPIENT, STRANGER = "192705178354", "191212121212"
OPERATOR, OTHER = "165560000002", "165560000003"
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)

_numbers = count(1)

__all__ = ["DISPATCHER", "KOMMUN_A_IDENTITY", "delivery"]


def reached(recipient: str = RECIPIENT, operator: str = OPERATOR, **change: object) -> Reached:
    said = {"registered": True, "sender_accepted": True, "operator": operator, "address": f"http://{operator}/"}
    return Reached(recipient, **{**said, **change})  # type: ignore[arg-type]


class FakeRegister:
    """Answers as it is told for each recipient: with an answer, or by raising."""

    def __init__(self, **answers: Reached | Exception) -> None:
        self.answers = answers
        self.asked: list[tuple[str, list[str]]] = []

    def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
        self.asked.append((sender, list(recipients)))
        found = [self.answers.get(f"r{each}", reached(each)) for each in recipients]
        for each in found:
            if isinstance(each, Exception):
                raise each
        return [each for each in found if isinstance(each, Reached)]


class FakeOperators:
    """Answers each call by a function of the address and how many calls that address got before."""

    def __init__(self, answer: Callable[[str, int], etree._Element] | None = None) -> None:
        self.answer = answer or (lambda _address, _before: delivered())
        self.calls: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()

    def call(self, address: str, body: bytes, *, expected: str, limits: TimeLimits) -> etree._Element:
        with self._lock:
            before = sum(each == address for each, _ in self.calls)
            self.calls.append((address, body))
        answer = self.answer(address, before)
        assert answer.tag == expected
        return answer


def delivered(recipient: str = RECIPIENT, told: str = "true", trans_id: str = "t-1") -> etree._Element:
    return parse_untrusted(
        f'<deliverSecureResponse xmlns="{SERVICE_V3}" xmlns:r="{SERVICE_V1}"><return><r:TransId>{trans_id}</r:TransId>'
        f"<r:Status><r:RecipientId>{recipient}</r:RecipientId><r:Delivered>{told}</r:Delivered></r:Status></return>"
        "</deliverSecureResponse>".encode()
    )


def accepted(
    database: Engine, recipient: str = RECIPIENT, sender: str = KOMMUN_A, received: datetime = NOON
) -> Accepted:
    """Store an accepted delivery."""
    with writing(database) as connection:
        return _add(connection, recipient, sender, received)


def _add(connection: Connection, recipient: str, sender: str, received: datetime) -> Accepted:
    # In one transaction: an engine that runs takes the delivery as soon as it can see it.
    name = f"d-{next(_numbers)}"
    store.add_delivery(
        connection, NewDelivery(name, sender, recipient, (f"m-{name}",), name, b"<SignedDelivery/>", received)
    )
    found = store.due_for_look_up(connection, datetime.max.replace(tzinfo=UTC), 10_000)
    return next(each for each in found if each.distribution_id == name)


def sealed(database: Engine, operator: str = OPERATOR, due: datetime = NOON) -> Sealed:
    """Store a sealed delivery that was accepted at a time and is due at once."""
    with writing(database) as connection:
        one = _add(connection, RECIPIENT, KOMMUN_A, due)
        outcome = Outcome(
            *(one.id, one.distribution_id, one.sender, State.SEALED, "Sealed."),
            next_attempt=due,
            operator=operator,
            address=f"http://{operator}/",
            seal=b"<Seal/>",
            looked_up=due,
        )
        store.write_outcomes(connection, [outcome])
    return Sealed(one.id, one.distribution_id, one.sender, one.recipient, due, 0, operator, f"http://{operator}/")


def state_of(database: Engine, one: Accepted | Sealed) -> State:
    with reading(database) as connection:
        found = store.state_of(connection, one.sender, one.distribution_id)
    assert found is not None
    return found[1]


def retrying(first: float, longest: float, give_up_after: float, **more: Any) -> Policies:
    """Policies that are the same for every operator."""
    return Policies(DeliveryPolicy(backoff=Backoff(first, longest), give_up_after=give_up_after, **more))


def noon() -> FrozenClock:
    return FrozenClock(NOON)


def count_by_state(connection: Connection) -> dict[State, int]:
    """Return how many deliveries stand in each state."""
    rows = connection.execute(select(delivery_table.c.state, func.count()).group_by(delivery_table.c.state))
    return {State(state): number for state, number in rows}
