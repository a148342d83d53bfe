"""Exactly once, seen from outside, while processes are killed, clocks are set and operators misbehave.

The API, workers, RabbitMQ and PostgreSQL are killed with SIGKILL. What counts at the end: each message that was
accepted is in one mailbox once, or its sender is told that it failed, with a reason; and there is nothing else.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.demonstration import RECIPIENT, RECIPIENT_AT_TWO
from tests.conftest import POSTGRESQL, missing
from tests.e2e.books import FakeClock, dispatcher_database, entries, waiting
from tests.e2e.fake_operator import Numbers, serving
from tests.e2e.scaled_out import RABBITMQ, scaled_out
from tests.e2e.suite import Demonstration, Server, a_message, distribute, final_status, letter, until
from tests.e2e.test_crash import Senders
from tests.e2e.unruly_operator import UnrulyOperator

MESSAGES = int(os.environ.get("MM_SOAP_TEST_ONCE_MESSAGES", "300"))
"""How many messages are sent; set the variable to 5000 for the whole of it."""
SECONDS = 240 * max(1.0, MESSAGES / 300)
ROUNDS = max(1, MESSAGES // 600)
"""How often each victim is killed."""
# Two of three first attempts fail, so a breaker that opens after fewer errors is open most of the time.
QUICK = {
    **{"connect_timeout": 1.0, "answer_timeout": 1.0, "retry_first": 0.1, "retry_longest": 1.0},
    **{"calls_at_once": 12, "break_after": 12, "pause_first": 0.2, "pause_longest": 0.5},
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 120)]


@pytest.fixture
def parties(template: Path, tmp_path: Path) -> Iterator[Demonstration]:
    """Parties with workers, not served yet."""
    if RABBITMQ is None or POSTGRESQL is None:
        missing(
            "MM_SOAP_TEST_RABBITMQ or MM_SOAP_TEST_POSTGRESQL is not set: `make scaled-out` runs the tests with both"
        )
    own = Demonstration.copy_of(template, tmp_path / "demo")
    own.change("dispatcher", register_timeout=2.0)
    own.change("dispatcher.policy", **QUICK)
    with scaled_out(own):
        try:
            yield own
        finally:
            own.stop()


def kill_rabbitmq() -> None:
    start = Path(os.environ["MM_SOAP_TEST_RABBITMQ_START"])
    os.kill(int(start.with_name("pid").read_text()), signal.SIGKILL)
    subprocess.run([start], check=True, timeout=90)


def kill_postgresql() -> None:
    start = Path(os.environ["MM_SOAP_TEST_POSTGRESQL_START"])
    os.kill(int((start.parent / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    subprocess.run([start], check=True, timeout=90)


def kill(server: Server) -> Callable[[], None]:
    def again() -> None:
        server.kill()
        server.start()

    return again


def serve(parties: Demonstration, environment: dict[str, str]) -> tuple[list[Server], list[Server]]:
    """Serve two APIs and two workers beside the register and the operators."""
    servers = parties.serve_apart()
    second = Server(parties.config, ("dispatcher",))
    parties.servers.append(second)
    second.start()
    first_worker = parties.servers[-2]
    faked = Server(parties.config, environment=environment, port=second.port)
    (second_worker,) = parties.work(faked)
    return [servers["dispatcher"], second], [first_worker, second_worker]


def test_each_message_arrives_once_or_failed_with_a_reason(parties: Demonstration, tmp_path: Path) -> None:
    chance = random.Random()
    clock = FakeClock(tmp_path / "clock")
    apis, workers = serve(parties, clock.environment)
    unruly = [UnrulyOperator(), UnrulyOperator()]
    with ExitStack() as operators:
        numbers = Numbers()
        recipients = [RECIPIENT, RECIPIENT_AT_TWO]
        for one in unruly:
            recipients += numbers.register(parties, operators.enter_context(serving(one)), 10)
        letters = [(a_message(f"Beslut {n}"), recipients[n % len(recipients)]) for n in range(MESSAGES)]
        documents = [parties.signed(letter(recipient, message)) for message, recipient in letters]
        senders = Senders([api.url for api in apis], documents, SECONDS)
        victims = [
            *(kill(each) for each in (*apis, *workers)),
            *(kill_rabbitmq, kill_postgresql),
            *(lambda: clock.set(3600), lambda: clock.set(-3600), lambda: clock.set(0)),
        ] * ROUNDS
        chance.shuffle(victims)
        for number, victim in enumerate(victims):
            goal = number * MESSAGES // len(victims)
            until(lambda goal=goal: len(senders.ids) >= goal, SECONDS, "accepted messages", pause=0.01)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.5))
            victim()
        senders.wait()
        database = operators.enter_context(dispatcher_database(parties))
        until(lambda: waiting(database) == 0, SECONDS, "the end of all", pause=1.0)
        balance(parties, database, apis[0].url, [(*each, senders.ids[n]) for n, each in enumerate(letters)], unruly)
    repeated = chance.sample(range(MESSAGES), 10)
    assert [distribute(apis[1].url, documents[n]) for n in repeated] == [senders.ids[n] for n in repeated]


def balance(
    parties: Demonstration,
    database: Engine,
    url: str,
    sent: list[tuple[object, str, str]],
    unruly: list[UnrulyOperator],
) -> None:
    """Compare what was sent with the mailboxes, the statuses and the rows, message by message."""
    in_mailboxes: Counter[str] = Counter(
        each.message_id for recipient in (RECIPIENT, RECIPIENT_AT_TWO) for each in parties.mailbox(recipient)
    )
    for one in unruly:
        in_mailboxes.update(one.stored.keys())
        assert one.other_bytes == []
    refused = set().union(*(one.refused for one in unruly))
    known = entries(database)
    expected: Counter[str] = Counter()
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda each: final_status(url, each[2]), sent))
    for (message, _, distribution), (kind, delivered) in zip(sent, told, strict=True):
        identifier = message.id  # type: ignore[attr-defined]
        entry = known.pop(distribution)
        assert kind == "Digital"
        assert entry.claim is None
        if delivered == "Delivered":
            expected[identifier] += 1
            assert entry.state == "delivered"
        else:
            assert delivered == "DeliveryFailed"
            assert identifier in refused
            assert entry.reason
    assert known == {}
    assert in_mailboxes == expected
