"""SIGKILL at any moment: what was accepted is in a mailbox once."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

from mm_soap.demonstration import RECIPIENT, RECIPIENT_AT_TWO
from mm_soap.errors import Refused
from tests.e2e.suite import Demonstration, Fault, Server, a_message, distribute, final_status, letter, until

MESSAGES = int(os.environ.get("MM_SOAP_TEST_CRASH_MESSAGES", "300"))
"""How many messages are sent; set the variable to 1000 or more for a longer run."""

KILLS = max(3, MESSAGES // 100)
SENDERS = 4
RECIPIENTS = (RECIPIENT, RECIPIENT_AT_TWO)
SECONDS = 80 * max(1.0, MESSAGES / 300)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 40)]


class Senders:
    """Threads that each send a share of the deliveries, and the same bytes again when no answer comes."""

    def __init__(self, urls: Sequence[str], documents: Sequence[bytes], seconds: float = SECONDS) -> None:
        self._urls = urls
        self._seconds = seconds
        self.ids: dict[int, str] = {}
        self.repeated = 0
        self._documents = documents
        self._pool = ThreadPoolExecutor(SENDERS)
        self._ended = [self._pool.submit(self._send, range(n, len(documents), SENDERS)) for n in range(SENDERS)]

    def _send(self, share: range) -> None:
        for number in share:
            self.ids[number] = self._until_accepted(self._documents[number])

    def _until_accepted(self, document: bytes) -> str:
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                return distribute(random.choice(self._urls), document, timeout=10)
            except (OSError, HTTPException, Refused):  # Refused: the answer broke off
                assert time.monotonic() < deadline
            except Fault as fault:
                assert fault.code < 5000, fault  # noqa: PT017
            self.repeated += 1
            time.sleep(0.1)

    def wait(self) -> None:
        for each in self._ended:
            each.result()
        self._pool.shutdown()

    @property
    def busy(self) -> bool:
        return not all(each.done() for each in self._ended)


def run(demonstration: Demonstration, url: str, victim: Server) -> None:
    """Send everything while the victim is killed again and again, and count what is in the mailboxes."""
    chance = random.Random()
    messages = [a_message(f"Beslut {number}") for number in range(MESSAGES)]
    documents = [
        demonstration.signed(letter(RECIPIENTS[number % 2], message)) for number, message in enumerate(messages)
    ]
    senders = Senders([url], documents)
    kills = 0
    while kills < KILLS or senders.busy:
        if kills == KILLS:
            senders.wait()
            break
        goal = len(senders.ids) + chance.randint(1, MESSAGES // (KILLS + 1))
        until(lambda goal=goal: len(senders.ids) >= min(goal, MESSAGES), SECONDS, "accepted messages", pause=0.002)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.05))
        victim.kill()
        kills += 1
        victim.start()

    assert len(senders.ids) == MESSAGES
    assert len(set(senders.ids.values())) == MESSAGES
    again = chance.sample(range(MESSAGES), 10)
    assert [distribute(url, documents[number]) for number in again] == [senders.ids[number] for number in again]
    for distribution in senders.ids.values():
        assert final_status(url, distribution, seconds=SECONDS) == ("Digital", "Delivered")
    found = Counter(each.message_id for recipient in RECIPIENTS for each in demonstration.mailbox(recipient))
    assert found == Counter({message.id: 1 for message in messages})


QUICK = {"retry_first": 0.1, "retry_longest": 1.0}


def test_the_whole_process_is_killed(fresh: Demonstration) -> None:
    fresh.change("dispatcher.policy", **QUICK)
    server = fresh.serve(MM_SOAP_THREADS="64")
    run(fresh, server.url, server)


@pytest.mark.parametrize("victim", ["operator", "dispatcher"])
def test_one_party_is_killed(fresh: Demonstration, victim: str) -> None:
    fresh.change("dispatcher.policy", **QUICK)
    servers = fresh.serve_apart()
    run(fresh, servers["dispatcher"].url, servers[victim])


def test_the_worker_alone_is_killed(fresh: Demonstration) -> None:
    """Its master starts another, and the engine in that one takes over."""
    server = fresh.serve()
    first = server.workers()
    documents = [fresh.signed(letter()) for _ in range(20)]
    accepted = [distribute(server.url, document) for document in documents]
    server.kill_workers()
    until(lambda: bool(set(server.workers()) - set(first)), 20, "another worker")
    for distribution in accepted:
        assert final_status(server.url, distribution) == ("Digital", "Delivered")
    assert len(fresh.mailbox()) == len(accepted)
