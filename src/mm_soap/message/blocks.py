"""The body of a message as blocks of text, for paper and for readers that show no HTML.

Source: the contract's messages, "body".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

_LINE: Final = "\n"


@dataclass(frozen=True, slots=True)
class Run:
    """Text in one style. A line feed in it begins a new line."""

    text: str = field(repr=False)
    bold: bool = False
    italic: bool = False
    link: str | None = field(default=None, repr=False)
    """Where it leads: http, https, mailto or tel."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, a heading or an item of a list."""

    runs: tuple[Run, ...]
    heading: int = 0
    """1 to 6; 0 for none."""
    indent: int = 0
    """How many lists and quotations it stands in."""
    marker: str = ""
    """What stands before the first line of an item: a bullet or a number."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: rows of cells. Each row has as many cells as the others."""

    rows: tuple[tuple[tuple[Run, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """An inlined image."""

    format: Literal["png", "jpg", "gif", "webp", "svg"]
    content: bytes = field(repr=False)
    text: str = field(default="", repr=False)
    """What stands in for it."""


Block = Paragraph | Grid | Picture


def text_of_blocks(blocks: Iterable[Block]) -> str:
    """Return blocks as plain text: paragraphs with an empty line between, cells with a tabulator."""
    return "\n\n".join(_block_text(block) for block in blocks)


def _block_text(block: Block) -> str:
    if isinstance(block, Picture):
        return f"[{block.text}]" if block.text else "[…]"
    if isinstance(block, Grid):
        return _LINE.join("\t".join(_plain(cell).replace(_LINE, " ") for cell in row) for row in block.rows)
    before = "  " * max(0, block.indent - 1) + (f"{block.marker} " if block.marker else "")
    return before + _plain(block.runs)


def with_addresses(runs: Sequence[Run]) -> list[Run]:
    """Return runs with the address of each link behind it, unless its text says it: on paper nobody can follow it."""
    found: list[Run] = []
    text = ""
    for place, run in enumerate(runs):
        text = text + run.text if run.link else ""
        found.append(run)
        ends = place + 1 == len(runs) or runs[place + 1].link != run.link
        if run.link and ends:
            if run.link.startswith(("http:", "https:")) and run.link not in text:
                found.append(Run(f" <{run.link}>"))
            text = ""
    return found


def _plain(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in with_addresses(runs))
