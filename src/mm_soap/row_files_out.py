"""Files that go out: written whole or not at all, and row by row.

Forms: ``docs/reference/far-files.md``.
"""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mm_soap.errors import ConfigurationError
from mm_soap.folders import synchronise
from mm_soap.row_files import Columns, FileForm


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Write a file so that others see the old one or the whole new one: both survive a crash.

    What is written is readable by its owner alone, unless a file is replaced: then as that was. A pipe or a device is
    written to as it is.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        before = path.stat() if path.exists() else None
        if before is not None and not stat.S_ISREG(before.st_mode):
            with path.open("w", encoding="utf-8", newline="") as text:
                yield text
            return
        path = path.resolve()
        beside = path.with_name(f".{path.name}.{os.getpid()}.new")
        made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(made, "w", encoding="utf-8", newline="") as text:  # noqa: PTH123 - a descriptor
                yield text
                text.flush()
                if before is not None:
                    with suppress(PermissionError):
                        os.fchown(made, before.st_uid, before.st_gid)
                    os.fchmod(made, stat.S_IMODE(before.st_mode))
                os.fsync(made)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        synchronise(path.parent)
    except OSError as error:
        raise ConfigurationError(f"The file {path} cannot be written: {error.strerror}.") from None


def row_writer(text: TextIO, form: FileForm, columns: Columns) -> Callable[[Sequence[str | None]], None]:
    """Return what writes a row: CSV under a first line with the names of the columns, or one JSON object a line."""
    if form == "csv":
        write = csv.writer(text, lineterminator="\n").writerow
        write(columns.names)

        def put(row: Sequence[str | None]) -> None:
            write(row)

        return put
    names = columns.names

    def put_object(row: Sequence[str | None]) -> None:
        named: Mapping[str, str] = {name: value for name, value in zip(names, row, strict=True) if value}
        text.write(json.dumps(named, ensure_ascii=False) + "\n")

    return put_object
