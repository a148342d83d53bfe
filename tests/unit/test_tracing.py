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
from mm_soap.trace import find_steps

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
