"""What parties stand on, built from settings: the registers that the address register asks, trust, identities."""

from __future__ import annotations

from pathlib import Path

from mm_soap.clock import Clock
from mm_soap.companies import (
    CompanyRegister,
    CurrentNumbers,
    FileCompanyRegister,
    HttpCompanyRegister,
    NoCompanyRegister,
)
from mm_soap.config import DispatcherSettings, FarSettings, OperatorSettings, Settings
from mm_soap.dsig import Trust, seal_policy, sender_policy
from mm_soap.errors import ConfigurationError
from mm_soap.persons import FilePopulationRegister, NumberedPersons, PopulationRegister
from mm_soap.pki import Identity, TrustStore


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


def trust_of(settings: Settings, trusted: TrustStore, clock: Clock) -> Trust:
    """Return whose signatures an installation believes."""
    return Trust(trusted, sender_policy(frozenset(settings.trust.allow_sha1_from)), seal_policy(), clock)


def own_identity(own: DispatcherSettings | OperatorSettings) -> Identity:
    """Return with what a party signs.

    Raises:
        ConfigurationError: the certificate names another organisation, or a file cannot be read.
    """
    identity = Identity.load(own.certificate, own.key)
    if identity.organisation != own.organisation:
        raise ConfigurationError(f"{own.certificate} names another organisation than the settings: use its own.")
    return identity
