"""The matrix of stacks and steps, as a page of the documentation."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from interop.stacks import Stack
from interop.steps import STEPS, Done

_HEAD = """# Which clients work

`make interop` builds every client of [clients/](../clients/README.md) from its folder and the served WSDLs, and runs it
against a demonstration: it asks the register about four recipients in one call, reads a typed fault, signs and sends a
message with a PDF, and follows it until it is delivered. The PDF in the mailbox must be the one that was sent, byte for
byte. This page is what the last run wrote.

"""


@dataclass(frozen=True)
class Row:
    """How one stack fared."""

    stack: Stack
    version: str
    done: Sequence[Done]

    def cell(self, step: str) -> str:
        """Return what stands in the column of a step."""
        for each in self.done:
            if each.step == step:
                return "no" if each.wrong else "yes"
        return "-" if step in ("send", "follow") and not self.stack.sends else "not tried"

    @property
    def works(self) -> bool:
        """Whether every step that the stack has was made and was right."""
        expected = [step for step in STEPS if self.stack.sends or step not in ("send", "follow")]
        return [each.step for each in self.done if not each.wrong] == expected


def page(rows: Sequence[Row], today: date) -> str:
    """Return the page in Markdown."""
    head = ["stack", "language", "version", *STEPS]
    lines = [
        [f"[{row.stack.name}](../clients/{row.stack.folder.name}/README.md)", row.stack.language, row.version]
        + [row.cell(step) for step in STEPS]
        for row in rows
    ]
    table = [head, ["---"] * len(head), *lines]
    drawn = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in table)
    return f"{_HEAD}{drawn}\n\nMade on {today.isoformat()}, on {_system()}, with Python {platform.python_version()}.\n"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def write(path: Path, rows: Sequence[Row], today: date) -> None:
    """Write the page."""
    path.write_text(page(rows, today), encoding="utf-8")
