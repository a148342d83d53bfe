"""Companies: who may sign for them, by which rule, and the company register as a port."""

from mm_soap.companies.current_numbers import CurrentNumbers
from mm_soap.companies.file import FileCompanyRegister, write_companies
from mm_soap.companies.http import HttpCompanyRegister
from mm_soap.companies.model import (
    FORMS,
    ROLES,
    AnyOf,
    Board,
    Company,
    Evaluation,
    Named,
    NotEvaluable,
    OneFromEach,
    Person,
    SignatoryRule,
    Status,
    Together,
)
from mm_soap.companies.register import (
    AuthorizedSigner,
    Away,
    CompanyRegister,
    CompanyRegisterAway,
    NoCompanyRegister,
    authorized_account,
    find_served,
)
from mm_soap.companies.rules import evaluate, signatories_of

__all__ = [
    "FORMS",
    "ROLES",
    "AnyOf",
    "AuthorizedSigner",
    "Away",
    "Board",
    "Company",
    "CompanyRegister",
    "CompanyRegisterAway",
    "CurrentNumbers",
    "Evaluation",
    "FileCompanyRegister",
    "HttpCompanyRegister",
    "Named",
    "NoCompanyRegister",
    "NotEvaluable",
    "OneFromEach",
    "Person",
    "SignatoryRule",
    "Status",
    "Together",
    "authorized_account",
    "evaluate",
    "find_served",
    "signatories_of",
    "write_companies",
]
