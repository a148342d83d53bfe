"""Registers of companies and persons in memory, which can be away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mm_soap.companies import Away, Company, CompanyRegisterAway
from mm_soap.persons import NumberedPersons, PopulationRegisterAway, RegisteredPerson


class FakeCompanies:
    """A company register that holds what it was given; while ``away`` is set, it is away for that reason."""

    def __init__(self, companies: Iterable[Company] = ()) -> None:
        self.companies = {company.number: company for company in companies}
        self.away: Away | None = None

    def find(self, number: str) -> Company | None:
        """Return a company by its number; None where there is none."""
        self._answer()
        return self.companies.get(number)

    def of_person(self, personal_number: str) -> Sequence[Company]:
        """Return the companies for which a person is listed, by number."""
        self._answer()
        found = [
            company
            for company in self.companies.values()
            if any(person.personal_number == personal_number for person in company.signatories)
        ]
        return sorted(found, key=lambda company: company.number)

    def _answer(self) -> None:
        if self.away is not None:
            raise CompanyRegisterAway(self.away, "test")


class FakePersons:
    """A population register that holds what it was given, and of others what their numbers tell.

    While ``away`` is set, it is away.
    """

    def __init__(self, persons: Iterable[RegisteredPerson] = ()) -> None:
        self.persons = {person.number: person for person in persons}
        self.away = False

    def find(self, number: str) -> RegisteredPerson | None:
        """Return a person by the number."""
        if self.away:
            raise PopulationRegisterAway("test")
        return self.persons.get(number) or NumberedPersons().find(number)
