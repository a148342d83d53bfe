"""The way of a message, from what each party of an installation wrote down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Engine

from mm_soap.dispatcher import standing_of
from mm_soap.repetitions import REPEATED
from mm_soap.storage import Event, events_of, reading

IDS: Final = ("distribution_id", "message_id", "trans_id", "call_id")
"""The ids of an event that lead to others."""


@dataclass(frozen=True)
class Step:
    """One event and the party that wrote it."""

    party: str
    event: Event


def find_steps(parties: dict[str, Engine], any_id: str) -> list[Step]:
    """Return the steps of a message, oldest first.

    One id leads to others: a distribution id to its message ids and to the operator's TransId, and those to what the
    operator wrote. A TransId is an operator's own, so it is looked up at that operator alone; a message id is a
    sender's, so what another sender calls the same is left out.
    """
    found: dict[tuple[str, str], Step] = {}
    asked: set[_Question] = set()
    to_ask = {_Question(kind, any_id) for kind in IDS}
    while to_ask:
        question = to_ask.pop()
        asked.add(question)
        for party, database in parties.items():
            if question.party not in (None, party):
                continue
            with reading(database) as connection:
                events = events_of(connection, **{question.kind: question.wanted})
            for event in events:
                if question.sender in (None, event.sender):
                    found.setdefault((party, repr(event)), Step(party, event))
                    to_ask |= _leads(party, event) - asked
    return sorted(found.values(), key=lambda step: step.event.at)


def what_waits(parties: dict[str, Engine], steps: Sequence[Step], now: datetime) -> list[Step]:
    """Return, as steps of this moment, why the deliveries in ``steps`` wait that have not ended, and until when."""
    ids = {step.event.distribution_id for step in steps if step.party == "dispatcher" and step.event.distribution_id}
    if not ids:
        return []
    found = []
    with reading(parties["dispatcher"]) as connection:
        for distribution_id in sorted(ids):
            standing = standing_of(connection, distribution_id)
            if standing is not None and standing.waits:
                reason, again = standing.told(now)
                detail = {"reason": reason, "attempts": standing.attempts, "next_attempt": again and again.isoformat()}
                event = Event(now, "now", "waiting", distribution_id, sender=standing.sender, detail=detail)
                found.append(Step("dispatcher", event))
    return found


class _Question(NamedTuple):
    """Which events are sought: by an id, perhaps of one party alone or of one sender alone."""

    kind: str
    wanted: str
    party: str | None = None
    sender: str | None = None


def _leads(party: str, event: Event) -> set[_Question]:
    # A CallId is followed no further: a call of many messages would lead to all of them.
    leads = set()
    if event.distribution_id:
        leads.add(_Question("distribution_id", event.distribution_id))
    if event.message_id:
        leads.add(_Question("message_id", event.message_id, None, event.sender))
    if event.trans_id:
        operator = event.detail.get("operator")
        leads.add(_Question("trans_id", event.trans_id, f"operator:{operator}" if operator else party))
    return leads


# What a step says, by its kind and outcome, from the facts that the party wrote down.
_SENTENCES: Final = {
    ("accepted", "accepted"): (
        "The request follows the schema. The signature of {signer} holds (for the delivery {form}), and its certificate"
        " is trusted. The sender is connected, and the signer and this dispatcher are listed for it. The message"
        " follows the rules."
    ),
    ("look-up", "sealed"): (
        "The register says that the recipient has a mailbox at {operator} and takes post from the sender. Sealed by"
        " {sealed_by}."
    ),
    ("look-up", "unpacked"): (
        "The register was asked for {recipients} recipients. Their operators: {operators}. Each gets the notification"
        " for its own recipients."
    ),
    ("notification", "stored"): (
        "The sender is connected. The notification follows the rules. Of {recipients} recipients, {delivered} have a"
        " mailbox here and take post from the sender."
    ),
    ("forwarding", "stored"): (
        "The seal of {sealer} and the signature of {signer} hold on what was forwarded. Of {recipients} recipients,"
        " {delivered} have a mailbox here."
    ),
    ("delivery", "stored"): (
        "The seal of {sealer} and the signature of {signer} hold. The sender is connected, and both are listed for it."
        " The recipient has a mailbox here and takes post from the sender. The message follows the rules."
    ),
    ("print", "handed over"): (
        "The letter lies ready for the print supplier as job {reference}: a folder of that name below jobs, with"
        " letter.pdf, the attachments, and manifest.json that names them all. The supplier's acknowledgement is awaited"
        " until {acknowledge_until}."
    ),
}

# For people. A party writes its own words, which programs read.
_OUTCOMES: Final = {
    "switching": "no mailbox, another channel",
    "switched": "another channel",
    "none": "none is left",
    "paper": "the sender is to print it",
}
_NAMES: Final = {"supplier_reference": "the supplier's reference", "attempts": "attempts so far"}
_MOMENTS: Final = ("acknowledge_until", "next_attempt")
_NOT_BY: Final = "not by "


_REPEATED_SENTENCE: Final = (
    "The same came before, at {first_at}, from {first_caller}. It was answered as then; nothing was stored or sent"
    " again. It is taken for a {repetition}."
)

_ACCEPTED_UNSIGNED: Final = (
    "The request follows the schema. Nobody signs a notification: it came from {caller}. The sender is connected, and"
    " this dispatcher is listed for it. The notification follows the rules. Recipients: {recipients}."
)


def headline(event: Event) -> str:
    """Return what kind of step an event is, and how it ended, in a few words."""
    # The name of a refusal stays as the reference of errors has it.
    plain = event.outcome if event.outcome.isupper() else event.outcome.replace("_", " ")
    outcome = _OUTCOMES.get(event.outcome, plain)
    return event.kind if event.outcome == event.kind else f"{event.kind}: {outcome}"


def told(event: Event) -> str:
    """Return what an event says, in sentences. Times are those of this machine's time zone."""
    detail = dict(event.detail)
    for name in _MOMENTS:
        if detail.get(name):
            detail[name] = f"{datetime.fromisoformat(str(detail[name])).astimezone():%Y-%m-%d %H:%M:%S}"
    sentence = _SENTENCES.get((event.kind, event.outcome))
    if (event.kind, event.outcome) == ("accepted", "accepted") and "signer" not in detail:
        sentence, detail["caller"] = _ACCEPTED_UNSIGNED, detail.get("caller") or "a caller without a client certificate"
    if event.outcome == REPEATED and "repetition" in detail:
        sentence = _REPEATED_SENTENCE
        detail["first_caller"] = detail.get("first_caller") or "a caller without a client certificate"
    if sentence is not None:
        return sentence.format_map(defaultdict(lambda: "unknown", detail))
    return _in_words(detail)


def _in_words(detail: dict[str, object]) -> str:
    """Return the reason that an event gives, what kept the message from other channels, and the other facts."""
    said = [str(detail.pop("reason", ""))]
    again = detail.pop("next_attempt", None)
    if detail.get("attempt") == 1:  # that it was the first one tells nothing
        del detail["attempt"]
    obstacles = [name for name in detail if name.startswith(_NOT_BY)]
    said += [f"It could not go by {name.removeprefix(_NOT_BY)}: {detail.pop(name)}." for name in obstacles]
    said += [f"The next step is due on {again}."] if again else []
    facts = [
        f"{_NAMES.get(name, name.replace('_', ' '))} {value}" for name, value in detail.items() if value is not None
    ]
    said += [f"({', '.join(facts)})" if any(said) else ", ".join(facts)] if facts else []
    return " ".join(each for each in said if each)
