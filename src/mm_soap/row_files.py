"""Rows that come from CSV and JSON files and go to them, one at a time: a file may hold ten million.

Forms: ``docs/reference/far-files.md``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from mm_soap.errors import ConfigurationError

FileForm = Literal["csv", "json"]
"""How a file is written. JSON is read as one array, or as one object a line."""

_BUFFER: Final = 1 << 18
_LONGEST_OBJECT: Final = 1 << 17  # as the csv module has it for a field

_SPACE: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file: those that every row has, then those that it may leave out."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in order."""
        return self.needed + self.optional


FileRow = tuple[int, Sequence[str] | None, str]
"""Its line (or its place in a JSON array, from 1); its values in the order of the columns, or None and why not."""


def form_of(path: Path, chosen: FileForm | None = None) -> FileForm:
    """Return the form of a file: the chosen one, else what its name ends in.

    Raises:
        ConfigurationError: the name says nothing.
    """
    suffix = path.suffix.lower()
    if chosen:
        return chosen
    if suffix == ".csv":
        return "csv"
    if suffix in (".json", ".jsonl", ".ndjson"):
        return "json"
    raise ConfigurationError(f"The name of {path} must end in .csv, .json or .jsonl, or --format must say which it is.")


class Source(io.RawIOBase):
    """A file that is read once, from its start to its end, and digested on the way.

    Args:
        path: the file; a pipe will do.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.done = 0
        """How many bytes were read."""
        self._digest = hashlib.sha256()
        try:
            self._file = path.open("rb", buffering=0)
            found = os.fstat(self._file.fileno())
        except OSError as error:
            raise ConfigurationError(f"The file {path} cannot be read: {error.strerror}.") from None
        self.size = found.st_size if stat.S_ISREG(found.st_mode) else None
        """How long it is, in bytes; None for a pipe."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was read, in hexadecimal."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes."""
        count = self._file.readinto(buffer)
        self._digest.update(memoryview(buffer)[:count])
        self.done += count
        return count

    def close(self) -> None:
        """Close the file."""
        if hasattr(self, "_file"):
            self._file.close()
        super().close()

    def text(self) -> TextIO:
        """Return the whole as UTF-8 text, with or without a byte order mark."""
        return io.TextIOWrapper(io.BufferedReader(self, _BUFFER), encoding="utf-8-sig", newline="")

    def rows(self, form: FileForm, columns: Columns) -> Iterator[FileRow]:
        """Yield each row of a file of texts.

        Raises:
            ConfigurationError: the file as a whole cannot be understood. The sentence holds nothing out of its rows.
        """
        with self._understood():
            yield from _csv_rows(self, columns) if form == "csv" else _texts(self.objects(), columns)

    def objects(self) -> Iterator[tuple[int, Any]]:
        """Yield each value of a JSON array, or of a file with one value a line, with its place.

        Raises:
            ConfigurationError: the file as a whole cannot be understood.
        """
        with self._understood():
            text = self.text()
            start = text.read(_BUFFER)
            yield from _array(self.path, text, start) if start.lstrip(_SPACE)[:1] == "[" else _lines(text, start)

    def document(self) -> Any:
        """Return what the whole file holds: one JSON value, or a list of the values where each line has one.

        Raises:
            ConfigurationError: it is neither.
        """
        with self._understood():
            text = self.text().read()
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                values = [_parsed(line) for line in text.split("\n") if line.strip(_SPACE)]
        if not any(isinstance(value, dict) for value in values):
            raise ConfigurationError(f"The file {self.path} is not JSON.")
        return values

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError:
            raise ConfigurationError(f"The file {self.path} must be UTF-8, and is not.") from None
        except csv.Error:
            raise ConfigurationError(f"The file {self.path} is not CSV: look for a quotation mark too many.") from None
        except OSError as error:
            raise ConfigurationError(f"The file {self.path} cannot be read: {error.strerror}.") from None


def _csv_rows(source: Source, columns: Columns) -> Iterator[FileRow]:
    text = source.text()
    first = text.readline()
    # Where a comma is the decimal sign, spreadsheets write a semicolon between the columns.
    delimiter = ";" if ";" in first and "," not in first else ","
    header = [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter), [])]
    _check_header(source.path, header, columns)
    places = [header.index(name) if name in header else None for name in columns.names]
    width = len(header)
    straight = places == list(range(width))
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    for row in rows:
        if len(row) != width:
            if row:
                yield rows.line_num + 1, None, "has not as many columns as the first line"
        elif straight:
            yield rows.line_num + 1, row, ""
        else:
            yield rows.line_num + 1, ["" if place is None else row[place] for place in places], ""


def _check_header(path: Path, header: Sequence[str], columns: Columns) -> None:
    missing = [name for name in columns.needed if name not in header]
    if missing or len(set(header)) < len(header) or not set(header) <= set(columns.names):
        may = f", and may have {', '.join(columns.optional)}" if columns.optional else ""
        raise ConfigurationError(
            f"The first line of {path} must name the columns {', '.join(columns.needed)}{may}; nothing else."
        )


def _lines(text: TextIO, start: str) -> Iterator[tuple[int, Any]]:
    number, rest = 0, start
    while rest:
        lines = rest.split("\n")
        rest = lines.pop()
        for line in lines:
            number += 1
            if line.strip(_SPACE):
                yield number, _parsed(line)
        more = text.read(_BUFFER)
        if not more or len(rest) > _LONGEST_OBJECT:
            if rest.strip(_SPACE):
                yield number + 1, _parsed(rest)
            rest = ""
        rest += more


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _array(path: Path, text: TextIO, start: str) -> Iterator[tuple[int, Any]]:
    decode = json.JSONDecoder().raw_decode
    buffer, place, number, after = start, start.index("[") + 1, 0, ""
    while True:
        while buffer[place : place + 1] and buffer[place] in _SPACE:
            place += 1
        sign = buffer[place : place + 1]
        if sign == "]" and after != ",":
            if (buffer[place + 1 :] + text.read(_BUFFER)).strip(_SPACE):
                break
            return
        if sign == "," and after == "value":
            place, after = place + 1, ","
            continue
        try:
            if after == "value" or not sign:
                raise ValueError
            value, place = decode(buffer, place)
        except (ValueError, RecursionError):
            more = text.read(_BUFFER)
            if not more or len(buffer) - place > _LONGEST_OBJECT or (after == "value" and sign):
                break
            buffer, place = buffer[place:] + more, 0
            continue
        number, after = number + 1, "value"
        yield number, value
    raise ConfigurationError(f"The file {path} is not a JSON array: it breaks off or goes wrong after item {number}.")


def _texts(objects: Iterable[tuple[int, Any]], columns: Columns) -> Iterator[FileRow]:
    names, allowed = columns.names, set(columns.names)
    for place, value in objects:
        if not isinstance(value, dict):
            yield place, None, "is not a JSON object"
        elif not value.keys() <= allowed:
            yield place, None, f"has a field other than {', '.join(names)}"
        elif not all(isinstance(value.get(name), str) for name in columns.needed):
            yield place, None, f"must have as texts: {', '.join(columns.needed)}"
        else:
            texts = [value.get(name) or "" for name in names]
            if all(isinstance(one, str) for one in texts):
                yield place, texts, ""
            else:
                yield place, None, "has a field that is not a text"
