"""Reads edges.txt: the account's states, what is seen in each, and where each call leads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("edges.txt")

Step = tuple[str, ...]
"""An operation and its arguments, in the words of the table."""


@dataclass(frozen=True)
class State:
    """A state of the account of one kind of recipient: the way there, and what is seen in it."""

    kind: str
    name: str
    way: tuple[Step, ...]
    seen: tuple[tuple[Step, str], ...]


@dataclass(frozen=True)
class Edge:
    """A call in a state: what it answers, and the state after it."""

    state: State
    step: Step
    answer: str
    after: State

    @property
    def expected(self) -> list[str]:
        """The call, and what is seen in the state after it, each with its answer."""
        return [f"{' '.join(step)} | {answer}" for step, answer in ((self.step, self.answer), *self.after.seen)]

    def __str__(self) -> str:
        return f"{self.state.kind}-{self.state.name}-{' '.join(self.step)}"


def read_edges(file: Path = FILE) -> list[Edge]:
    """Return the edges, in the order of the table."""
    states: dict[str, dict[str, State]] = {}
    rows: list[tuple[State, list[str]]] = []
    here: State | None = None
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("["):
            kind, name, *way = cells[0].strip("[]").split(maxsplit=2)
            here = _state(states.setdefault(kind, {}), kind, name, *way)
        elif line.startswith("="):
            assert here is not None
            seen = (*here.seen, (tuple(cells[0].lstrip("= ").split()), cells[1]))
            here = states[here.kind][here.name] = State(here.kind, here.name, here.way, seen)
        else:
            assert here is not None
            rows.append((here, cells))
    return [
        Edge(states[at.kind][at.name], tuple(step.split()), answer, states[at.kind][(after or [at.name])[0]])
        for at, (step, answer, *after) in rows
    ]


def _state(known: dict[str, State], kind: str, name: str, how: str = "") -> State:
    before, _, step = how.removeprefix("after").strip().partition(":")
    way = (*known[before].way, tuple(step.split())) if before else ()
    made = known[name] = State(kind, name, way, ())
    return made
