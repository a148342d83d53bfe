"""Wake-ups of an API process: one at once, and in a rush one for many deliveries of a sender."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mm_soap import wake_ups
from mm_soap.dispatcher import DeliveryStep
from mm_soap.wake_ups import Publisher
from tests.unit.dispatcher.fakes import KOMMUN_A, KOMMUN_B
from tests.unit.dispatcher.test_engine import until


class FakeBroker:
    """Keeps what is published, and may be away."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.tried = 0
        self.away = False
        self.free = threading.Event()
        self.free.set()

    def publish(self, step: DeliveryStep, delivery: int) -> bool:
        assert step is DeliveryStep.LOOK_UP
        self.tried += 1
        assert self.free.wait(10)
        if not self.away:
            self.sent.append(delivery)
        return not self.away


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def publisher(broker: FakeBroker) -> Iterator[Publisher]:
    made = Publisher(broker)  # type: ignore[arg-type]
    made.start()
    yield made
    broker.free.set()
    made.stop()


def test_one_wake_up_for_many_deliveries_of_a_sender(broker: FakeBroker, publisher: Publisher) -> None:
    broker.free.clear()
    publisher.wake(1, KOMMUN_A)
    until(lambda: broker.tried == 1)
    for delivery in range(2, 1000):  # while the first is on its way
        publisher.wake(delivery, KOMMUN_A if delivery % 2 else KOMMUN_B)
    broker.free.set()
    until(lambda: len(broker.sent) == 3)
    assert (broker.sent[0], set(broker.sent[1:])) == (1, {998, 999})
    publisher.wake(1000, KOMMUN_A)
    until(lambda: broker.sent[3:] == [1000])


def test_what_comes_while_wake_ups_are_sent_is_sent_too(broker: FakeBroker, publisher: Publisher) -> None:
    ends = time.monotonic() + 1
    last = 0
    while time.monotonic() < ends:
        last += 1
        publisher.wake(last, KOMMUN_A)
    until(lambda: bool(broker.sent) and broker.sent[-1] == last)
    assert broker.sent == sorted(set(broker.sent))
    assert len(broker.sent) < 40


def test_a_broker_that_is_away_is_asked_again(broker: FakeBroker, publisher: Publisher) -> None:
    broker.away = True
    publisher.wake(1, KOMMUN_A)
    until(lambda: broker.tried == 1)
    broker.away = False
    publisher.wake(2, KOMMUN_A)
    until(lambda: broker.sent == [2])


def test_a_broker_that_is_away_is_left_alone_for_a_while(
    broker: FakeBroker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_ups, "_AWAY_SECONDS", 60.0)
    broker.away = True
    publisher.wake(1, KOMMUN_A)
    until(lambda: broker.tried == 1)
    publisher.wake(2, KOMMUN_A)
    time.sleep(0.3)
    assert broker.tried == 1


def test_it_stops_while_there_is_more_to_send(broker: FakeBroker) -> None:
    publisher = Publisher(broker)  # type: ignore[arg-type]
    publisher.start()
    publisher.wake(1, KOMMUN_A)
    until(lambda: broker.tried == 1)
    broker.free.clear()
    for delivery, sender in enumerate((KOMMUN_A, KOMMUN_B), 2):
        publisher.wake(delivery, sender)
    until(lambda: broker.tried == 2)
    stopping = threading.Thread(target=publisher.stop)
    stopping.start()
    until(lambda: publisher._stopping.is_set())
    broker.free.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert (broker.tried, broker.sent) == (2, [1, 2])
