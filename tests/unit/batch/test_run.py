"""Runs of a batch against a dispatcher and a register that fail in every way, with crashes between any two steps."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mm_soap.batch.journal import Journal
from mm_soap.batch.letters import Letters
from mm_soap.batch.model import Outcome, State
from mm_soap.batch.rows import BatchFile
from mm_soap.batch.run import Batch, Pace
from mm_soap.clock import system_clock
from mm_soap.errors import RemoteFault, TransportError
from mm_soap.message import Limits, Party
from mm_soap.pki import Identity
from mm_soap.register_client import Reached
from mm_soap.sender import DistributionStatus
from mm_soap.testing import TestPki

SENDER = "162021004748"
ROWS = 24
HERE, AWAY = "192705178354", "191212121212"


class Crash(Exception):
    """The process ends here."""


class FakeDispatcher:
    """Answers the same bytes with the same id; goes wrong as it is told, before or after it has stored them."""

    def __init__(self, troubles: Sequence[str] = ()) -> None:
        self.stored: dict[bytes, str] = {}
        self._troubles = list(troubles)
        self._lock = threading.Lock()

    def distribute(self, document: bytes) -> str:
        with self._lock:
            trouble = self._troubles.pop(0) if self._troubles else ""
            if trouble == "away":
                raise TransportError("no answer")
            if trouble == "technical":
                raise RemoteFault(4000, "later", "call")
            if trouble == "refused":
                raise RemoteFault(5001, "no", "call")
            known = self.stored.setdefault(document, f"id-{len(self.stored)}")
            if trouble == "answer lost":
                raise TransportError("no answer")
            if trouble == "crash":
                raise Crash
            return known

    def status(self, sender: str, distribution_id: str) -> DistributionStatus:
        assert sender == SENDER
        return DistributionStatus("Digital", "Delivered")


class FakeRegister:
    """Knows one recipient."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
        assert len(set(recipients)) == len(recipients) <= 1000
        self.asked.append(len(recipients))
        return [Reached(each, each == HERE, True, None, None) for each in recipients]


@pytest.fixture(scope="module")
def identity() -> Identity:
    return TestPki(system_clock).organisation(SENDER, "Kommun A")


class Installation:
    """A batch file and what sends it; `run` is one run of the command."""

    def __init__(self, folder: Path, identity: Identity, recipients: Sequence[str]) -> None:
        folder.mkdir()
        self.file = folder / "b.jsonl"
        rows = [{"recipient": each, "subject": f"Rad {n}", "body": "Hej."} for n, each in enumerate(recipients)]
        self.file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.register = FakeRegister()
        self._identity = identity

    def run(
        self,
        dispatcher: FakeDispatcher,
        pace: Pace | None = None,
        stop: Callable[[threading.Event], None] | None = None,
    ) -> list[Outcome]:
        stopping = threading.Event()
        file = BatchFile(self.file)
        letters = Letters(Party(SENDER, "Kommun A"), file.folder, Limits())
        with Journal(self.file.with_name("journal"), file.sha256(), SENDER) as journal:
            batch = Batch(
                file,
                letters,
                journal,
                self._identity,
                dispatcher,
                self.register,
                pace or Pace(patience=0.0),
                stopping,
                lambda what, done, of: stop(stopping) if stop else None,
            )
            assert batch.check(leave_out=False)
            batch.wash()
            batch.send()
            batch.follow(60)
            return list(journal.outcomes())


def test_recipients_are_washed_a_thousand_at_a_time(tmp_path: Path, identity: Identity) -> None:
    batch = Installation(tmp_path / "b", identity, [HERE, *[AWAY] * 2300])
    dispatcher = FakeDispatcher()
    found = batch.run(dispatcher)
    assert batch.register.asked == [2, 1, 1], "each recipient once a question"
    assert [each.state for each in found] == [State.ENDED, *[State.UNREACHABLE] * 2300]
    assert {each.reason for each in found[1:]} == {"The recipient has no mailbox in the register."}
    assert len(dispatcher.stored) == 1


def test_everyone_is_sent_to_where_that_is_asked_for(tmp_path: Path, identity: Identity) -> None:
    batch = Installation(tmp_path / "b", identity, [HERE, AWAY])
    assert [each.state for each in batch.run(FakeDispatcher(), Pace(everyone=True))] == [State.ENDED] * 2
    assert batch.register.asked == []


def test_a_refusal_stands_beside_its_row(tmp_path: Path, identity: Identity) -> None:
    found = Installation(tmp_path / "b", identity, [HERE, HERE]).run(FakeDispatcher(["refused"]), Pace(connections=1))
    assert [each.state for each in found] == [State.REFUSED, State.ENDED]
    assert found[0].reason == "5001: no (CallId call)"
    assert [each.channel for each in found] == ["none", "digital"]


def test_a_short_outage_is_waited_for(tmp_path: Path, identity: Identity) -> None:
    dispatcher = FakeDispatcher(["away", "technical", "answer lost"])
    found = Installation(tmp_path / "b", identity, [HERE]).run(dispatcher, Pace(patience=60))
    assert [each.state for each in found] == [State.ENDED]
    assert len(dispatcher.stored) == 1


class _Removing(FakeRegister):
    """Takes a file away while it is asked."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
        self._path.unlink()
        return super().reachable(sender, recipients)


def test_a_file_that_went_away_is_told(tmp_path: Path, identity: Identity) -> None:
    batch = Installation(tmp_path / "b", identity, [HERE])
    text = batch.file.with_name("t.txt")
    text.write_text("Hej.", encoding="utf-8")
    batch.file.write_text(json.dumps({"recipient": HERE, "subject": "Rad", "body_file": "t.txt"}), encoding="utf-8")
    batch.register.reachable = lambda sender, recipients: (text.unlink(), FakeRegister().reachable(sender, recipients))[
        1
    ]  # type: ignore[method-assign]
    (found,) = batch.run(FakeDispatcher())
    assert found.state is State.REFUSED
    assert found.reason is not None
    assert "cannot be read" in found.reason


TROUBLES = st.lists(st.sampled_from(["", "away", "technical", "answer lost", "crash"]), max_size=30)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TROUBLES, max_size=4), st.integers(1, 4), st.integers(0, 60))
def test_whatever_happens_each_row_is_stored_once(
    tmp_path_factory: pytest.TempPathFactory,
    identity: Identity,
    runs: list[list[str]],
    connections: int,
    stop_after: int,
) -> None:
    batch = Installation(tmp_path_factory.mktemp("b") / "b", identity, [HERE] * ROWS)
    dispatcher = FakeDispatcher()
    pace = Pace(connections, patience=0.0)
    for troubles in runs:
        dispatcher._troubles = list(troubles)
        told = count()

        def stop(stopping: threading.Event, told: count[int] = told) -> None:
            if next(told) > ROWS + stop_after:
                stopping.set()

        with suppress(Crash, TransportError, RemoteFault):
            batch.run(dispatcher, pace, stop)
    dispatcher._troubles = []
    found = batch.run(dispatcher, pace)
    assert {each.state for each in found} == {State.ENDED}
    assert sorted(each.distribution_id or "" for each in found) == sorted(dispatcher.stored.values())
    assert len(dispatcher.stored) == ROWS
