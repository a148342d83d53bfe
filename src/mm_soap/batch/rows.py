"""The rows of a batch file. Form: ``docs/reference/batch-files.md``."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mm_soap.batch.model import Row
from mm_soap.errors import ConfigurationError
from mm_soap.row_files import Columns, FileForm, Source, form_of

COLUMNS: Final = Columns(
    ("recipient",), ("subject", "body", "body_file", "file", "attachments", "message_id", "sensitive")
)
"""The columns of a batch file. ``file`` is a print supplier's name for the PDF that is the letter."""

_INDEXES: Final = ("index.csv", "index.jsonl", "index.json")
_BETWEEN_FILES: Final = "|"
_YES_AND_NO: Final = {"": True, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Read = tuple[int, Row | None, str]
"""The line; the row, or None and why there is none."""


class BatchFile:
    """A batch file, or a folder with an index and its PDFs.

    Args:
        path: a .csv, .json or .jsonl file, or a folder with index.csv, index.jsonl or index.json.

    Raises:
        ConfigurationError: there is no such file, or its name does not say what it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = _index_of(path) if path.is_dir() else path
        self.form: FileForm = form_of(self.path)

    @property
    def folder(self) -> Path:
        """Where the files are that the rows name."""
        return self.path.parent

    def sha256(self) -> str:
        """Return the SHA-256 of the file, in hexadecimal.

        Raises:
            ConfigurationError: it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigurationError(f"The file {self.path} cannot be read: {error.strerror}.") from None

    def rows(self) -> Iterator[Read]:
        """Yield each row, in the order of the file.

        Raises:
            ConfigurationError: the file as a whole cannot be understood.
        """
        with Source(self.path) as source:
            if self.form == "csv":
                for line, texts, why in source.rows("csv", COLUMNS):
                    yield (
                        (line, None, why) if texts is None else _row(line, dict(zip(COLUMNS.names, texts, strict=True)))
                    )
            else:
                for line, value in source.objects():
                    yield (
                        _row(line, value) if isinstance(value, dict) else (line, None, "The line is not a JSON object.")
                    )


def _index_of(folder: Path) -> Path:
    for name in _INDEXES:
        if (folder / name).is_file():
            return folder / name
    raise ConfigurationError(f"The folder {folder} has no index: add index.csv or index.jsonl.")


def _row(line: int, value: dict[str, Any]) -> Read:
    if not value.keys() <= set(COLUMNS.names):
        return line, None, f"The row has a field other than {', '.join(COLUMNS.names)}."
    sensitive = value.pop("sensitive", True)
    attached = value.pop("attachments", "")
    if isinstance(attached, str):
        attached = next(csv.reader([attached], delimiter=_BETWEEN_FILES), [])
    texts = {name: "" if text is None else text for name, text in value.items()}
    if not isinstance(attached, list) or not all(isinstance(text, str) for text in (*texts.values(), *attached)):
        return line, None, "The row has a field that is not a text."
    if isinstance(sensitive, str):
        sensitive = _YES_AND_NO.get(sensitive.strip().lower())
    if not isinstance(sensitive, bool):
        return line, None, "The row must have true or false as sensitive."
    if not texts.get("recipient"):
        return line, None, "The row has no recipient."
    if texts.get("body") and texts.get("body_file"):
        return line, None, "The row has both body and body_file: leave one out."
    letter = texts.pop("file", "")
    files = tuple(name for name in (letter, *attached) if name)
    return line, Row(line, attachments=files, sensitive=sensitive, **texts), ""


def _sentence(why: str) -> str:
    return f"The row {why}."
