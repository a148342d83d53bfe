"""Companies with the personal numbers that persons have now.

The company register may still list somebody under a number that was replaced; who signs does so with the one of now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mm_soap.companies.model import AnyOf, Company, Named, OneFromEach, Person, SignatoryRule, Together
from mm_soap.companies.register import CompanyRegister
from mm_soap.errors import Refusal, Refused
from mm_soap.persons import PopulationRegister, PopulationRegisterAway, RegisteredPerson


class CurrentNumbers:
    """A company register in which each person has the number of now.

    Args:
        companies: the company register.
        persons: the population register, which knows what numbers were replaced.

    Beside `CompanyRegisterAway`, its methods raise ``Refused`` with ``UNAVAILABLE`` when the population register is
    away.
    """

    def __init__(self, companies: CompanyRegister, persons: PopulationRegister) -> None:
        self._companies = companies
        self._persons = persons

    def find(self, number: str) -> Company | None:
        """Return a company by its number; None where there is none."""
        company = self._companies.find(number)
        return None if company is None else self._current(company)

    def of_person(self, personal_number: str) -> Sequence[Company]:
        """Return the companies for which a person is listed, under any number that the person has or had."""
        person = self._find(personal_number)
        numbers = (personal_number,) if person is None else person.all_numbers
        found = {company.number: company for number in numbers for company in self._companies.of_person(number)}
        return [self._current(found[number]) for number in sorted(found)]

    def _current(self, company: Company) -> Company:
        changed: dict[str, str] = {}
        for listed in company.signatories:
            person = self._find(listed.personal_number)
            if person is not None and person.current_number != listed.personal_number:
                changed[listed.personal_number] = person.current_number
        return _renumbered(company, changed) if changed else company

    def _find(self, number: str) -> RegisteredPerson | None:
        try:
            return self._persons.find(number)
        except PopulationRegisterAway:
            raise Refused(Refusal.UNAVAILABLE, "the population register") from None


def _renumbered(company: Company, changed: Mapping[str, str]) -> Company:
    # One person may be listed under both numbers; the roles of both are then that person's.
    merged: dict[str, Person] = {}
    for person in company.signatories:
        number = changed.get(person.personal_number, person.personal_number)
        before = merged.get(number)
        roles = tuple(dict.fromkeys((*before.roles, *person.roles))) if before else person.roles
        merged[number] = Person(number, before.name if before else person.name, roles)
    return replace(company, rule=_rule(company.rule, changed), signatories=tuple(merged.values()))


def _rule(rule: SignatoryRule, changed: Mapping[str, str]) -> SignatoryRule:
    match rule:
        case Together(count, who):
            return Together(count, _group(who, changed))
        case Named(persons):
            return Named(_group(persons, changed))
        case OneFromEach(groups):
            return OneFromEach(tuple(_group(group, changed) for group in groups))
        case AnyOf(rules):
            return AnyOf(tuple(_rule(one, changed) for one in rules))
        case _:
            return rule


def _group(group: tuple[str, ...], changed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(changed.get(one, one) for one in group))
