"""What the commands of `mm-soap far` that read and write files show and write beside their answers."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mm_soap.cli.output import progress_console
from mm_soap.row_files import Source
from mm_soap.row_files_out import replacing

SHOWN: Final = 20
"""How many refused rows are shown without a report."""

STANDARD_OUTPUT: Final = Path("-")
"""What stands for standard output where a file is named."""


class Refusals:
    """The refused rows: the first few are kept to be shown, all of them go into the report."""

    def __init__(self, report: Path | None) -> None:
        self.first: list[tuple[int, str]] = []
        self._path = report
        self._write: Callable[[Sequence[Any]], Any] | None = None

    def __enter__(self) -> Refusals:
        if self._path is not None:
            self._context = replacing(self._path)
            self._write = csv.writer(self._context.__enter__(), lineterminator="\n").writerow
            self._write(("line", "reason"))
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._context.__exit__(*error) if self._path is not None else None

    def put(self, line: int, reason: str) -> None:
        """Take in one refused row."""
        if len(self.first) < SHOWN:
            self.first.append((line, reason))
        if self._write is not None:
            self._write((line, reason))


class Digested:
    """Text that is written on, and digested on the way."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, part: str) -> int:
        """Write a part."""
        self._digest.update(part.encode())
        return self._text.write(part)


@contextmanager
def written(file: Path) -> Iterator[TextIO]:
    """Open what an export goes to: a new file in the place of the old one, or standard output."""
    if file == STANDARD_OUTPUT:
        yield sys.stdout
        sys.stdout.flush()
    else:
        with replacing(file) as text:
            yield text


@contextmanager
def progress_bar(source: Source | None) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a bar on standard error, on a terminal alone. A file that is read counts by its bytes."""
    console = progress_console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None, rows=0)

        def show(what: str, done: int, of: int | None) -> None:
            reading = source is not None and what == "reading"
            total = source.size if reading and source else of
            bar.update(
                task,
                description=what.capitalize(),
                completed=source.done if reading and source else done,
                total=total,
                rows=f"{done:,}".replace(",", " "),
            )

        yield show
