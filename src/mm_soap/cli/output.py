"""What the commands print: one JSON document for programs, tables and sentences for people."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

DONE, REFUSED, WRONG_USE = 0, 1, 2
_PLAIN_WIDTH = 110


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def console() -> Console:
    """Return the console for people: standard output, plain and of one width when it is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def progress_console() -> Console:
    """Return the console for progress: standard error, so that standard output holds the result alone."""
    return Console(stderr=True, highlight=False)


def plain(text: str) -> Text:
    """Return a text as it is, for the terminal: brackets in it are no markup, control characters are left out."""
    return Text("".join(each for each in text if each in "\n\t" or not unicodedata.category(each).startswith("C")))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table for people."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(plain("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def fail(sentence: str, status: int = REFUSED) -> NoReturn:
    """Print one sentence that says what to do on standard error, and end with a status."""
    progress_console().print(Text.assemble(("mm-soap: ", "bold red"), plain(sentence)), soft_wrap=True)
    raise typer.Exit(status)
