"""Persons: ages, the file, and numbers that were replaced."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mm_soap.demonstration_registers import PERSONS
from mm_soap.errors import ConfigurationError
from mm_soap.persons import (
    FilePopulationRegister,
    NumberedPersons,
    PopulationRegisterAway,
    RegisteredPerson,
    birth_day,
    swedish_day,
    write_persons,
)
from mm_soap.persons.file import schema

DOCS = Path(__file__).parents[3] / "docs/reference"
ANNA, FIRST, SECOND = "192705178354", "189001619809", "189002619808"
BORN = date(1927, 5, 17)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "persons.json"


def register(path: Path, *rows: dict[str, Any], complete: bool = True) -> FilePopulationRegister:
    path.write_text(json.dumps({"complete": complete, "persons": rows}))
    return FilePopulationRegister(path)


@pytest.mark.parametrize(
    ("born", "day", "adult"),
    [
        (date(2000, 5, 17), date(2018, 5, 16), False),
        (date(2000, 5, 17), date(2018, 5, 17), True),
        (date(2000, 2, 29), date(2018, 2, 28), False),
        (date(2000, 2, 29), date(2018, 3, 1), True),
        (date(2000, 12, 31), date(2018, 1, 1), False),
    ],
)
def test_eighteen_on_the_day(born: date, day: date, adult: bool) -> None:
    assert RegisteredPerson(ANNA, "", born).is_adult(day) is adult


def test_the_day_is_the_swedish_one() -> None:
    assert swedish_day(datetime(2026, 6, 30, 21, 59, tzinfo=UTC)) == date(2026, 6, 30)
    assert swedish_day(datetime(2026, 6, 30, 22, 0, tzinfo=UTC)) == date(2026, 7, 1)
    assert swedish_day(datetime(2026, 12, 31, 23, 0, tzinfo=UTC)) == date(2027, 1, 1)


@pytest.mark.parametrize(
    ("number", "born"),
    [
        (ANNA, BORN),
        (FIRST, date(1890, 1, 1)),
        ("190002290000", None),
        ("200002290000", date(2000, 2, 29)),
        ("1927", None),
        ("19270517835x", None),
        ("190013010000", None),
        ("190001000000", None),
        ("190001600000", None),
    ],
)
def test_the_day_of_birth_in_a_number(number: str, born: date | None) -> None:
    assert birth_day(number) == born
    found = NumberedPersons().find(number)
    assert found == (None if born is None else RegisteredPerson(number, "", born))


def test_a_person_of_the_file(path: Path) -> None:
    persons = register(path, {"number": ANNA, "name": "Anna"}, {"number": FIRST, "dead": True, "protected": True})
    assert persons.find(ANNA) == RegisteredPerson(ANNA, "Anna", BORN)
    assert persons.find(FIRST) == RegisteredPerson(FIRST, "", date(1890, 1, 1), dead=True, protected=True)
    assert persons.find(SECOND) is None


def test_a_file_that_is_not_complete_leaves_the_rest_to_the_number(path: Path) -> None:
    persons = register(path, {"number": ANNA, "born": "1990-01-01"}, complete=False)
    assert persons.find(ANNA) == RegisteredPerson(ANNA, "", date(1990, 1, 1))
    assert persons.find(SECOND) == RegisteredPerson(SECOND, "", date(1890, 2, 1))


def test_an_old_number_leads_to_the_newest(path: Path) -> None:
    persons = register(
        path,
        {"number": FIRST, "now_number": SECOND},
        {"number": SECOND, "now_number": ANNA},
        {"number": ANNA, "name": "Anna", "protected": True},
    )
    earlier = (FIRST, SECOND)
    now = RegisteredPerson(ANNA, "Anna", BORN, protected=True, earlier_numbers=earlier)
    assert persons.find(ANNA) == now
    for number in earlier:
        found = persons.find(number)
        assert found == RegisteredPerson(number, "Anna", BORN, False, True, ANNA, earlier)
        assert found is not None
        assert (found.current_number, found.all_numbers) == (ANNA, (ANNA, FIRST, SECOND))


WRONG = {
    "to nowhere": [{"number": FIRST, "now_number": SECOND}],
    "to itself": [{"number": FIRST, "now_number": FIRST}],
    "circle": [{"number": FIRST, "now_number": SECOND}, {"number": SECOND, "now_number": FIRST}],
    "twice": [{"number": FIRST}, {"number": FIRST}],
    "no day": [{"number": "190002300000"}],
    "no number": [{"number": "1927"}],
    "unknown key": [{"number": FIRST, "age": 3}],
}


@pytest.mark.parametrize("rows", WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_without_its_values(path: Path, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        register(path, *rows)
    assert not any(str(row["number"]) in str(caught.value) for row in rows)


def test_a_changed_file_is_read_again_and_a_missing_one_is_no_answer(path: Path) -> None:
    persons = register(path, {"number": ANNA})
    path.write_text(json.dumps({"persons": [{"number": ANNA, "dead": True}]}))
    found = persons.find(ANNA)
    assert found is not None
    assert found.dead
    path.unlink()
    with pytest.raises(PopulationRegisterAway) as caught:
        persons.find(ANNA)
    assert ANNA not in str(caught.value)


def test_writing_makes_what_is_read(path: Path) -> None:
    write_persons(path, PERSONS, complete=False)
    persons = FilePopulationRegister(path)
    assert [persons.find(person.number) for person in PERSONS] == list(PERSONS)
    assert persons.find("191212121212") is not None
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError):
        write_persons(path, [RegisteredPerson(ANNA, "", BORN, now_number=FIRST)])
    with pytest.raises(ConfigurationError):
        write_persons(path.parent / "nowhere/persons.json", PERSONS)


def test_the_schema_in_the_documentation_is_the_one_that_is_checked() -> None:
    assert json.loads((DOCS / "persons.schema.json").read_text()) == schema()


def test_nothing_of_a_person_shows_in_a_log() -> None:
    assert ANNA not in repr(RegisteredPerson(ANNA, "Anna", BORN))
    assert "Anna" not in repr(RegisteredPerson(ANNA, "Anna", BORN))
