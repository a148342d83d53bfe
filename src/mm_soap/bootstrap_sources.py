"""The registers that the address register asks, built from settings."""

from __future__ import annotations

from pathlib import Path

from mm_soap.companies import (
    CompanyRegister,
    CurrentNumbers,
    FileCompanyRegister,
    HttpCompanyRegister,
    NoCompanyRegister,
)
from mm_soap.config import FarSettings
from mm_soap.persons import FilePopulationRegister, NumberedPersons, PopulationRegister


def population_register(own: FarSettings) -> PopulationRegister:
    """Return the population register that the settings name; without one, what numbers tell is all that is known.

    Raises:
        ConfigurationError: its file cannot be used.
    """
    return NumberedPersons() if own.persons is None else FilePopulationRegister(own.persons.file)


def company_register(own: FarSettings, persons: PopulationRegister) -> CompanyRegister:
    """Return the company register that the settings name, with the personal numbers of now.

    Raises:
        ConfigurationError: its file cannot be used.
    """
    return CurrentNumbers(_companies(own), persons)


def _companies(own: FarSettings) -> CompanyRegister:
    companies = own.companies
    if companies is None:
        return NoCompanyRegister()
    if companies.file:
        return FileCompanyRegister(Path(companies.file))
    return HttpCompanyRegister(companies.url, timeout=companies.timeout, cache_seconds=companies.cache_seconds)
