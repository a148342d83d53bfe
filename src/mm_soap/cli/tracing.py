"""mm-soap trace: the way of a message, from what each party in the settings wrote down."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from rich.padding import Padding
from rich.text import Text

from mm_soap.bootstrap import databases
from mm_soap.cli.output import console, fail, plain, print_json
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.trace import IDS, Step, find_steps, headline, told, what_waits


def trace(config: Path, any_id: str, as_json: bool) -> None:
    """Print every step that belongs to an id of any kind."""
    parties = databases(load(config))
    steps = find_steps(parties, any_id)
    steps += what_waits(parties, steps, system_clock())
    if not steps:
        fail("No party in the settings knows this id: check it, or ask the party that gave it.")
    if as_json:
        print_json([_document(step) for step in steps])
        return
    out = console()
    out.print("[bold]The way of the message[/]")
    for day, those in groupby(steps, lambda step: f"{step.event.at.astimezone():%Y-%m-%d, times in %Z}"):
        out.print(plain(f"\n{day}"))
        for step in those:
            head = (f"\n{_time(step)}  ", "dim"), (step.party, "bold"), plain(f"  {headline(step.event)}")
            out.print(Text.assemble(*head))
            out.print(Padding(plain(told(step.event)), (0, 0, 0, 4)))


def _document(step: Step) -> dict[str, Any]:
    event = step.event
    ids = {name: getattr(event, name) for name in IDS if getattr(event, name)}
    head = {"at": event.at.isoformat(), "party": step.party, "kind": event.kind, "outcome": event.outcome}
    return {**head, **ids, "sender": event.sender, "detail": dict(event.detail)}


def _time(step: Step) -> str:
    return step.event.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
