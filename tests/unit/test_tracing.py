"""A trace leads from one id to all that belongs to the message, and to nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.storage import Event, migrate, record_event, writing
from mm_soap.testing.databases import fresh_database
from mm_soap.trace import find_steps, headline, told

NOW = datetime(2026, 5, 4, tzinfo=UTC)
A, B = "162021004748", "162021003898"
ONE, TWO = "165599999918", "165599999926"


@pytest.fixture
def parties(postgresql_or_none: str | None, tmp_path: Path) -> Iterator[dict[str, Engine]]:
    """Two messages that share a message id, and a TransId, though not a sender or an operator."""
    with ExitStack() as opened:
        names = ("dispatcher", f"operator:{ONE}", f"operator:{TWO}")
        found = {name: opened.enter_context(fresh_database(tmp_path, postgresql_or_none)) for name in names}
        fill(found)
        yield found


def fill(found: dict[str, Engine]) -> None:
    for name in found:
        migrate(found[name], "dispatcher" if name == "dispatcher" else "service_supplier")
    for number, (sender, operator) in enumerate(((A, ONE), (B, TWO)), start=1):
        with writing(found["dispatcher"]) as connection:
            record_event(
                connection,
                Event(NOW, "accepted", "accepted", f"d-{number}", "m-1", call_id=f"c-{number}", sender=sender),
                Event(
                    NOW,
                    "hand-over",
                    "delivered",
                    f"d-{number}",
                    None,
                    "t-1",
                    sender=sender,
                    detail={"operator": operator},
                ),
            )
        with writing(found[f"operator:{operator}"]) as connection:
            record_event(connection, Event(NOW, "delivery", "stored", None, "m-1", "t-1", f"o-{number}", sender))


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("kind", ["d", "c", "o"])
def test_one_id_leads_to_the_whole_message(parties: dict[str, Engine], kind: str, number: int) -> None:
    steps = find_steps(parties, f"{kind}-{number}")
    assert {(step.party.partition(":")[0], step.event.kind) for step in steps} == {
        ("dispatcher", "accepted"),
        ("dispatcher", "hand-over"),
        ("operator", "delivery"),
    }
    assert {step.event.sender for step in steps} == {(A, B)[number - 1]}


def test_an_unknown_id_leads_nowhere(parties: dict[str, Engine]) -> None:
    assert find_steps(parties, "d-3") == []


def print_event(outcome: str, kind: str = "print", **detail: object) -> Event:
    return Event(NOW, kind, outcome, "d-1", sender=A, detail=detail)


def test_a_letter_on_paper_is_told_to_people() -> None:
    """Why not the mailbox, why not another channel, which job, until when the supplier is waited for, and its word."""
    began = print_event("switching", "look-up", reason="No mailbox.", attempt=1)
    assert (headline(began), told(began)) == ("look-up: no mailbox, another channel", "No mailbox.")
    chosen = print_event("print", "channel", reason="The message goes by print.", **{"not by sms": "it is too long"})
    assert told(chosen) == "The message goes by print. It could not go by sms: it is too long."
    until = datetime(2026, 5, 18, 8, tzinfo=UTC)
    ready = told(print_event("handed over", reason="-", reference="d-1", acknowledge_until=until.isoformat()))
    assert "job d-1" in ready
    assert f"until {until.astimezone():%Y-%m-%d %H:%M:%S}." in ready
    printed = print_event("printed", reason="It is printed.", attempt=1, supplier_reference="T-1")
    assert told(printed) == "It is printed. (the supplier's reference T-1)"


def test_what_waits_is_told_with_its_next_step() -> None:
    again = datetime(2026, 5, 4, 8, tzinfo=UTC)
    waits = print_event("waiting", "now", reason="It waits.", attempts=3, next_attempt=again.isoformat())
    shown = f"{again.astimezone():%Y-%m-%d %H:%M:%S}"
    assert told(waits) == f"It waits. The next step is due on {shown}. (attempts so far 3)"


def test_an_event_without_a_reason_tells_its_facts() -> None:
    assert told(print_event("sent", "sms", attempt=2, reference=None, code=7)) == "attempt 2, code 7"


def test_a_refusal_keeps_the_name_that_the_reference_has() -> None:
    assert headline(Event(datetime(2026, 3, 1, tzinfo=UTC), "refusal", "NOT_FOUND")) == "refusal: NOT_FOUND"
