"""Which registers of companies and persons the settings make."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_soap.bootstrap_sources import company_register, population_register
from mm_soap.companies import CompanyRegisterAway
from mm_soap.config import FarSettings, load
from mm_soap.demonstration import COMPANY, DEMO_WORLD, RECIPIENT
from mm_soap.demonstration_registers import ANNA, COMPANIES, PERSONS, write_registers
from mm_soap.errors import ConfigurationError
from mm_soap.message.identifiers import valid_check_digit
from mm_soap.persons import NumberedPersons

HTTP = '[far.companies]\nurl = "http://127.0.0.1:9/c"\n'


def read(folder: Path, content: str, profile: str = "demonstration") -> FarSettings:
    file = folder / "mm-soap.toml"
    file.write_text(f'profile = "{profile}"\n[far]\n{content}')
    settings = load(file)
    assert settings.far is not None
    return settings.far


def test_without_tables_companies_are_away_and_persons_are_their_numbers(tmp_path: Path) -> None:
    far = read(tmp_path, "")
    persons = population_register(far)
    assert isinstance(persons, NumberedPersons)
    with pytest.raises(CompanyRegisterAway):
        company_register(far, persons).find(COMPANY)


def test_files_are_taken_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    write_registers(tmp_path)
    far = read(tmp_path, '[far.companies]\nfile = "companies.json"\n[far.persons]\nfile = "persons.json"\n')
    persons = population_register(far)
    assert persons.find(ANNA.number) == ANNA
    assert company_register(far, persons).find(COMPANY) == COMPANIES[0]


def test_an_address_is_asked(tmp_path: Path) -> None:
    far = read(tmp_path, HTTP)
    assert far.companies is not None
    assert (far.companies.timeout, far.companies.cache_seconds) == (5, 300)
    with pytest.raises(CompanyRegisterAway):
        company_register(far, NumberedPersons()).find(COMPANY)


@pytest.mark.parametrize("content", ["[far.companies]\n", f'{HTTP}file = "c.json"\n'])
def test_either_a_file_or_an_address(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigurationError, match=r"far\.companies must have either file or url\."):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    far = read(tmp_path, '[far.companies]\nfile = "c.json"\n[far.persons]\nfile = "p.json"\n')
    with pytest.raises(ConfigurationError, match="file of companies"):
        company_register(far, NumberedPersons())
    with pytest.raises(ConfigurationError, match="file of persons"):
        population_register(far)


def test_production_asks_over_tls(tmp_path: Path) -> None:
    tls = '[tls]\ncertificate = "c.pem"\nkey = "k.pem"\nclient_anchors = ["a.pem"]\n'
    with pytest.raises(ConfigurationError, match=r"far\.companies\.url must begin with https://"):
        read(tmp_path, HTTP + tls, "production")


def test_the_demonstration_knows_its_company_and_its_people() -> None:
    assert COMPANIES[0].number == COMPANY
    assert ANNA.number == RECIPIENT
    numbers = [*(company.number for company in COMPANIES), *(person.number for person in PERSONS)]
    assert [number for number in numbers if not valid_check_digit(number)] == []
    people = {account.recipient for account in DEMO_WORLD.accounts} - {COMPANY}
    listed = {person.personal_number for person in COMPANIES[0].signatories}
    assert listed <= people
