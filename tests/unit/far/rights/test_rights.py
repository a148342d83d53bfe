"""Consents, and what a person may do with which mailboxes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.companies import Away, Company, CurrentNumbers, Named, NotEvaluable, Person, Together
from mm_soap.demonstration_registers import ANNA, BERTIL, CECILIA, COMPANIES, DEAD, PERSONS
from mm_soap.errors import Refusal, Refused
from mm_soap.far import Account, Operator, Register
from mm_soap.far.rights import Activity, Consent, ConsentKind, Consents, GrantType, ProblemType, Right, Rights, store
from mm_soap.far.rights.model import BY_CONSENT, BY_ROLE, SIGNS_ALONE, SIGNS_WITH_OTHERS, WITHOUT_ACCOUNT
from mm_soap.persons import RegisteredPerson
from mm_soap.storage import migrate, writing
from mm_soap.testing import FrozenClock
from mm_soap.testing.registers import FakeCompanies, FakePersons

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOINT, ALONE, NAMED, UNREADABLE, FOUNDATION = COMPANIES
PERSON, PENDING, STRANGER, UNKNOWN_COMPANY = "189003619807", "191212121220", "191212121212", "165599999983"
FULL_WIDTH = "".join(chr(ord(digit) + 0xFEE0) for digit in "192705178354")
OPERATOR = Operator("165560000019", "Brevlådan", "http://o", "http://o")
INITIATE = {activity for activity in Activity if activity.value.startswith("Initiate")}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def companies() -> FakeCompanies:
    return FakeCompanies(COMPANIES)


@pytest.fixture
def persons() -> FakePersons:
    return FakePersons(PERSONS)


@pytest.fixture
def rights(engine: Engine, companies: FakeCompanies, persons: FakePersons) -> Rights:
    migrate(engine, "far")
    register = Register(engine)
    register.add_operator(OPERATOR)
    active = (PERSON, BERTIL.number, JOINT.number, ALONE.number, UNREADABLE.number, UNKNOWN_COMPANY)
    register.add_accounts([Account(each, OPERATOR.number) for each in active])
    register.add_account(Account(PENDING, OPERATOR.number, pending=True))
    return Rights(engine, CurrentNumbers(companies, persons), persons)


@pytest.fixture
def consents(rights: Rights, engine: Engine, clock: FrozenClock) -> Consents:
    return Consents(engine, clock)


def of(rights: Rights, user: str, **options: bool) -> list[tuple[str, str, str | None]]:
    return [(one.recipient, one.grant.value, one.role) for one in rights.of_user(user, **options).rights]


def problems(rights: Rights, user: str) -> list[tuple[str, str | None]]:
    return [(one.kind.value, one.company) for one in rights.of_user(user).problems]


def refusal(attempt: object, *arguments: object) -> Refusal:
    with pytest.raises(Refused) as caught:
        attempt(*arguments)  # type: ignore[operator]
    return caught.value.refusal


def test_signatories_by_how_they_sign(rights: Rights) -> None:
    found = {(one.recipient, one.grant): one for one in rights.of_user(ANNA.number).rights}
    assert set(found) == {
        (JOINT.number, GrantType.SIGNATORY),
        (JOINT.number, GrantType.ROLE),
        (ALONE.number, GrantType.SIGNATORY),
        (NAMED.number, GrantType.SIGNATORY),
    }
    assert set(found[JOINT.number, GrantType.SIGNATORY].access) == INITIATE
    assert set(found[ALONE.number, GrantType.SIGNATORY].access) == set(Activity)
    # This company has no account yet.
    assert found[NAMED.number, GrantType.SIGNATORY].access == (Activity.INITIATE_ACCOUNT,)
    role = found[JOINT.number, GrantType.ROLE]
    assert role == Right(
        JOINT.number, ANNA.number, GrantType.ROLE, BY_ROLE["managing_director"], JOINT.name, "Verkställande direktör"
    )


def test_what_the_company_register_says_is_unexpected(rights: Rights) -> None:
    assert problems(rights, ANNA.number) == [
        ("DataUnexpected", UNREADABLE.number),
        ("DataUnexpected", FOUNDATION.number),
    ]
    assert problems(rights, CECILIA.number) == []


def test_a_role_gives_rights_where_the_rule_cannot_be_read(rights: Rights, companies: FakeCompanies) -> None:
    person = JOINT.signatories[0]
    companies.companies = {
        UNREADABLE.number: Company(UNREADABLE.number, "S", "AB", NotEvaluable(), (person,)),
    }
    assert of(rights, ANNA.number) == [(UNREADABLE.number, "AuthorizedRole", "Verkställande direktör")]


def test_a_stranger_and_the_dead_have_no_rights(rights: Rights, companies: FakeCompanies, consents: Consents) -> None:
    consents.give(PERSON, DEAD.number, ConsentKind.READ)
    assert rights.of_user(STRANGER).rights == ()
    assert rights.of_user(DEAD.number).rights == ()


def test_who_is_needed_with_a_dead_one_signs_no_more(rights: Rights, companies: FakeCompanies) -> None:
    rule, listed = Named((ANNA.number, DEAD.number)), (Person(ANNA.number, "A"), Person(DEAD.number, "E"))
    companies.companies = {JOINT.number: Company(JOINT.number, "S", "AB", rule, listed)}
    assert of(rights, ANNA.number) == []
    assert problems(rights, ANNA.number) == [("DataUnexpected", JOINT.number)]


@pytest.mark.parametrize("kind", ConsentKind)
def test_a_consent_gives_what_its_kind_says(rights: Rights, consents: Consents, kind: ConsentKind) -> None:
    consents.give(PERSON, STRANGER, kind)
    expected = Right(PERSON, STRANGER, GrantType(kind.value), BY_CONSENT[kind])
    assert rights.of_user(STRANGER).rights == (expected,)
    assert rights.of_user(STRANGER, with_consents=False).rights == ()
    assert rights.of_user(ANNA.number, with_consents=False).rights != ()


def test_the_consent_of_a_company_names_it(rights: Rights, consents: Consents, companies: FakeCompanies) -> None:
    consents.give(JOINT.number, STRANGER, ConsentKind.READ)
    (right,) = rights.of_user(STRANGER).rights
    assert right.organisation_name == JOINT.name
    consents.give(UNKNOWN_COMPANY, STRANGER, ConsentKind.READ)
    consents.give(UNKNOWN_COMPANY, STRANGER, ConsentKind.MANAGE)
    assert len(of(rights, STRANGER)) == 3
    assert problems(rights, STRANGER) == [("DataMissing", UNKNOWN_COMPANY)]


@pytest.mark.parametrize(
    ("why", "kind"), [(Away.UNREACHABLE, ProblemType.INACCESSIBLE), (Away.UNEXPECTED, ProblemType.UNEXPECTED)]
)
def test_a_source_that_is_away_is_a_problem_and_no_fault(
    rights: Rights, consents: Consents, companies: FakeCompanies, why: Away, kind: ProblemType
) -> None:
    consents.give(JOINT.number, ANNA.number, ConsentKind.READ)
    companies.away = why
    assert of(rights, ANNA.number) == [(JOINT.number, "ConsentRead", None)]
    assert problems(rights, ANNA.number) == [(kind.value, None)]


def test_a_source_that_is_away_hides_no_consent_of_a_foreigner(
    rights: Rights, consents: Consents, companies: FakeCompanies
) -> None:
    for recipient in (JOINT.number, ALONE.number, PERSON):
        consents.give(recipient, "no/se/12345678", ConsentKind.READ)
    assert problems(rights, "no/se/12345678") == []
    companies.away = Away.UNREACHABLE
    assert len(of(rights, "no/se/12345678")) == 3
    assert problems(rights, "no/se/12345678") == [("SourceInaccessible", None)]


def test_the_population_register_away_is_technical(rights: Rights, persons: FakePersons) -> None:
    persons.away = True
    assert refusal(rights.of_user, ANNA.number) is Refusal.UNAVAILABLE


def test_a_replaced_number_has_the_rights_of_both(rights: Rights, consents: Consents, persons: FakePersons) -> None:
    old = "189002619816"
    for number in (old, BERTIL.number):
        persons.persons[number] = RegisteredPerson(
            number,
            "B",
            date(1890, 1, 1),
            now_number=BERTIL.number if number == old else None,
            earlier_numbers=(old,),
        )
    consents.give(PERSON, old, ConsentKind.READ)
    consents.give(PERSON, BERTIL.number, ConsentKind.READ)
    expected = [
        (PERSON, "ConsentRead", None),
        (JOINT.number, "AuthorizedSignatory", None),
        (NAMED.number, "AuthorizedSignatory", None),
    ]
    for number in (old, BERTIL.number):
        assert sorted(of(rights, number)) == sorted(expected)
        assert {right.user for right in rights.of_user(number).rights} == {number}


def test_a_consent_counts_while_it_is_in_force_and_the_account_is(
    rights: Rights, consents: Consents, engine: Engine, clock: FrozenClock
) -> None:
    given = consents.give(PERSON, STRANGER, ConsentKind.READ)
    assert given == Consent(PERSON, STRANGER, ConsentKind.READ, NOW)
    clock.advance(timedelta(days=1))
    consents.cancel(PERSON, STRANGER, ConsentKind.READ)
    assert of(rights, STRANGER) == []
    assert refusal(consents.cancel, PERSON, STRANGER, ConsentKind.READ) is Refusal.NOT_FOUND
    again = consents.give(PERSON, STRANGER, ConsentKind.READ)
    assert list(consents.of(PERSON)) == [
        Consent(PERSON, STRANGER, ConsentKind.READ, NOW, NOW + timedelta(days=1)),
        again,
    ]
    with writing(engine) as connection:
        connection.execute(store.account.update().values(pending=True))
    assert of(rights, STRANGER) == []


def test_closing_an_account_ends_its_consents(rights: Rights, consents: Consents, engine: Engine) -> None:
    consents.give(PERSON, STRANGER, ConsentKind.READ)
    consents.give(PERSON, STRANGER, ConsentKind.MANAGE)
    consents.give(JOINT.number, STRANGER, ConsentKind.READ)
    with writing(engine) as connection:
        store.cancel_consents_of(connection, PERSON, NOW)
    assert of(rights, STRANGER) == [(JOINT.number, "ConsentRead", None)]
    assert [one.cancelled for one in consents.of(PERSON)] == [NOW, NOW]


def test_what_cannot_be_consented_to(consents: Consents) -> None:
    read = ConsentKind.READ
    consents.give(PERSON, STRANGER, read)
    consents.give(PERSON, STRANGER, ConsentKind.MANAGE)
    assert refusal(consents.give, PERSON, STRANGER, read) is Refusal.OBJECT_EXISTS
    assert refusal(consents.give, PENDING, STRANGER, read) is Refusal.NOT_FOUND
    assert refusal(consents.give, STRANGER, PERSON, read) is Refusal.NOT_FOUND
    assert refusal(consents.give, PERSON, PERSON, read) is Refusal.BAD_IDENTIFIER
    assert refusal(consents.give, "1234", STRANGER, read) is Refusal.BAD_IDENTIFIER
    assert refusal(consents.give, PERSON, "162021004748", read) is Refusal.BAD_IDENTIFIER
    assert refusal(consents.of, "x") is Refusal.BAD_IDENTIFIER


@pytest.mark.parametrize("user", ["", "162021004748", "se", "no/se", FULL_WIDTH, "19270517835"])
def test_who_is_nobody(rights: Rights, user: str) -> None:
    assert refusal(rights.of_user, user) is Refusal.BAD_IDENTIFIER


def test_everybody_listed_signs_alone_by_a_rule_of_one(rights: Rights, companies: FakeCompanies) -> None:
    companies.companies = {JOINT.number: Company(JOINT.number, "S", "EF", Together(1), JOINT.signatories[2:])}
    assert of(rights, CECILIA.number) == [(JOINT.number, "AuthorizedSignatory", None)]


def test_the_documentation_says_what_each_right_lets_a_person_do() -> None:
    text = (Path(__file__).parents[4] / "docs/reference/companies.md").read_text()
    roles = {", ".join(access) for access in BY_ROLE.values()}
    assert [
        access for access in (", ".join(SIGNS_WITH_OTHERS), ", ".join(WITHOUT_ACCOUNT), *roles) if access not in text
    ] == []
    assert len(roles) == 1
    assert set(BY_CONSENT[ConsentKind.MANAGE]) == {*BY_ROLE["procurist"], Activity.EDIT_FROM}
    assert BY_CONSENT[ConsentKind.READ] == BY_CONSENT[ConsentKind.READ_UNREAD] == (Activity.VIEW,)
    assert tuple(Activity) == SIGNS_ALONE
