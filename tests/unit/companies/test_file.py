"""Companies in a file: the format, what is refused, and that changes are seen."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_soap.companies import (
    FORMS,
    ROLES,
    AnyOf,
    Board,
    Company,
    CompanyRegisterAway,
    CurrentNumbers,
    FileCompanyRegister,
    Named,
    NoCompanyRegister,
    NotEvaluable,
    OneFromEach,
    Person,
    Together,
    authorized_account,
    find_served,
    write_companies,
)
from mm_soap.companies.format import company_document, read_company, schema
from mm_soap.demonstration_registers import COMPANIES
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.persons import PopulationRegisterAway, RegisteredPerson

DOCS = Path(__file__).parents[3] / "docs/reference"
ANNA, BERTIL = "192705178354", "189001619809"
ROW: dict[str, Any] = {
    "number": "165599999934",
    "name": "Bolaget AB",
    "form": "AB",
    "rule": {"kind": "together", "count": 1, "who": ["board"]},
    "rule_text": "Var för sig.",
    "signatories": [{"personal_number": ANNA, "name": "Anna", "roles": ["board"]}],
}
COMPANY = Company(
    "165599999934", "Bolaget AB", "AB", Together(1, ("board",)), (Person(ANNA, "Anna", ("board",)),), "Var för sig."
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "companies.json"


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"companies": rows}))
    return path


def test_a_company_is_found_by_its_number_and_by_its_people(path: Path) -> None:
    register = FileCompanyRegister(write(path, ROW))
    assert register.find("165599999934") == COMPANY
    assert register.find("165599999942") is None
    assert list(register.of_person(ANNA)) == [COMPANY]
    assert list(register.of_person(BERTIL)) == []


def test_a_changed_file_is_read_again(path: Path) -> None:
    register = FileCompanyRegister(write(path, ROW))
    write(path, {**ROW, "name": "Nya bolaget AB"})
    found = register.find("165599999934")
    assert found is not None
    assert found.name == "Nya bolaget AB"


def test_a_file_that_is_gone_or_wrong_is_no_answer_until_it_is_right(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register = FileCompanyRegister(write(path, ROW))
    path.write_text("{")
    for _ in range(3):
        with pytest.raises(CompanyRegisterAway):
            register.find("165599999934")
    assert len(caplog.records) == 1
    path.unlink()
    with pytest.raises(CompanyRegisterAway):
        register.of_person(ANNA)
    write(path, ROW)
    assert register.find("165599999934") == COMPANY


SECRET = "191212121212"
WRONG = {
    "number": {**ROW, "number": "5599999934"},
    "form": {**ROW, "form": "aktiebolag"},
    "unknown key": {**ROW, "styrelse": []},
    "unknown kind": {**ROW, "rule": {"kind": SECRET}},
    "count": {**ROW, "rule": {"kind": "together", "count": 0}},
    "role": {**ROW, "signatories": [{"personal_number": ANNA, "name": "A", "roles": [SECRET]}]},
    "not listed": {**ROW, "rule": {"kind": "named", "persons": [SECRET]}},
    "not listed, in a group": {**ROW, "rule": {"kind": "one_from_each", "groups": [["board"], [SECRET]]}},
    "twice": {
        **ROW,
        "signatories": [{"personal_number": SECRET, "name": "A"}, {"personal_number": SECRET, "name": "B"}],
    },
    "nested": {**ROW, "rule": {"kind": "any_of", "rules": [{"kind": "any_of", "rules": [{"kind": "board"}]}]}},
}


@pytest.mark.parametrize("row", WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_told_by_its_place_and_without_its_values(path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FileCompanyRegister(write(path, row))
    assert str(path) in str(caught.value)
    assert "companies.0" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_no_file_no_json_and_a_company_twice(path: Path) -> None:
    for content in (None, b"", b"[]", b"\xff", json.dumps({"companies": [ROW, ROW]}).encode()):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError):
            FileCompanyRegister(path)


def test_writing_makes_what_is_read_and_only_its_owner_reads_it(path: Path) -> None:
    write_companies(path, COMPANIES)
    register = FileCompanyRegister(path)
    assert [register.find(company.number) for company in COMPANIES] == list(COMPANIES)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError):
        write_companies(path, [Company("1", "x", "AB", NotEvaluable())])
    assert register.find(COMPANIES[0].number) == COMPANIES[0]
    assert list(path.parent.iterdir()) == [path]


_numbers = st.sampled_from([ANNA, BERTIL])
_groups = st.lists(st.one_of(_numbers, st.sampled_from(list(ROLES))), max_size=3).map(tuple)
_simple = st.one_of(
    st.builds(Together, st.integers(1, 200), _groups),
    st.builds(Named, st.lists(_numbers, min_size=1, max_size=2).map(tuple)),
    st.builds(OneFromEach, st.lists(_groups, min_size=1, max_size=6).map(tuple)),
    st.builds(Board, st.sampled_from(["all", "majority"])),
    st.just(NotEvaluable()),
)


@settings(max_examples=100)
@given(st.one_of(_simple, st.builds(AnyOf, st.lists(_simple, min_size=1, max_size=4).map(tuple))))
def test_every_rule_survives_the_format(rule: Any) -> None:
    company = Company("165599999934", "B", "HB", rule, (Person(ANNA, "Anna"), Person(BERTIL, "Å", ("owner",))))
    assert read_company(json.dumps(company_document(company)).encode()) == company


def test_the_schema_in_the_documentation_is_the_one_that_is_checked() -> None:
    assert json.loads((DOCS / "companies.schema.json").read_text()) == schema()


def test_the_documentation_lists_every_form_and_role() -> None:
    text = (DOCS / "companies.md").read_text()
    assert [code for code in (*FORMS, *ROLES) if f"`{code}`" not in text] == []


def refusal(register: Any, number: str = "165599999934") -> Refusal:
    with pytest.raises(Refused) as caught:
        find_served(register, number)
    return caught.value.refusal


def test_what_is_not_served(path: Path) -> None:
    register = FileCompanyRegister(write(path, {**ROW, "form": "S"}))
    assert refusal(register) is Refusal.COMPANY_FORM
    assert Refusal.COMPANY_FORM.code == 6004
    assert refusal(register, "165599999942") is Refusal.NOT_FOUND
    assert refusal(NoCompanyRegister()) is Refusal.COMPANY_REGISTER_AWAY
    assert Refusal.COMPANY_REGISTER_AWAY.code == 5018


def test_who_may_open_a_company_mailbox() -> None:
    joint, alone, _, unreadable, _ = COMPANIES
    assert authorized_account(joint, ANNA).authorized
    assert not authorized_account(alone, BERTIL).authorized
    assert ANNA not in {p.personal_number for p in authorized_account(joint, BERTIL, [ANNA]).possible_signers}
    with pytest.raises(Refused) as caught:
        authorized_account(unreadable, ANNA)
    assert caught.value.refusal is Refusal.SIGNATORY_RULE
    assert caught.value.refusal.code == 6005


class Persons:
    def __init__(self, *persons: RegisteredPerson, away: bool = False) -> None:
        self.persons = {number: person for person in persons for number in person.all_numbers}
        self.away = away

    def find(self, number: str) -> RegisteredPerson | None:
        if self.away:
            raise PopulationRegisterAway("test")
        return self.persons.get(number)


def test_a_replaced_number_is_the_person_of_now(path: Path) -> None:
    old, born = "189003619807", date(1890, 3, 1)
    row = {
        **ROW,
        "rule": {
            "kind": "any_of",
            "rules": [
                {"kind": "named", "persons": [old, BERTIL]},
                {"kind": "one_from_each", "groups": [[old], ["owner"]]},
            ],
        },
        "signatories": [
            {"personal_number": old, "name": "Anna", "roles": ["board"]},
            {"personal_number": ANNA, "name": "Anna", "roles": ["owner"]},
            {"personal_number": BERTIL, "name": "Bertil"},
        ],
    }
    person = RegisteredPerson(old, "Anna", born, now_number=ANNA, earlier_numbers=(old,))
    register = CurrentNumbers(FileCompanyRegister(write(path, row)), Persons(person))
    found = register.find("165599999934")
    assert found is not None
    assert found.signatories == (Person(ANNA, "Anna", ("board", "owner")), Person(BERTIL, "Bertil"))
    assert found.rule == AnyOf((Named((ANNA, BERTIL)), OneFromEach(((ANNA,), ("owner",)))))
    assert [list(register.of_person(number)) for number in (old, ANNA, BERTIL)] == [[found]] * 3
    assert register.find("165599999942") is None
    with pytest.raises(Refused) as caught:
        CurrentNumbers(FileCompanyRegister(path), Persons(away=True)).find("165599999934")
    assert caught.value.refusal is Refusal.UNAVAILABLE
