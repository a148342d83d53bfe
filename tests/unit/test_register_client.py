"""The lists of senders and dispatchers are kept for a stated time, and one thread at a time asks for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from lxml import etree

from mm_soap.errors import Refusal, Refused, TransportError
from mm_soap.register_client import RegisterClient
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
        self.dispatchers = DISPATCHERS
        self.calls = 0
        self.hold: threading.Event | None = None
        self.senders = SENDERS

    def connect(self, sender: str) -> None:
        """Add a sender, for which the other one dispatches."""
        more = f"<return><s:Id>{sender}</s:Id></return></a:getSendersResponse>"
        listed = f"<d:Senders>{sender}</d:Senders></return>"
        self.senders = SENDERS.replace("</a:getSendersResponse>", more)
        self.dispatchers = DISPATCHERS.replace("</return>", listed)

    def call(self, body: bytes, *, expected: str) -> etree._Element:
        self.calls += 1
        if self.hold is not None:
            self.hold.wait(10)
        if self.away:
            raise TransportError("no answer")
        return parse_untrusted((self.senders if b"getSenders" in body else self.dispatchers).encode())


@pytest.fixture
def authority() -> FakeAuthority:
    return FakeAuthority()


class Elapsed:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def elapsed() -> Elapsed:
    return Elapsed()


@pytest.fixture
def client(authority: FakeAuthority, elapsed: Elapsed) -> RegisterClient:
    return RegisterClient(authority, authority, max_age=60, grace=600, elapsed=elapsed)


def test_who_is_connected_and_who_may_dispatch(client: RegisterClient) -> None:
    assert client.sender_connected(KOMMUN_A)
    assert not client.sender_connected(KOMMUN_B)
    assert client.may_dispatch(OTHER, KOMMUN_A)
    assert not client.may_dispatch(OTHER, KOMMUN_B)
    assert not client.may_dispatch(KOMMUN_B, KOMMUN_A)


def test_lists_are_asked_for_again_at_their_age(
    client: RegisterClient, authority: FakeAuthority, elapsed: Elapsed
) -> None:
    assert client.may_dispatch(OTHER, KOMMUN_A)
    authority.dispatchers = DISPATCHERS.replace(f"<d:Senders>{KOMMUN_A}</d:Senders>", "")
    elapsed.seconds += 59
    assert client.may_dispatch(OTHER, KOMMUN_A)
    assert authority.calls == 2
    elapsed.seconds += 1
    assert not client.may_dispatch(OTHER, KOMMUN_A)
    assert authority.calls == 4


def test_while_the_register_is_away_old_lists_serve_for_the_grace_and_no_longer(
    client: RegisterClient, authority: FakeAuthority, elapsed: Elapsed
) -> None:
    client.sender_connected(KOMMUN_A)
    authority.away = True
    elapsed.seconds += 659
    assert client.sender_connected(KOMMUN_A)
    elapsed.seconds += 1
    for _ in range(3):
        with pytest.raises(Refused) as caught:
            client.sender_connected(KOMMUN_A)
        assert caught.value.refusal is Refusal.UNAVAILABLE
    authority.away = False
    assert client.sender_connected(KOMMUN_A)


def test_a_register_that_is_away_is_not_asked_at_each_call(
    client: RegisterClient, authority: FakeAuthority, elapsed: Elapsed
) -> None:
    client.sender_connected(KOMMUN_A)
    authority.away, authority.calls = True, 0
    elapsed.seconds += 100
    for _ in range(20):
        assert client.sender_connected(KOMMUN_A)
    assert authority.calls == 1
    elapsed.seconds += 1
    assert client.sender_connected(KOMMUN_A)
    assert authority.calls == 2


def test_without_a_grace_old_lists_do_not_serve(authority: FakeAuthority, elapsed: Elapsed) -> None:
    client = RegisterClient(authority, authority, max_age=60, elapsed=elapsed)
    client.sender_connected(KOMMUN_A)
    authority.away = True
    elapsed.seconds += 60
    with pytest.raises(Refused):
        client.sender_connected(KOMMUN_A)


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


@pytest.mark.parametrize("ask_again", [False, True])
def test_who_was_connected_a_moment_ago_is_known_where_the_register_is_asked_again(
    authority: FakeAuthority, ask_again: bool
) -> None:
    client = RegisterClient(authority, authority, max_age=60, ask_again=ask_again)
    assert not client.sender_connected(KOMMUN_B)
    authority.connect(KOMMUN_B)
    assert client.sender_connected(KOMMUN_B) == ask_again
    assert client.may_dispatch(OTHER, KOMMUN_B) == ask_again
    calls = authority.calls
    assert client.sender_connected(KOMMUN_A)
    assert client.may_dispatch(OTHER, KOMMUN_A)
    assert authority.calls == calls  # who is on the list that is kept costs no question


def test_where_the_register_is_away_nobody_is_refused_for_good(authority: FakeAuthority) -> None:
    client = RegisterClient(authority, authority, max_age=60, ask_again=True)
    assert client.sender_connected(KOMMUN_A)
    authority.away = True
    with pytest.raises(Refused) as caught:
        client.sender_connected(KOMMUN_B)
    assert caught.value.refusal is Refusal.UNAVAILABLE
    assert client.sender_connected(KOMMUN_A)


_OPERATOR = (
    "<r:ServiceSupplier><r:Id>165560000002</r:Id><r:Name>Lådan</r:Name>"
    "<r:ServiceAdress> https://box.example/service </r:ServiceAdress></r:ServiceSupplier>"
)


class FakeRecipient:
    """Answers isReachable for these recipients, in this order, each with the same status."""

    def __init__(
        self,
        recipients: Sequence[str],
        kind: str = "Not",
        pending: str = "false",
        accepted: str = "false",
        rest: str = "",
    ) -> None:
        self.recipients = recipients
        self.told = f"<r:Type>{kind}</r:Type><r:Pending>{pending}</r:Pending>{rest}</r:AccountStatus>"
        self.accepted = f"<r:SenderAccepted>{accepted}</r:SenderAccepted>"

    def call(self, body: bytes, *, expected: str) -> etree._Element:
        rows = "".join(
            f"<return><r:AccountStatus><r:RecipientId>{each}</r:RecipientId>{self.told}{self.accepted}</return>"
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
    asked: str, answered: str, understood: str, authority: FakeAuthority
) -> None:
    port = FakeRecipient(answered)
    client = RegisterClient(port, authority, max_age=60)
    assert "".join(each.recipient for each in client.reachable(KOMMUN_A, asked)) == understood


@pytest.mark.parametrize(
    ("status", "registered", "accepted"),
    [
        (("Secure", "false", "true", _OPERATOR), True, True),
        (("Anonymous", "0", "1", _OPERATOR), True, True),
        (("Secure", "false", "false", _OPERATOR), True, False),
        (("Secure", "false", "0", _OPERATOR), True, False),
        (("Secure", "true", "true", _OPERATOR), False, True),
        (("Secure", "1", " true ", _OPERATOR), False, True),
        (("Not", "false", "true", _OPERATOR), False, True),
        (("Secure", " false ", "true", ""), False, True),
    ],
)
def test_what_an_answer_says_of_a_recipient(
    status: tuple[str, str, str, str], registered: bool, accepted: bool, authority: FakeAuthority
) -> None:
    client = RegisterClient(FakeRecipient("1", *status), authority, max_age=60)
    (told,) = client.reachable(KOMMUN_A, "1")
    assert (told.registered, told.sender_accepted) == (registered, accepted)
    operator = ("165560000002", "https://box.example/service") if status[3] else (None, None)
    assert (told.operator, told.address) == operator
