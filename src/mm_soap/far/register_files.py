"""Companies and persons: files that stand beside the register, put in place whole by an import.

They are held in memory as a whole, as by whoever reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine

from mm_soap.companies.format import CompaniesFile, CompanyRow
from mm_soap.errors import ConfigurationError
from mm_soap.far.audit import Change, record_change
from mm_soap.far.bulk import Imported, Refuse
from mm_soap.message.identifiers import valid_check_digit
from mm_soap.persons.file import PersonRow, PersonsFile
from mm_soap.row_files import Columns, FileForm, Source
from mm_soap.row_files_out import replacing, row_writer
from mm_soap.storage import writing
from mm_soap.watched_file import places

_TRUE: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Row = tuple[int, Any, str]
"""Its line or place, its content as JSON has it, and why it cannot be read, if so."""


@dataclass(frozen=True)
class FileKind:
    """One kind of file that stands beside the register.

    Args:
        name: what it holds: also the name of the list in its JSON document.
        columns: the columns of its CSV form.
        as_json: the columns whose cells hold JSON.
        as_boolean: the columns whose cells hold true or false.
        row: what checks one row.
        whole: what checks the document.
        extra: the fields of the document beside the list.
    """

    name: str
    columns: Columns
    as_json: tuple[str, ...]
    as_boolean: tuple[str, ...]
    row: type[BaseModel]
    whole: type[BaseModel]
    extra: tuple[str, ...] = ()


COMPANIES: Final = FileKind(
    "companies",
    Columns(("number", "name", "form", "rule"), ("rule_text", "signatories")),
    ("rule", "signatories"),
    (),
    CompanyRow,
    CompaniesFile,
)
PERSONS: Final = FileKind(
    "persons",
    Columns(("number",), ("name", "born", "dead", "protected", "now_number")),
    (),
    ("dead", "protected"),
    PersonRow,
    PersonsFile,
    ("complete",),
)


def read_rows(source: Source, form: FileForm, kind: FileKind) -> tuple[list[Row], Mapping[str, Any]]:
    """Return the rows of a file, and the fields that stand beside its list.

    JSON may be the document itself, an array, or one object a line.

    Raises:
        ConfigurationError: the file cannot be read, or not understood as a whole.
    """
    if form == "csv":
        return [_from_csv(row, kind) for row in source.rows(form, kind.columns)], {}
    document = source.document()
    if isinstance(document, dict) and kind.name in document:
        listed = document[kind.name]
        extra = {name: value for name, value in document.items() if name != kind.name}
        if not isinstance(listed, list) or not extra.keys() <= set(kind.extra):
            raise ConfigurationError(f"The JSON document {source.path} must have {kind.name} as an array.")
        return [(place, value, "") for place, value in enumerate(listed, start=1)], extra
    listed = document if isinstance(document, list) else [document]
    return [(place, value, "") for place, value in enumerate(listed, start=1)], {}


def import_file(
    engine: Engine,
    target: Path,
    kind: FileKind,
    rows: Sequence[Row],
    extra: Mapping[str, Any],
    change: Callable[[Mapping[str, Any], Mapping[str, Any] | None], Change],
    refuse: Refuse,
    *,
    check_digits: bool = True,
    dry_run: bool = False,
) -> Imported:
    """Put rows in the place of all that a file holds: all of them, or none if any row is refused.

    Args:
        engine: the register's database, for the audit.
        target: the file that the settings name.
        kind: what it holds.
        rows: see `read_rows`.
        extra: the fields of the document beside the list.
        change: makes what the audit keeps, from what is there now and what was there before.
        refuse: told of each refused row.
        check_digits: whether the check digit of each number must be right.
        dry_run: check all, store nothing.

    Raises:
        ConfigurationError: the rows together break the format, or the file cannot be written.
    """
    good, refused = _checked(kind, rows, check_digits)
    for line, reason in refused:
        refuse(line, reason)
    if refused:
        return Imported(len(rows), len(refused), len(good), 0, False)
    try:
        whole = kind.whole.model_validate({kind.name: good, **extra})
    except ValidationError as error:
        raise ConfigurationError(f"The {kind.name} break their format: {'; '.join(places(error))}.") from None
    if not dry_run:
        document = whole.model_dump(mode="json", exclude_defaults=True)
        document.setdefault(kind.name, [])
        content = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        before = _summary(kind, target)
        with writing(engine) as connection:
            after = {kind.name: len(good), "sha256": hashlib.sha256(content.encode()).hexdigest()}
            record_change(connection, change(after, before))
            with replacing(target) as text:
                text.write(content)
    return Imported(len(rows), 0, len(good), 0, not dry_run)


def export_file(source: Path, kind: FileKind, text: Any, form: FileForm) -> int:
    """Write out what a file holds, by number, and return how many rows there are.

    Args:
        source: the file that the settings name.
        kind: what it holds.
        text: where to write.
        form: CSV, or the JSON document.

    Raises:
        ConfigurationError: the file is away or wrong.
    """
    try:
        whole = kind.whole.model_validate_json(source.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"The file of {kind.name}, {source}, cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        raise ConfigurationError(f"The file of {kind.name} is wrong: {'; '.join(places(error))}.") from None
    document = whole.model_dump(mode="json", exclude_defaults=True)
    rows = sorted(document.get(kind.name, []), key=lambda row: str(row["number"]))
    if form == "json":
        text.write(json.dumps({**document, kind.name: rows}, ensure_ascii=False, indent=1) + "\n")
        return len(rows)
    put = row_writer(text, form, kind.columns)
    for row in rows:
        put([_cell(row.get(name), name, kind) for name in kind.columns.names])
    return len(rows)


def _checked(kind: FileKind, rows: Iterable[Row], check_digits: bool) -> tuple[list[BaseModel], list[tuple[int, str]]]:
    good: list[BaseModel] = []
    refused: list[tuple[int, str]] = []
    lines: dict[str, int] = {}
    pointing: list[tuple[int, str]] = []
    for line, value, problem in rows:
        reason = problem or _wrong(kind, value, check_digits)
        if not isinstance(reason, BaseModel):
            refused.append((line, reason))
            continue
        number = str(getattr(reason, "number", ""))
        if number in lines:
            refused.append((line, f"the number stands on line {lines[number]} already"))
            continue
        lines[number] = line
        good.append(reason)
        if getattr(reason, "now_number", None):
            pointing.append((line, str(getattr(reason, "now_number", ""))))
    refused += [(line, "now_number is not in the file") for line, number in pointing if number not in lines]
    return good, sorted(refused)


def _wrong(kind: FileKind, value: Any, check_digits: bool) -> BaseModel | str:
    """Return the row, or why it is refused."""
    if not isinstance(value, dict):
        return "is not a JSON object"
    try:
        row = kind.row.model_validate(value)
    except ValidationError as error:
        return "; ".join(places(error))
    if check_digits and not valid_check_digit(str(getattr(row, "number", ""))):
        return "the check digit of the number is wrong"
    return row


def _from_csv(row: tuple[int, Sequence[str] | None, str], kind: FileKind) -> Row:
    line, values, problem = row
    if values is None:
        return line, None, problem
    document: dict[str, Any] = {}
    for name, text in zip(kind.columns.names, values, strict=True):
        if not text and name not in kind.columns.needed:
            continue
        if name in kind.as_json:
            try:
                document[name] = json.loads(text)
            except (ValueError, RecursionError):
                return line, None, f"{name} does not hold JSON"
        elif name in kind.as_boolean:
            if text.lower() not in _TRUE:
                return line, None, f"{name} is neither true nor false"
            document[name] = _TRUE[text.lower()]
        else:
            document[name] = text
    return line, document, ""


def _cell(value: Any, name: str, kind: FileKind) -> str | None:
    if value is None:
        return None
    if name in kind.as_json:
        return json.dumps(value, ensure_ascii=False)
    if name in kind.as_boolean:
        return "true" if value else "false"
    return str(value)


def _summary(kind: FileKind, file: Path) -> Mapping[str, Any] | None:
    """Return what the audit keeps of the file that is there: a count, where it can be read, and its digest."""
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    count: int | None = None
    with suppress(ValidationError):
        count = len(getattr(kind.whole.model_validate_json(raw), kind.name))
    return {kind.name: count, "sha256": hashlib.sha256(raw).hexdigest()}
