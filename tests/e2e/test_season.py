"""A tax season in small: one big batch while everything goes wrong that does, and then the books, row by row.

`mm-soap send --batch` sends it, and is killed on the way. Of the two operators, one fails a third of its calls, and the
other is away for a while: for ten minutes in a season of 100 000. What accepts and what delivers is killed throughout,
and the clock of one worker is set forward and back.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.demonstration import KOMMUN_A, RECIPIENT, RECIPIENT_AT_TWO, UNKNOWN
from mm_soap.errors import Refused
from tests.e2e.books import FakeClock, count, dispatcher_database, entries
from tests.e2e.fake_operator import Answer, FakeOperator, Numbers, messages_in, result, serving
from tests.e2e.suite import COMMAND, Demonstration, Server, until

MESSAGES = int(os.environ.get("MM_SOAP_TEST_SEASON_MESSAGES", "300"))
"""How many rows the batch has: `make season N=100000` for the whole of it."""
KILLS = max(3, min(100, MESSAGES // 300))
SECONDS = 150 + MESSAGES * 0.25
AWAY_SECONDS = min(600.0, MESSAGES * 0.006)
NOBODY_EVERY = 50
"""Each such row is for somebody without a mailbox."""
QUICK = {"retry_first": 0.1, "retry_longest": 2.0, "pause_first": 0.2, "pause_longest": 1.0, "answer_timeout": 5.0}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 120)]


@dataclass
class FlakyOperator(FakeOperator):
    """Fails a third of its calls: some before it has stored the message, some after. It stores each message once."""

    stored: dict[str, bytes] = field(default_factory=dict)
    """The digest of what came, by the message's id."""
    owners: dict[str, str] = field(default_factory=dict)
    other_bytes: list[str] = field(default_factory=list)
    calls: int = 0
    failed: int = 0
    chance: random.Random = field(default_factory=random.Random)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes) -> Answer:
        """Answer a call for one message."""
        (message,) = messages_in([body])
        (owner,) = (each.decode() for each in re.findall(rb"<Recipient [^>]*>(\d{12})<", body))
        digest = sha256(body).digest()
        with self.lock:
            mood = self.chance.randrange(6)
            self.calls += 1
            self.failed += mood < 2
            if mood != 0 and self.stored.setdefault(message, digest) != digest:
                self.other_bytes.append(message)
            self.owners[message] = owner
        return {0: Answer(500, b"Internal Server Error", content_type="text/plain"), 1: Answer(None)}.get(
            mood, result(body)
        )


class Client:
    """A run of `mm-soap send --batch`, which may be killed and started again."""

    def __init__(self, demonstration: Demonstration, dispatcher: Server, file: Path) -> None:
        options = ("--sender", KOMMUN_A.number, "--batch", file, "--connections", "8", "--timeout", SECONDS)
        self._command = [*COMMAND, "send", "--config", str(demonstration.config), *map(str, options)]
        self._environment = {**os.environ, "MM_SOAP_PORT": str(dispatcher.port)}
        self._log = file.with_suffix(".log")
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def restart(self) -> None:
        self._process.kill()
        self._process.wait()
        self.start()

    def check(self) -> None:
        """Fail if it has ended: one that gave up would leave the test waiting."""
        assert self._process.poll() is None, self._log.read_text()[-3000:]

    def wait(self) -> None:
        assert self._process.wait(SECONDS) == 1, self._log.read_text()[-3000:]  # some have no mailbox


def batch(folder: Path, recipients: list[str]) -> Path:
    file = folder / "season.jsonl"
    with file.open("w", encoding="utf-8") as rows:
        for n in range(MESSAGES):
            recipient = UNKNOWN if n % NOBODY_EVERY == 0 else recipients[n % len(recipients)]
            rows.write(json.dumps({"recipient": recipient, "subject": f"Slutskatt {n}", "body": "Hej på dig."}) + "\n")
    return file


def again(server: Server) -> Callable[[], None]:
    def kill() -> None:
        server.kill()
        server.start()

    return kill


@dataclass
class Absence:
    """An operator that goes, and comes back no sooner than `AWAY_SECONDS` later. Meanwhile the killing goes on."""

    operator: Server
    kill_another: Callable[[], None]
    seconds: float = 0.0

    def begin(self) -> None:
        self._since = time.monotonic()
        self.operator.kill()

    def end(self) -> None:
        while time.monotonic() < self._since + AWAY_SECONDS:
            time.sleep(min(10.0, AWAY_SECONDS))
            self.kill_another()
        self.seconds = time.monotonic() - self._since
        self.operator.start()


def victims_of(parties: Demonstration, clock: FakeClock) -> tuple[Server, list[Server]]:
    """Serve all parties. Return the dispatcher, and what is to be killed: it, and the workers where it has some."""
    dispatcher = parties.serve_apart()["dispatcher"]
    if not parties.scaled_out:
        return dispatcher, [dispatcher]  # its clock stays: certificates made just now would not be valid before it
    first = parties.servers[-1]
    (second,) = parties.work(Server(parties.config, environment=clock.environment, port=dispatcher.port))
    return dispatcher, [dispatcher, first, second, first, second]


def test_the_books_balance_after_a_season(fresh: Demonstration, tmp_path: Path) -> None:
    fresh.change("dispatcher.policy", **QUICK)
    clock, flaky, chance = FakeClock(tmp_path / "clock"), FlakyOperator(), random.Random()
    dispatcher, victims = victims_of(fresh, clock)
    operator = next(each for each in fresh.servers if each.parties == ("operator",))
    absence = Absence(operator, lambda: again(chance.choice(victims))())
    began = time.monotonic()
    with ExitStack() as stack:
        database = stack.enter_context(dispatcher_database(fresh))
        theirs = Numbers().register(fresh, stack.enter_context(serving(flaky)), 20)
        # Half of the messages are for each of the two.
        ours = [RECIPIENT, RECIPIENT_AT_TWO] * 10
        file = batch(tmp_path, [each for pair in zip(theirs, ours, strict=True) for each in pair])
        client = Client(fresh, dispatcher, file)
        plan = [
            (0.15, absence.begin),
            (0.3, client.restart),
            (0.45, absence.end),  # the others' half brings that many alone
            *((0.95 * n / KILLS, again(chance.choice(victims))) for n in range(KILLS)),
            *((chance.uniform(0, 0.9), lambda seconds=each: clock.set(seconds)) for each in (3600, -3600)),
            (0.95, lambda: clock.set(0)),
        ]
        for share, happen in sorted(plan, key=lambda each: each[0]):
            until(
                lambda share=share: client.check() or delivered(database) >= share * MESSAGES * 0.98,
                SECONDS,
                f"{share:.0%} of the messages",
            )  # type: ignore[misc]
            print(f"{share:.0%} are delivered after {time.monotonic() - began:.0f} seconds")
            happen()
        client.wait()
        print(f"All are after {time.monotonic() - began:.0f} seconds")
        balance(fresh, database, file, flaky)
    assert flaky.failed > flaky.calls / 5
    assert absence.seconds >= AWAY_SECONDS


def delivered(database: Engine) -> int:
    try:
        return count(database, "delivered")
    except Refused:
        return -1


def balance(parties: Demonstration, database: Engine, file: Path, flaky: FlakyOperator) -> None:
    """Compare the client's report, the dispatcher's rows and the mailboxes, message by message, and whose they are."""
    in_mailboxes = Counter(
        (recipient, each.message_id)
        for recipient in (RECIPIENT, RECIPIENT_AT_TWO)
        for each in parties.mailbox(recipient)
    )
    in_mailboxes.update((flaky.owners[message], message) for message in flaky.stored)
    assert flaky.other_bytes == []
    known = entries(database)
    expected: Counter[tuple[str, str]] = Counter()
    lines = []
    with file.with_name(f"{file.name}.report.csv").open(encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            lines.append(int(row["line"]))
            if row["recipient"] == UNKNOWN:
                assert (row["state"], row["distribution_id"]) == ("unreachable", "")
                assert row["reason"]
                continue
            told = (row["state"], row["channel"], row["delivery_status"])
            assert told == ("ended", "digital", "Delivered"), row["reason"]
            entry = known.pop(row["distribution_id"])
            assert (entry.state, entry.ended, entry.claim) == ("delivered", True, None)
            expected[row["recipient"], row["message_id"]] += 1
    assert lines == list(range(1, MESSAGES + 1))
    assert known == {}
    assert in_mailboxes == expected
    assert set(expected.values()) == {1}
