"""The lists of senders and dispatchers are kept for a stated time, and one thread at a time asks for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from lxml import etree

from mm_soap.errors import Refusal, Refused, TransportError
from mm_soap.register_client import RegisterClient
from mm_soap.testing.clock import FrozenClock
from mm_soap.xml import AUTHORITY, DISPATCHER, RECIPIENT_V1, RECIPIENT_V3, SENDER, parse_untrusted

KOMMUN_A, KOMMUN_B, OTHER = "162021004748", "162021003898", "165599999900"
SENDERS = (
    f'<a:getSendersResponse xmlns:a="{AUTHORITY}" xmlns:s="{SENDER}"><return><s:Id> {KOMMUN_A} </s:Id></return>'
    "</a:getSendersResponse>"
)
DISPATCHERS = (
    f'<a:getDispatchersResponse xmlns:a="{AUTHORITY}" xmlns:d="{DISPATCHER}"><return><d:Id>{OTHER}</d:Id>'
    f"<d:Name>x</d:Name><d:Senders>{KOMMUN_A}</d:Senders></return></a:getDispatchersResponse>"
)


class FakeAuthority:
    """Answers the two lists, or nothing while it is away."""

    def __init__(self) -> None:
        self.away = False
        self.calls = 0
        self.hold: threading.Event | None = None

    def call(self, body: bytes, *, expected: str) -> etree._Element:
        self.calls += 1
        if self.hold is not None:
            self.hold.wait(10)
        if self.away:
            raise TransportError("no answer")
        return parse_untrusted((SENDERS if b"getSenders" in body else DISPATCHERS).encode())


@pytest.fixture
def authority() -> FakeAuthority:
    return FakeAuthority()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def client(authority: FakeAuthority, clock: FrozenClock) -> RegisterClient:
    return RegisterClient(authority, authority, max_age=timedelta(seconds=60), clock=clock)


def test_who_is_connected_and_who_may_dispatch(client: RegisterClient) -> None:
    assert client.sender_connected(KOMMUN_A)
    assert not client.sender_connected(KOMMUN_B)
    assert client.may_dispatch(OTHER, KOMMUN_A)
    assert not client.may_dispatch(OTHER, KOMMUN_B)
    assert not client.may_dispatch(KOMMUN_B, KOMMUN_A)


def test_an_answer_is_used_for_its_age_and_no_longer(
    client: RegisterClient, authority: FakeAuthority, clock: FrozenClock
) -> None:
    client.sender_connected(KOMMUN_A)
    authority.away = True
    clock.advance(timedelta(seconds=59))
    assert client.sender_connected(KOMMUN_A)
    assert authority.calls == 2
    clock.advance(timedelta(seconds=2))
    with pytest.raises(Refused) as caught:
        client.sender_connected(KOMMUN_A)
    assert caught.value.refusal is Refusal.UNAVAILABLE


def test_many_threads_ask_once(client: RegisterClient, authority: FakeAuthority) -> None:
    authority.hold = threading.Event()
    threads = [threading.Thread(target=client.sender_connected, args=(KOMMUN_A,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    authority.hold.set()
    for thread in threads:
        thread.join()
    assert authority.calls == 2


def test_in_the_background_the_lists_are_there_before_anybody_asks(
    client: RegisterClient, authority: FakeAuthority
) -> None:
    client.start()
    deadline = time.monotonic() + 10
    while authority.calls < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    client.stop()
    authority.away = True  # so that only what came in the background can be the answer
    while True:
        try:
            assert client.sender_connected(KOMMUN_A)
            break
        except Refused:
            assert time.monotonic() < deadline


class FakeRecipient:
    """Answers isReachable for these recipients, in this order."""

    def __init__(self, recipients: Sequence[str]) -> None:
        self.recipients = recipients

    def call(self, body: bytes, *, expected: str) -> etree._Element:
        rows = "".join(
            f"<return><r:AccountStatus><r:RecipientId>{each}</r:RecipientId><r:Type>Not</r:Type>"
            "<r:Pending>false</r:Pending></r:AccountStatus><r:SenderAccepted>false</r:SenderAccepted></return>"
            for each in self.recipients
        )
        names = f'xmlns="{RECIPIENT_V3}" xmlns:r="{RECIPIENT_V1}"'
        return parse_untrusted(f"<isReachableResponse {names}>{rows}</isReachableResponse>".encode())


@pytest.mark.parametrize(
    ("asked", "answered", "understood"),
    [
        ("12", "12", "12"),
        ("12", "21", "12"),
        ("123", "312", "123"),
        ("11", "11", "11"),
        ("121", "211", "211"),  # two answers for one recipient may differ
        ("12", "1", "1"),
        ("12", "13", "13"),
        ("12", "122", "122"),
    ],
)
def test_answers_that_name_the_recipients_in_another_order(
    asked: str, answered: str, understood: str, authority: FakeAuthority, clock: FrozenClock
) -> None:
    port = FakeRecipient(answered)
    client = RegisterClient(port, authority, max_age=timedelta(seconds=60), clock=clock)
    assert "".join(each.recipient for each in client.reachable(KOMMUN_A, asked)) == understood
