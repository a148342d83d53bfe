"""What a test bed shows: what arrived in the last hour, and the whole way of each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.conformance.masking import Masking, masked_text, readable
from mm_soap.errors import Refusal
from mm_soap.storage import Evidence, evidence_of, reading
from mm_soap.testbed import store
from mm_soap.testbed.judging import Judge
from mm_soap.testbed.model import Check, Judged, Result
from mm_soap.testbed.sources import remedy_of, rule_of
from mm_soap.testbed.store import Arrival, Captured
from mm_soap.testbed.way import Step, steps_after
from mm_soap.trace import Step as Event
from mm_soap.trace import find_steps

LISTED: Final = timedelta(hours=1)
"""How long what arrived is listed."""

KEPT: Final = timedelta(days=1)
"""How long it is kept in any database."""

_SHOWN_CHARACTERS: Final = 20_000


@dataclass(frozen=True)
class Listing:
    """What arrived in the last hour.

    Args:
        arrivals: newest first.
        senders: all organisations of which something came in that time.
        more: whether there is more than is listed.
    """

    arrivals: Sequence[Arrival]
    senders: Sequence[str]
    more: bool


@dataclass(frozen=True)
class Shown:
    """All that is shown of one call.

    Args:
        arrival: the call.
        steps: its way, in order.
        ids: every id that belongs to it, with what it is.
        messages: what was captured, masked, each with its title.
        delivery: the call that made the delivery, where this one asked for it.
        ended: whether nothing more will happen to it.
    """

    arrival: Arrival
    steps: Sequence[Step]
    ids: Sequence[tuple[str, str]]
    messages: Sequence[tuple[str, str]]
    delivery: Arrival | None
    ended: bool

    @property
    def broken(self) -> Sequence[tuple[Step, Check]]:
        """Every check that does not hold, with its step."""
        return [(step, one) for step in self.steps for one in step.checks if one.result is Result.BROKEN]


@dataclass(frozen=True)
class TestbedService:
    """Looks at what the recorder and the parties wrote down.

    Args:
        database: the test bed's own.
        parties: the database of each party, by its name.
        judge: judges what was captured.
        clock: the time.

    Every method raises ``Refused`` with ``UNAVAILABLE`` when a database is away or busy.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    database: Engine
    parties: Mapping[str, Engine]
    judge: Judge
    clock: Clock

    def arrived(self, sender: str | None = None) -> Listing:
        """Return what arrived in the last hour, of one sender or of all."""
        since = self.clock() - LISTED
        with reading(self.database) as connection:
            arrivals = store.newest(connection, since, sender)
            return Listing(arrivals, store.senders(connection, since), len(arrivals) == store.MOST_LISTED)

    def show(self, key: int) -> Shown | None:
        """Return all about one call; None where there is none, or it came more than a day ago."""
        with reading(self.database) as connection:
            found = store.find(connection, key, self.clock() - KEPT)
            if found is None:
                return None
            arrival, captured = found
            same = store.of_distribution(connection, arrival.distribution_id) if arrival.distribution_id else []
        judged = [_as_step(one) for one in self.judge.judge(arrival, captured)]
        events = self._events(arrival)
        accepted = arrival.verdict == "accepted"
        after = steps_after(arrival, events, [one for one in same if one.operation == "checkDistributionStatus"])
        steps = [*judged, _ended(arrival, judged), *(after if accepted else ())]
        first = next((one for one in same if one.operation == "distributeSecure"), None)
        return Shown(
            arrival,
            [_masked(step) for step in steps],
            list(dict.fromkeys(_ids(arrival, events))),
            list(self._messages(captured, events if accepted else ())),
            first if not accepted else None,
            not accepted or all(step.result is not Result.WAITING for step in steps),
        )

    def _events(self, arrival: Arrival) -> Sequence[Event]:
        wanted = arrival.distribution_id if arrival.verdict == "accepted" else None
        return find_steps(dict(self.parties), wanted) if wanted else []

    def _messages(self, captured: Captured, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
        masking = Masking()
        head = "\n".join(f"{name}: {value}" for name, value in captured.headers.items())
        yield "Request", masking.message(f"{head}\n\n{_for_reading(captured.request)}")
        yield "Answer", masking.message(_for_reading(captured.answer))
        for one in self._sealed(events):
            yield "Sealed, as the operator got it", masking.message(_for_reading(one.content))

    def _sealed(self, events: Sequence[Event]) -> Iterator[Evidence]:
        calls = {
            (one.party, one.event.call_id) for one in events if one.party.startswith("operator") and one.event.call_id
        }
        for party, call_id in sorted(calls, key=str):
            with reading(self.parties[party]) as connection:
                yield from evidence_of(connection, str(call_id))


def _as_step(judged: Judged) -> Step:
    return Step(judged.name, judged.result, judged.checks, judged.facts)


def _ended(arrival: Arrival, judged: Sequence[Step]) -> Step:
    """Return the step that tells what the caller was answered."""
    seconds = arrival.seconds
    if not arrival.refused:
        if arrival.verdict == "accepted":
            told = "It is on disk, and the same signed bytes will get the same distribution id again."
            return Step("Accepted", Result.HOLDS, (), _facts(arrival), told, arrival.at, seconds)
        return Step("Answered", Result.HOLDS, (), _facts(arrival), "", arrival.at, seconds)
    told = f"Answered with HTTP {arrival.status}" + (f" and ErrorCode {arrival.code}." if arrival.code else ".")
    checks: tuple[Check, ...] = ()
    refusal = Refusal.__members__.get(arrival.verdict)
    if refusal is not None and not any(step.result is Result.BROKEN for step in judged):
        title = "The request is accepted"
        text = refusal.value.text
        if refusal.code >= Refusal.NOT_IMPLEMENTED.code and arrival.operation == "distributeSecure":
            text += " Judged again now, it holds: what the register or a certificate's dates say has changed since."
        checks = (Check(title, Result.BROKEN, text, arrival.place or "", rule_of(refusal), remedy_of(refusal)),)
    return Step("Refused", Result.BROKEN, checks, _facts(arrival), told, arrival.at, seconds)


def _facts(arrival: Arrival) -> tuple[tuple[str, str], ...]:
    found = (("distribution id", arrival.distribution_id), ("reason", arrival.verdict if arrival.refused else None))
    return tuple((name, value) for name, value in found if value)


def _ids(arrival: Arrival, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    if arrival.distribution_id:
        yield "distribution id", arrival.distribution_id
    for event in events:
        if event.event.message_id:
            yield "MessageHeader.Id", masked_text(event.event.message_id)
    for event in events:
        if event.event.trans_id:
            yield "TransId", masked_text(event.event.trans_id)
    if arrival.call_id:
        yield "CallId", arrival.call_id
    for event in events:
        if event.event.call_id and event.party != "dispatcher":
            yield f"CallId at {event.party.replace(':', ' ')}", event.event.call_id


def _masked(step: Step) -> Step:
    return replace(step, facts=tuple((name, masked_text(value)) for name, value in step.facts))


def _for_reading(raw: bytes) -> str:
    return readable(raw).replace("><", ">\n<")


def shortened(text: str) -> str:
    """Return the beginning of a long text, and how much is left out."""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}\n… {len(text) - _SHOWN_CHARACTERS} more characters"
