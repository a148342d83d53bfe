"""What the commands print: one JSON document for programs, tables and sentences for people."""

from __future__ import annotations

import json
import os
import pwd
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mm_soap.errors import ConfigurationError

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


@contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """Make a file that its owner alone can read; what could not be finished is removed.

    Raises:
        ConfigurationError: there is such a file, or it cannot be written.
    """
    try:
        opened = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already: name another file.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None
    try:
        with opened:
            yield opened
    except BaseException as failure:
        file.unlink(missing_ok=True)
        if isinstance(failure, OSError):
            raise ConfigurationError(f"{file} cannot be written: {failure.strerror}.") from None
        raise


def login() -> str:
    """Return the user of the operating system; not from the environment, which whoever runs a command can set."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def fail(sentence: str, status: int = REFUSED) -> NoReturn:
    """Print one sentence that says what to do on standard error, and end with a status."""
    progress_console().print(Text.assemble(("mm-soap: ", "bold red"), plain(sentence)), soft_wrap=True)
    raise typer.Exit(status)
