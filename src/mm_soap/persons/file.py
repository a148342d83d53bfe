"""Persons from a JSON file: the population register of an installation that asks nobody else.

``docs/reference/persons.schema.json`` is `schema` written out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.errors import ConfigurationError
from mm_soap.persons.model import RegisteredPerson, birth_day
from mm_soap.persons.register import NumberedPersons, PopulationRegisterAway
from mm_soap.watched_file import FileUnusable, WatchedFile, places, replace

PersonalNumber = Annotated[str, StringConstraints(pattern=r"^(18|19|20)[0-9]{10}$")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PersonRow(_Row):
    """A person, or a number that a person once had."""

    number: PersonalNumber
    name: str = Field(default="", max_length=256)
    born: date | None = Field(default=None, description="The day of birth, where it is not the one in the number.")
    dead: bool = False
    protected: bool = Field(default=False, description="Whether name and number may be shown to nobody.")
    now_number: PersonalNumber | None = Field(
        default=None,
        description="For a number that was replaced: the one after it, which is in the file too. What else is said of "
        "the person then stands there.",
    )

    @model_validator(mode="after")
    def _has_a_birth_day(self) -> Self:
        if self.born is None and birth_day(self.number) is None:
            raise PydanticCustomError("born", "needs born, since the number holds no day that ever was")
        return self


class PersonsFile(_Row):
    """The file of persons."""

    complete: bool = Field(
        default=True,
        description="Whether a person who is not in the file does not exist. If false, such a person is taken to be "
        "alive and born on the day in the number.",
    )
    persons: tuple[PersonRow, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        by_number = {row.number: row for row in self.persons}
        if len(by_number) < len(self.persons):
            raise PydanticCustomError("twice", "holds a number twice")
        for row in self.persons:
            _last(row, by_number)
        return self


@dataclass(frozen=True)
class _Index:
    complete: bool
    by_number: dict[str, RegisteredPerson]


class FilePopulationRegister:
    """The persons of a file, see ``docs/reference/persons.schema.json``. Safe for threads.

    The file is read again when it changes. While it is away, or wrong, the register is away.

    Args:
        path: the file.

    Raises:
        ConfigurationError: the file cannot be read, or does not follow its format. The sentence holds none of it.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, _read)
        self._others = NumberedPersons()
        try:
            self._file.content()
        except FileUnusable as unusable:
            raise ConfigurationError(f"The file of persons cannot be used: {unusable}.") from None

    def find(self, number: str) -> RegisteredPerson | None:
        """Return a person by a number that the person has or had; None where nobody has.

        Raises:
            PopulationRegisterAway: the file is away or wrong.
        """
        try:
            index = self._file.content()
        except FileUnusable as unusable:
            raise PopulationRegisterAway(str(unusable)) from None
        found = index.by_number.get(number)
        return found if found is not None or index.complete else self._others.find(number)


def write_persons(path: Path, persons: Iterable[RegisteredPerson], *, complete: bool = True) -> None:
    """Put a new file of persons in the place of the one at a path, or where none is.

    Args:
        path: the file.
        persons: each with its own number; one with a ``now_number`` stands for a number that was replaced.
        complete: whether a person who is not among them does not exist.

    Raises:
        ConfigurationError: a person breaks the format, or the folder cannot be written. Nothing is changed.
    """
    try:
        document = PersonsFile.model_validate(
            {"complete": complete, "persons": [_document(person) for person in persons]}
        ).model_dump(mode="json", exclude_defaults=True)
    except ValidationError as error:
        raise ConfigurationError(f"The persons break their format: {'; '.join(places(error))}.") from None
    try:
        replace(path, (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file of persons."""
    return PersonsFile.model_json_schema()


def _document(person: RegisteredPerson) -> dict[str, Any]:
    return {
        "number": person.number,
        "name": person.name,
        "born": None if person.born == birth_day(person.number) else person.born,
        "dead": person.dead,
        "protected": person.protected,
        "now_number": person.now_number,
    }


def _last(row: PersonRow, by_number: dict[str, PersonRow]) -> PersonRow:
    passed = {row.number}
    while row.now_number is not None:
        following = by_number.get(row.now_number)
        if following is None:
            raise PydanticCustomError("now_number", "replaces a number by one that is not in the file")
        if following.number in passed:
            raise PydanticCustomError("circle", "replaces a number, in the end, by itself")
        passed.add(following.number)
        row = following
    return row


def _read(raw: bytes) -> _Index:
    file = PersonsFile.model_validate_json(raw)
    rows = {row.number: row for row in file.persons}
    last = {number: _last(row, rows) for number, row in rows.items()}
    earlier: dict[str, list[str]] = {}
    for number, row in last.items():
        if number != row.number:
            earlier.setdefault(row.number, []).append(number)
    return _Index(
        file.complete,
        {number: _person(number, row, tuple(sorted(earlier.get(row.number, ())))) for number, row in last.items()},
    )


def _person(number: str, last: PersonRow, earlier: tuple[str, ...]) -> RegisteredPerson:
    born = last.born or birth_day(last.number)
    assert born is not None  # a row without a day of birth is refused
    now = None if last.number == number else last.number
    return RegisteredPerson(number, last.name, born, last.dead, last.protected, now, earlier)
