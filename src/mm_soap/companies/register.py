"""The port to the company register, and what callers ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mm_soap.companies.model import FORMS, Company, Person, Status
from mm_soap.companies.rules import evaluate, signatories_of
from mm_soap.errors import MmSoapError, Refusal, Refused


class Away(Enum):
    """Why the company register gave no answer."""

    UNREACHABLE = "it could not be reached, or took too long"
    UNEXPECTED = "its answer was not of the expected kind"


class CompanyRegisterAway(MmSoapError):
    """The company register gave no answer that can be used. Faults tell it as 5018.

    Args:
        why: whether there was no answer or an unexpected one.
        cause: what happened, for the log; never any content of an answer.
    """

    def __init__(self, why: Away, cause: str) -> None:
        super().__init__(why, cause)
        self.why = why
        self.cause = cause

    def __str__(self) -> str:
        return f"the company register gave no answer: {self.why.value} ({self.cause})"


class CompanyRegister(Protocol):
    """Where companies are looked up."""

    def find(self, number: str) -> Company | None:
        """Return a company by its organisation number with ``16`` before it; None where there is none.

        Raises:
            CompanyRegisterAway: there is no answer.
        """
        ...

    def of_person(self, personal_number: str) -> Sequence[Company]:
        """Return the companies for which a person is listed, by number.

        Raises:
            CompanyRegisterAway: there is no answer.
        """
        ...


class NoCompanyRegister:
    """The company register of an installation that has none: it is always away."""

    def find(self, number: str) -> Company | None:
        """Raise `CompanyRegisterAway`."""
        raise CompanyRegisterAway(Away.UNREACHABLE, "the settings name none")

    def of_person(self, personal_number: str) -> Sequence[Company]:
        """Raise `CompanyRegisterAway`."""
        raise CompanyRegisterAway(Away.UNREACHABLE, "the settings name none")


@dataclass(frozen=True, slots=True)
class AuthorizedSigner:
    """What isAuthorizedSigner tells of a person and a company, beside the account.

    Args:
        authorized: whether the person is a possible signatory.
        company: the company; its ``rule_text`` is the contract's CompanySignatureRuleText.
        possible_signers: all possible signatories, the person among them.
    """

    authorized: bool
    company: Company
    possible_signers: tuple[Person, ...]


def find_served(register: CompanyRegister, number: str) -> Company:
    """Return a company that is served.

    Raises:
        Refused: ``COMPANY_REGISTER_AWAY`` (5018), ``NOT_FOUND`` (5003) for a number that no company has,
            ``COMPANY_FORM`` (6004) for a form that is not in `FORMS`.
    """
    try:
        company = register.find(number)
    except CompanyRegisterAway:
        raise Refused(Refusal.COMPANY_REGISTER_AWAY) from None
    if company is None:
        raise Refused(Refusal.NOT_FOUND, "company")
    if company.form not in FORMS:
        raise Refused(Refusal.COMPANY_FORM)
    return company


def authorized_account(company: Company, user: str, unable: Sequence[str] = ()) -> AuthorizedSigner:
    """Return whether a person is a possible signatory of a company, with all who are.

    Args:
        company: the company, from `find_served`.
        user: the personal number of the person.
        unable: the personal numbers of those who can sign no more.

    Raises:
        Refused: ``SIGNATORY_RULE`` (6005) for a rule that cannot be evaluated.
    """
    if evaluate(company, (), unable).status is Status.RULES_NOT_SUPPORTED:
        raise Refused(Refusal.SIGNATORY_RULE)
    possible = signatories_of(company, unable)
    return AuthorizedSigner(any(person.personal_number == user for person in possible), company, possible)
