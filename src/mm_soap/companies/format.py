"""The format of companies in JSON: what the file and the answers over HTTP hold, checked while it is read.

``docs/reference/companies.schema.json`` is `schema` written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.companies import model
from mm_soap.companies.model import ROLES

_PERSON: Final = r"^(18|19|20)[0-9]{10}$"
_MEMBER: Final = rf"{_PERSON}|^({'|'.join(ROLES)})$"
_MOST_LISTED: Final = 200
_MOST_RULES: Final = 50
_MOST_GROUPS: Final = 6

Organisation = Annotated[str, StringConstraints(pattern=r"^16[0-9]{10}$")]
PersonalNumber = Annotated[str, StringConstraints(pattern=_PERSON)]


def _known_role(value: str) -> str:
    if value not in ROLES:
        raise PydanticCustomError("role", "must be one of {roles}", {"roles": ", ".join(ROLES)})
    return value


Role = Annotated[str, AfterValidator(_known_role), Field(json_schema_extra={"enum": list(ROLES)})]
Member = Annotated[
    str, StringConstraints(pattern=_MEMBER), Field(description="A role, or the personal number of a listed person.")
]
Group = Annotated[tuple[Member, ...], Field(max_length=_MOST_LISTED)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TogetherRow(_Row):
    """Any `count` persons of a group, together; a count of 1 is each alone. Without `who`, of all who are listed."""

    kind: Literal["together"]
    count: int = Field(gt=0, le=_MOST_LISTED)
    who: Group = ()


class NamedRow(_Row):
    """These persons, all of them together."""

    kind: Literal["named"]
    persons: tuple[PersonalNumber, ...] = Field(min_length=1, max_length=_MOST_LISTED)


class OneFromEachRow(_Row):
    """One person from each group, together; nobody counts for two groups."""

    kind: Literal["one_from_each"]
    groups: tuple[Group, ...] = Field(min_length=1, max_length=_MOST_GROUPS)


class BoardRow(_Row):
    """The board: all members, or more than half of them."""

    kind: Literal["board"]
    quorum: Literal["all", "majority"] = "all"


class NotEvaluableRow(_Row):
    """A rule that only people can read."""

    kind: Literal["not_evaluable"]


class AnyOfRow(_Row):
    """Any one of these rules is enough."""

    kind: Literal["any_of"]
    rules: tuple[SimpleRule, ...] = Field(min_length=1, max_length=_MOST_RULES)


SimpleRule = Annotated[
    TogetherRow | NamedRow | OneFromEachRow | BoardRow | NotEvaluableRow, Field(discriminator="kind")
]
Rule = Annotated[
    TogetherRow | NamedRow | OneFromEachRow | BoardRow | NotEvaluableRow | AnyOfRow, Field(discriminator="kind")
]


class SignatoryRow(_Row):
    """A person whom the company register lists for the company."""

    personal_number: PersonalNumber
    name: str = Field(min_length=1, max_length=256)
    roles: tuple[Role, ...] = ()


class CompanyRow(_Row):
    """A company."""

    number: Organisation
    name: str = Field(min_length=1, max_length=256)
    form: str = Field(pattern=r"^[A-Z]{1,10}$", description="The code of the form, such as AB.")
    rule: Rule
    rule_text: str = Field(default="", max_length=4000, description="The rule in words, for people.")
    signatories: tuple[SignatoryRow, ...] = Field(default=(), max_length=_MOST_LISTED)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        listed = [row.personal_number for row in self.signatories]
        if len(set(listed)) < len(listed):
            raise PydanticCustomError("twice", "lists a person twice among the signatories")
        if not _persons_in(self.rule) <= set(listed):
            raise PydanticCustomError("unlisted", "names a person in its rule who is not among the signatories")
        return self


class CompaniesFile(_Row):
    """The file of companies, and the answer to a search over HTTP."""

    companies: tuple[CompanyRow, ...]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({row.number for row in self.companies}) < len(self.companies):
            raise PydanticCustomError("twice", "holds a company twice")
        return self


def read_company(raw: bytes) -> model.Company:
    """Return the company of a JSON document.

    Raises:
        pydantic.ValidationError: it does not follow the format.
    """
    return _company(CompanyRow.model_validate_json(raw))


def read_companies(raw: bytes) -> list[model.Company]:
    """Return the companies of a JSON document that holds several.

    Raises:
        pydantic.ValidationError: it does not follow the format.
    """
    return [_company(row) for row in CompaniesFile.model_validate_json(raw).companies]


def company_document(company: model.Company) -> dict[str, Any]:
    """Return one company as `read_company` reads it, ready for JSON."""
    return _row(company).model_dump(mode="json")


def companies_document(companies: Iterable[model.Company]) -> dict[str, Any]:
    """Return companies as `read_companies` reads them, ready for JSON.

    Raises:
        pydantic.ValidationError: one breaks a rule of the format.
    """
    return CompaniesFile(companies=tuple(_row(company) for company in companies)).model_dump(mode="json")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file of companies."""
    return CompaniesFile.model_json_schema()


def _persons_in(rule: BaseModel) -> set[str]:
    match rule:
        case TogetherRow(who=group):
            named = set(group)
        case NamedRow(persons=persons):
            named = set(persons)
        case OneFromEachRow(groups=groups):
            named = set().union(*groups)
        case AnyOfRow(rules=rules):
            named = set().union(*(_persons_in(one) for one in rules))
        case _:
            named = set()
    return {one for one in named if re.match(_PERSON, one)}


def _company(row: CompanyRow) -> model.Company:
    signatories = tuple(model.Person(each.personal_number, each.name, each.roles) for each in row.signatories)
    return model.Company(row.number, row.name, row.form, _rule(row.rule), signatories, row.rule_text)


def _rule(row: BaseModel) -> model.SignatoryRule:
    match row:
        case TogetherRow(count=count, who=who):
            return model.Together(count, who)
        case NamedRow(persons=persons):
            return model.Named(persons)
        case OneFromEachRow(groups=groups):
            return model.OneFromEach(groups)
        case BoardRow(quorum=quorum):
            return model.Board(quorum)
        case AnyOfRow(rules=rules):
            return model.AnyOf(tuple(_rule(one) for one in rules))
        case _:
            return model.NotEvaluable()


def _row(company: model.Company) -> CompanyRow:
    return CompanyRow.model_validate(
        {
            "number": company.number,
            "name": company.name,
            "form": company.form,
            "rule": _rule_document(company.rule),
            "rule_text": company.rule_text,
            "signatories": [
                {"personal_number": person.personal_number, "name": person.name, "roles": person.roles}
                for person in company.signatories
            ],
        }
    )


def _rule_document(rule: model.SignatoryRule) -> dict[str, Any]:
    match rule:
        case model.Together(count, who):
            return {"kind": "together", "count": count, "who": who}
        case model.Named(persons):
            return {"kind": "named", "persons": persons}
        case model.OneFromEach(groups):
            return {"kind": "one_from_each", "groups": groups}
        case model.Board(quorum):
            return {"kind": "board", "quorum": quorum}
        case model.AnyOf(rules):
            return {"kind": "any_of", "rules": [_rule_document(one) for one in rules]}
        case model.NotEvaluable():
            return {"kind": "not_evaluable"}
