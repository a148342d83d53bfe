"""The way of an accepted delivery after the answer: look-up, seal, operator, mailbox, and who asked for its status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mm_soap.testbed.model import Check, Result
from mm_soap.testbed.store import Arrival
from mm_soap.trace import Step as Event
from mm_soap.trace import told


@dataclass(frozen=True)
class Step:
    """One step of the way, as it is shown.

    Args:
        name: what was done.
        result: how it ended.
        checks: what was looked at.
        facts: what else is known, by name.
        told: what happened, in sentences.
        at: when it ended; None for steps of the judging.
        seconds: how long the call took, or how long after the dispatcher's step before it this one ended.
    """

    name: str
    result: Result
    checks: tuple[Check, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    told: str = ""
    at: datetime | None = None
    seconds: float | None = None


_LOOK_UP: Final = "Looked up in the register"
_SEAL: Final = "Sealed"
_HAND_OVER: Final = "Handed to the operator"
_MAILBOX: Final = "Unpacked into the mailbox"
_STATUS: Final = "Status asked"

_GOOD: Final[Mapping[str, frozenset[str]]] = {
    "look-up": frozenset({"sealed"}),
    "hand-over": frozenset({"delivered"}),
    "delivery": frozenset({"stored", "answered as the first time"}),
}
_NAMES: Final = {"look-up": _LOOK_UP, "hand-over": _HAND_OVER, "delivery": _MAILBOX}
_REMEDIES: Final = {
    "not_registered": "Send it on paper, or try a recipient that has a mailbox here.",
    "paper": "Print it, or send as another sender: this recipient has deselected yours.",
}


def steps_after(arrival: Arrival, events: Sequence[Event], asked: Sequence[Arrival]) -> list[Step]:
    """Return the steps of a delivery after it was accepted, in order; those to come are waiting.

    Args:
        arrival: the call that made it.
        events: what the parties wrote down, oldest first.
        asked: the calls that asked for its status, oldest first.
    """
    found: dict[str, list[Step]] = {_LOOK_UP: [], _SEAL: [], _HAND_OVER: [], _MAILBOX: []}
    before = arrival.at
    for event in events:
        for step in _of_event(event, before):
            found[step.name].append(step)
        if event.event.kind in ("look-up", "hand-over"):  # the operator's part is within the hand-over
            before = event.event.at
    steps: list[Step] = []
    ended = False
    for name, some in found.items():
        steps += some
        if not some and not ended:
            steps.append(Step(name, Result.WAITING))
        ended = ended or any(step.result is Result.BROKEN for step in some)
    steps += [_status(one) for one in asked]
    return steps


def _of_event(event: Event, before: datetime) -> Iterator[Step]:
    kind, outcome, detail = event.event.kind, event.event.outcome, event.event.detail
    if kind not in _NAMES:
        return
    seconds = max(0.0, (event.event.at - before).total_seconds())
    good, again = outcome in _GOOD[kind], outcome == "retry"
    result = Result.HOLDS if good else Result.WAITING if again else Result.BROKEN
    facts = [("by", event.party.replace(":", " ")), ("outcome", outcome)]
    facts += [(name.replace("_", " "), str(value)) for name, value in detail.items() if _shown(name, value)]
    told_here = told(event.event)
    checks: tuple[Check, ...] = ()
    if result is Result.BROKEN:
        reason = str(detail.get("reason") or outcome)
        remedy = _REMEDIES.get(outcome, "Look at the operator's side with its CallId, then send again.")
        checks = (Check(_NAMES[kind], result, reason, "", "services.md, Message and Notification", remedy),)
        told_here = ""
    yield Step(_NAMES[kind], result, checks, tuple(facts), told_here, event.event.at, seconds)
    if kind == "look-up" and good:
        by = str(detail.get("sealed_by") or "the dispatcher")
        sealed = "The seal says who passed it on, on which day, and that the sender's signature held."
        yield Step(_SEAL, Result.HOLDS, (), (("by", by),), sealed, event.event.at)


def _shown(name: str, value: object) -> bool:
    return value is not None and name not in ("reason", "caller", "sealed_by")


def _status(asked: Arrival) -> Step:
    said = "answered" if not asked.refused else f"refused with {asked.verdict}, ErrorCode {asked.code}"
    result = Result.HOLDS if not asked.refused or asked.verdict == "NOT_FINISHED" else Result.BROKEN
    return Step(
        _STATUS,
        result,
        (),
        (("CallId", asked.call_id or "none"),),
        f"checkDistributionStatus: {said}.",
        asked.at,
        asked.seconds,
    )
