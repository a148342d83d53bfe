"""The matrix of stacks and steps, as a page of the documentation."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from interop.stacks import STEPS, Stack
from interop.steps import Done

_HEAD = """# Which clients work

`make interop` builds every program of [clients/](../clients/README.md) from its folder and the served WSDLs, and runs
it against a demonstration. This page is what the last run wrote.

- **ask**, **fault**: it asks the register about four recipients in one call, and reads a typed fault.
- **send**, **follow**: it signs and sends a message with a PDF, and follows it until it is delivered. The PDF in the
  mailbox must be the one that was sent, byte for byte.
- **verify**: with its platform's XML signatures it verifies the seal and the sender's signature of each message of the
  run, as the dispatcher handed it to the operator, and of one that was written anew with prefixes. It must find fault
  with a changed text, a changed seal, a wrong signature under a right seal, and an authority that it does not know.
- **receive**: it is a mailbox operator, registered beside those of mm-soap. Messages with PDFs reach it through
  register and dispatcher and get the right status, also where there is no mailbox. It must refuse, with the right
  codes, what verify must find fault with, and the seal of an organisation that is not listed. It is killed amid several
  messages; each must be there once in the end.

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
        return "not tried" if step in self.stack.steps else "-"

    @property
    def works(self) -> bool:
        """Whether every step that the stack has was made and was right."""
        return [each.step for each in self.done if not each.wrong] == self.stack.steps


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
