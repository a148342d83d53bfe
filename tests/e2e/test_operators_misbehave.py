"""Operators and a register that answer late, wrong, twice or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from mm_soap.demonstration import RECIPIENT, UNKNOWN
from mm_soap.far import Operator
from tests.e2e.fake_operator import Answer, FakeOperator, Numbers, fault, messages_in, replies, result, serving, soap
from tests.e2e.suite import (
    Demonstration,
    Fault,
    Server,
    a_message,
    company,
    distribute,
    final_status,
    free_port,
    letter,
    mm_soap,
    send_all,
    status,
    stopped_at_the_end,
    until,
)

DELIVERED, FAILED = ("Digital", "Delivered"), ("Digital", "DeliveryFailed")
IMPATIENT = {"answer_timeout": 1.0, "retry_first": 0.1, "retry_longest": 0.5}
NUMBERS = Numbers()

Make = Callable[..., FakeOperator]


@pytest.fixture(scope="module")
def chain(fresh_for_module: Demonstration) -> Demonstration:
    """A dispatcher that soon tries again."""
    fresh_for_module.change("dispatcher.policy", **IMPATIENT)
    fresh_for_module.serve()
    return fresh_for_module


@pytest.fixture(scope="module")
def url(chain: Demonstration) -> str:
    return chain.servers[0].url


@pytest.fixture
def operator(chain: Demonstration) -> Iterator[Make]:
    """Makes operators that answer so, each with recipients of its own."""
    with ExitStack() as open_servers:

        def make(*chosen: Answer, recipients: int = 1) -> FakeOperator:
            one = FakeOperator(replies(*chosen) if chosen else [result])
            address = open_servers.enter_context(serving(one))
            one.recipients = NUMBERS.register(chain, address, recipients)
            return one

        yield make


def reason_of(demonstration: Demonstration, distribution: str) -> str:
    last = demonstration.trace(distribution)[-1]
    assert last["outcome"] == "failed"
    return str(last["detail"]["reason"])


# Technical errors are tried again, with the same bytes


@pytest.mark.parametrize(
    "first",
    [
        Answer(500, b"<html>Internal Server Error</html>", content_type="text/html"),
        Answer(503),
        Answer(200, b"<html>Welcome</html>", content_type="text/html"),
        Answer(200, b"\x00\xff garbage", content_type="text/xml"),
        Answer(200, b"<a><b></a>"),
        Answer(302),
        Answer(None),  # stored, perhaps, and the connection is cut
        Answer(200, after=1.6),  # in time for nobody
        fault(4000),
        fault(1),
        soap("<e:Fault><faultcode>e:Server</faultcode><faultstring>no detail</faultstring></e:Fault>", 500),
        soap('<other xmlns="urn:example"/>'),
        soap('<deliverSecureResponse xmlns="http://minameddelanden.gov.se/schema/Service/v3"/>'),
    ],
    ids=[
        *("500", "503", "web page", "garbage", "not well-formed", "redirect", "cut", "late"),
        *("fault 4000", "fault 1", "fault without detail", "another element", "not by the schema"),
    ],
)
def test_technical_errors_are_tried_again(chain: Demonstration, url: str, operator: Make, first: Answer) -> None:
    one = operator(first, first)
    one.replies.append(result)
    distribution = distribute(url, chain.signed(letter(one.recipients[0])))
    assert final_status(url, distribution) == DELIVERED
    assert len(one.bodies) == 3
    assert len(set(one.bodies)) == 1
    outcomes = [step["outcome"] for step in chain.trace(distribution) if step["kind"] == "hand-over"]
    assert outcomes == ["retry", "retry", "delivered"]


def test_an_answer_that_does_not_fit_the_question_is_tried_again(
    chain: Demonstration, url: str, operator: Make
) -> None:
    one = operator()
    one.replies = [lambda body: result(body, recipient=UNKNOWN), lambda body: result(body, delivered="maybe"), result]
    assert final_status(url, distribute(url, chain.signed(letter(one.recipients[0])))) == DELIVERED
    assert len(one.bodies) == 3
    assert len(set(one.bodies)) == 1


# Refusals are final


@pytest.mark.parametrize("code", [5000, 5002, 5006, 9998])
def test_a_refusal_is_final(chain: Demonstration, url: str, operator: Make, code: int) -> None:
    one = operator(fault(code))
    distribution = distribute(url, chain.signed(letter(one.recipients[0])))
    assert final_status(url, distribution) == FAILED
    time.sleep(0.3)
    assert len(one.bodies) == 1
    assert str(code) in reason_of(chain, distribution)


def test_not_delivered_is_final(chain: Demonstration, url: str, operator: Make) -> None:
    one = operator()
    one.replies = [lambda body: result(body, delivered="0")]
    distribution = distribute(url, chain.signed(letter(one.recipients[0])))
    assert final_status(url, distribution) == FAILED
    assert len(one.bodies) == 1
    assert "no such mailbox" in reason_of(chain, distribution)


# One operator does not hold up another


def test_a_slow_operator_holds_up_nobody_else(chain: Demonstration, url: str, operator: Make) -> None:
    slow, quick = operator(Answer(None, after=0.9), recipients=20), operator(recipients=10)
    waiting = send_all(url, [chain.signed(letter(each)) for each in slow.recipients])
    until(lambda: len(slow.bodies) > 0, 10, "a call to the slow one")
    began = time.monotonic()
    for each in send_all(url, [chain.signed(letter(each)) for each in quick.recipients]):
        assert final_status(url, each) == DELIVERED
    assert time.monotonic() - began < 5
    assert {status(url, each) for each in waiting} == {("Digital", "Pending")}
    slow.replies = [result]
    for each in waiting:
        assert final_status(url, each) == DELIVERED


def test_at_most_so_many_calls_at_once(chain: Demonstration, url: str, operator: Make) -> None:
    one = operator(recipients=12)
    under_way: list[int] = []
    now = 0

    def counted(body: bytes) -> Answer:
        nonlocal now
        with one.lock:
            now += 1
            under_way.append(now)
        time.sleep(0.1)
        with one.lock:
            now -= 1
        return result(body)

    one.replies = [counted]
    for each in send_all(url, [chain.signed(letter(each)) for each in one.recipients]):
        assert final_status(url, each) == DELIVERED
    assert 1 < max(under_way) <= 4


def test_a_dead_operator_that_comes_back(chain: Demonstration, url: str) -> None:
    """Every delivery comes once, though the operator missed the beginning of each."""
    port, one = free_port(), FakeOperator()
    recipients = NUMBERS.register(chain, f"http://127.0.0.1:{port}/Service/v3", 5)
    messages = [a_message() for _ in recipients]
    pairs = zip(recipients, messages, strict=True)
    accepted = send_all(url, [chain.signed(letter(recipient, message)) for recipient, message in pairs])
    until(lambda: {status_or_none(url, each) for each in accepted} == {"Pending"}, 10, "all to be sealed")
    with serving(one, port):
        for each in accepted:
            assert final_status(url, each) == DELIVERED
    assert sorted(messages_in(one.bodies)) == sorted(message.id for message in messages)


def status_or_none(url: str, distribution: str) -> str | None:
    try:
        return status(url, distribution)[1]
    except Fault:
        return None


# Given up


@pytest.fixture(scope="module")
def short_of_time(template: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A dispatcher that gives up after two seconds."""
    with stopped_at_the_end(Demonstration.copy_of(template, tmp_path_factory.mktemp("short") / "demo")) as own:  # type: ignore[arg-type]
        own.change("dispatcher.policy", **IMPATIENT, give_up_after=2.0)
        own.serve()
        yield own


def test_a_delivery_that_cannot_be_made_fails_with_a_reason(short_of_time: Demonstration) -> None:
    url = short_of_time.servers[0].url
    (recipient,) = NUMBERS.register(short_of_time, f"http://127.0.0.1:{free_port()}/Service/v3", 1)
    began = time.monotonic()
    distribution = distribute(url, short_of_time.signed(letter(recipient)))
    assert final_status(url, distribution) == FAILED
    assert time.monotonic() - began < 8
    assert reason_of(short_of_time, distribution).startswith("Given up: ")


def test_all_that_waits_for_a_dead_operator_is_given_up_in_time(short_of_time: Demonstration) -> None:
    url = short_of_time.servers[0].url
    recipients = NUMBERS.register(short_of_time, f"http://127.0.0.1:{free_port()}/Service/v3", 20)
    for each in send_all(url, [short_of_time.signed(letter(each)) for each in recipients]):
        assert final_status(url, each, seconds=12) == FAILED


# The register is away


@pytest.mark.slow
def test_the_register_is_away_for_a_while(fresh: Demonstration) -> None:
    fresh.change("dispatcher.policy", **IMPATIENT)
    servers = fresh.serve_apart()
    url = servers["dispatcher"].url
    assert final_status(url, distribute(url, fresh.signed(letter()))) == DELIVERED

    servers["far"].kill()
    message = a_message()
    accepted = distribute(url, fresh.signed(letter(RECIPIENT, message)))  # by the parties that were asked before
    with pytest.raises(Fault) as unknown:
        status(url, accepted)
    assert unknown.value.code == 5004
    until(lambda: any(step["outcome"] == "retry" for step in fresh.trace(accepted)), 10, "a try")
    servers["far"].start()
    assert final_status(url, accepted) == DELIVERED
    assert fresh.count_in_mailbox(message.id) == 1


@pytest.mark.slow
def test_a_register_that_was_never_there_is_a_technical_fault(fresh: Demonstration) -> None:
    fresh.change("dispatcher", register_url=f"http://127.0.0.1:{free_port()}")
    server: Server = fresh.serve("dispatcher")
    document = fresh.signed(letter())
    for _ in range(2):
        with pytest.raises(Fault) as away:
            distribute(server.url, document)
        assert away.value.code == 4000


# The circuit breaker


@pytest.fixture(scope="module")
def with_breakers(template: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A dispatcher that soon leaves an operator alone, and for which two calls try whether it is well again."""
    breaker = {"break_after": 3, "pause_first": 3.0, "pause_longest": 3.0, "probes": 2}
    with stopped_at_the_end(Demonstration.copy_of(template, tmp_path_factory.mktemp("breakers") / "demo")) as own:  # type: ignore[arg-type]
        own.change("dispatcher.policy", **IMPATIENT, **breaker)
        own.serve()
        yield own


@dataclass
class Counting:
    """Fails until it is well, holds each call for a moment, and notes how many came at once."""

    well: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0
    most: int = 0
    most_before_an_answer: int = 0

    def __call__(self, body: bytes) -> Answer:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        if self.well.is_set():
            self.let_go.wait(10)
        with self.lock:
            self.under_way -= 1
            if self.well.is_set() and not self.most_before_an_answer:
                self.most_before_an_answer = self.most
        return result(body) if self.well.is_set() else Answer(503)


def test_an_operator_in_trouble_is_left_alone_and_then_probed(with_breakers: Demonstration) -> None:
    url = with_breakers.servers[0].url
    one, counting = FakeOperator(), Counting()
    one.replies = [counting]
    with serving(one) as address:
        recipients = NUMBERS.register(with_breakers, address, 12)
        accepted = send_all(url, [with_breakers.signed(letter(each)) for each in recipients])
        until(lambda: "is left alone for 3 seconds" in said(with_breakers), 20, "the pause")
        until(lambda: {status_or_none(url, each) for each in accepted} == {"Pending"}, 10, "all to be sealed")
        before = len(one.bodies)
        assert before <= 6  # three that failed, and those that were under way with them

        # Who asks is told why nothing happens, and when it goes on.
        waiting = with_breakers.trace(accepted[-1])[-1]
        assert (waiting["party"], waiting["kind"], waiting["outcome"]) == ("dispatcher", "now", "waiting")
        assert "did not answer as it should" in waiting["detail"]["reason"]
        assert "HTTP 503" in waiting["detail"]["reason"]
        assert datetime.fromisoformat(waiting["detail"]["next_attempt"]).tzinfo is not None
        told = mm_soap("status", accepted[-1], "--config", with_breakers.config, "--json", MM_SOAP_PORT=port_of(url))
        assert "did not answer as it should" in json.loads(told.stdout)["waits"]

        counting.most = 0
        counting.well.set()
        until(lambda: counting.under_way == 2, 20, "two probes")
        counting.let_go.set()
        for each in accepted:
            assert final_status(url, each) == DELIVERED
        assert counting.most_before_an_answer == 2
    assert sorted(messages_in(one.bodies[-12:])) == sorted(set(messages_in(one.bodies)))
    by_message: dict[str, set[bytes]] = {}
    for body in one.bodies:
        by_message.setdefault(*messages_in([body]), set()).add(body)
    assert {len(bodies) for bodies in by_message.values()} == {1}  # the same bytes at every attempt
    assert "answers again" in said(with_breakers)
    assert with_breakers.trace(accepted[-1])[-1]["outcome"] != "waiting"


def said(demonstration: Demonstration) -> str:
    """What the logs say; with workers, it is one of them that delivers."""
    return "".join(each.output() for each in demonstration.servers)


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


# A policy for one operator


def test_codes_limits_and_patience_of_one_operator(fresh: Demonstration) -> None:
    one, other = FakeOperator([*replies(fault(5003), fault(5003)), result]), FakeOperator(replies(fault(5003)))
    with serving(one) as address, serving(other) as other_address:
        (recipient,) = NUMBERS.register(fresh, address, 1)
        number = company(NUMBERS.operators)
        (recipient_of_other,) = NUMBERS.register(fresh, other_address, 1)
        own = {"operator": number, "technical_codes": ["0-4999", "5003"], "retry_first": 0.1}
        with fresh.config.open("a") as file:
            file.write("[[dispatcher.operator_policy]]\n")
            file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in own.items())
        url = fresh.serve().url
        assert final_status(url, distribute(url, fresh.signed(letter(recipient)))) == DELIVERED
        assert final_status(url, distribute(url, fresh.signed(letter(recipient_of_other)))) == FAILED
    assert (len(one.bodies), len(set(one.bodies)), len(other.bodies)) == (3, 1, 1)


# An operator that moves


def test_an_operator_that_moves_while_a_delivery_waits(fresh: Demonstration) -> None:
    fresh.change("dispatcher", address_age=1.0)
    fresh.change("dispatcher.policy", **IMPATIENT)
    url = fresh.serve().url
    old, new = FakeOperator(replies(Answer(None))), FakeOperator()
    with serving(old) as address, serving(new) as new_address:
        (recipient,) = NUMBERS.register(fresh, address, 1)
        distribution = distribute(url, fresh.signed(letter(recipient)))
        until(lambda: len(old.bodies) > 1, 20, "an attempt")
        with fresh.register() as register:
            number = company(NUMBERS.operators)
            register.add_operator(Operator(number, f"Brevlåda {number}", new_address, new_address))
        assert final_status(url, distribution) == DELIVERED
    assert set(new.bodies) == set(old.bodies)
    assert len(new.bodies) == 1
    assert "new-address" in [step["outcome"] for step in fresh.trace(distribution)]


# An answer that drips


def test_the_time_limit_is_that_of_the_whole_answer(chain: Demonstration, url: str) -> None:
    """Each byte comes in time, the last of them would not."""
    one = FakeOperator(replies(Answer(200, b" " * 40, drips=0.25)))
    one.replies.append(result)
    with serving(one) as address:
        (recipient,) = NUMBERS.register(chain, address, 1)
        began = time.monotonic()
        assert final_status(url, distribute(url, chain.signed(letter(recipient)))) == DELIVERED
        assert time.monotonic() - began < 8
    assert len(one.bodies) == 2
