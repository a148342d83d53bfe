"""The use cases of consents, and of what a person may do with which mailboxes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.companies import (
    FORMS,
    ROLES,
    Away,
    Company,
    CompanyRegister,
    CompanyRegisterAway,
    Status,
    evaluate,
    signatories_of,
)
from mm_soap.errors import Refusal, Refused
from mm_soap.far.accounts.store import lock_account
from mm_soap.far.model import is_recipient
from mm_soap.far.rights import store
from mm_soap.far.rights.model import (
    BY_CONSENT,
    BY_ROLE,
    SIGNS_ALONE,
    SIGNS_WITH_OTHERS,
    WITHOUT_ACCOUNT,
    AccessRights,
    Consent,
    ConsentKind,
    GrantType,
    Problem,
    ProblemType,
    Right,
)
from mm_soap.message.identifiers import is_organisation, valid_check_digit
from mm_soap.persons import PopulationRegister, PopulationRegisterAway, RegisteredPerson
from mm_soap.storage import Conflict, reading, writing

_PERSON: Final = re.compile(r"(?:18|19|20)[0-9]{10}")
_FOREIGN: Final = re.compile(r"[a-z]{2}.{10,253}", re.DOTALL)
_PROBLEMS: Final = {
    Away.UNREACHABLE: Problem(ProblemType.INACCESSIBLE, "The company register could not be asked. Ask again later."),
    Away.UNEXPECTED: Problem(ProblemType.UNEXPECTED, "The company register gave an answer of an unexpected kind."),
}


ConsentChanged = Callable[[Connection, int, Consent], None]
"""Called with the key of a consent that was given or cancelled, and the consent, in the transaction that does it: for
whoever writes down who did it."""


def _nobody(connection: Connection, key: int, consent: Consent) -> None:
    """Write nothing down."""


class Consents:
    """Giving and ending consents.

    Args:
        engine: the register's database, migrated.
        clock: the time.
        changed: told of each change.
        check_digits: whether the check digits of whom a consent is given by and to must be right.

    Whether the recipient wants this, and who signed for it, is for whoever calls to know.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock = system_clock,
        changed: ConsentChanged = _nobody,
        *,
        check_digits: bool = False,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._changed = changed
        self._check_digits = check_digits

    def give(self, recipient: str, user: str, kind: ConsentKind) -> Consent:
        """Let a person use a recipient's mailbox.

        Args:
            recipient: a person or a company with an active account.
            user: a personal number, or a foreign identity as the schema's ``UserIdentity`` writes it.
            kind: what the person may do.

        Raises:
            Refused: ``BAD_IDENTIFIER``, ``NOT_FOUND`` for a recipient without an active account, ``OBJECT_EXISTS`` when
                such a consent is in force.
        """
        _check(recipient, user)
        for number, where in ((recipient, "RecipientId"), (user, "UserIdentity")):
            if self._check_digits and number[0].isdigit() and not valid_check_digit(number):
                raise Refused(Refusal.BAD_IDENTIFIER, where)
        if recipient == user:
            raise Refused(Refusal.BAD_IDENTIFIER, "UserIdentity is the recipient")
        given = Consent(recipient, user, kind, self._clock())
        try:
            with writing(self._engine) as connection:
                # Locked, so that a consent is not given while the account is taken away.
                account = lock_account(connection, recipient)
                if account is None or account.pending:
                    raise Refused(Refusal.NOT_FOUND, "account")
                self._changed(connection, store.add_consent(connection, given), given)
        except Conflict:
            raise Refused(Refusal.OBJECT_EXISTS, "consent") from None
        return given

    def cancel(self, recipient: str, user: str, kind: ConsentKind) -> Consent:
        """End a consent and return it. It stays known, with the time of its end.

        Raises:
            Refused: ``BAD_IDENTIFIER``, ``NOT_FOUND`` where none is in force.
        """
        _check(recipient, user)
        with writing(self._engine) as connection:
            found = store.cancel_consent(connection, recipient, user, kind, self._clock())
            if found is None:
                raise Refused(Refusal.NOT_FOUND, "consent")
            self._changed(connection, *found)
        return found[1]

    def of(self, recipient: str) -> Sequence[Consent]:
        """Return all consents that a recipient ever gave, in that order.

        Raises:
            Refused: ``BAD_IDENTIFIER``.
        """
        if not is_recipient(recipient):
            raise Refused(Refusal.BAD_IDENTIFIER, "RecipientId")
        with reading(self._engine) as connection:
            return store.consents_of(connection, recipient)


class Rights:
    """Answers getUserAccessRights and getUserAccessRightsNoConcent.

    Args:
        engine: the register's database, migrated.
        companies: the company register, with the personal numbers of now.
        persons: the population register.
    """

    def __init__(self, engine: Engine, companies: CompanyRegister, persons: PopulationRegister) -> None:
        self._engine = engine
        self._companies = companies
        self._persons = persons

    def of_user(self, user: str, *, with_consents: bool = True) -> AccessRights:
        """Return what a person may do with which mailboxes, by recipient. A person's own mailbox is not listed.

        A person who is dead has no rights. What the company register could not tell is told among the problems. Which
        activities each right has is said by the tables of `mm_soap.far.rights.model`. Source: contract, services,
        Authority.

        Args:
            user: a personal number, now or earlier, or a foreign identity, which only consents can name.
            with_consents: whether rights that rest on a consent are wanted.

        Raises:
            Refused: ``BAD_IDENTIFIER``, or ``UNAVAILABLE`` when the database or the population register is away.
        """
        if not _is_user(user):
            raise Refused(Refusal.BAD_IDENTIFIER, "UserIdentity")
        person = self._find(user)
        if person is not None and person.dead:
            return AccessRights()
        numbers = (user,) if person is None else tuple(dict.fromkeys((user, *person.all_numbers)))
        companies, problems = self._companies_of(numbers[0]) if _PERSON.fullmatch(user) else ([], [])
        with reading(self._engine) as connection:
            active = store.active_accounts(connection, [company.number for company in companies])
            consents = store.consents_to(connection, numbers) if with_consents else []
            mailboxes = store.active_accounts(connection, [consent.recipient for consent in consents])
        current = user if person is None else person.current_number
        rights: list[Right] = []
        for company in companies:
            rights += self._at_company(company, user, current, company.number in active, problems)
        asked_in_vain = any(problem.company is None for problem in problems)
        names: dict[str, str | None] = {company.number: company.name for company in companies}
        # One consent may stand under two numbers of the same person.
        for recipient, kind in dict.fromkeys(
            (one.recipient, one.kind) for one in consents if one.recipient in mailboxes
        ):
            if is_organisation(recipient) and recipient not in names and not asked_in_vain:
                asked_in_vain = self._add_name(recipient, names, problems)
            rights.append(Right(recipient, user, GrantType(kind.value), BY_CONSENT[kind], names.get(recipient)))
        order = list(GrantType)
        rights.sort(key=lambda right: (right.recipient, order.index(right.grant)))
        return AccessRights(tuple(rights), tuple(problems))

    def _companies_of(self, number: str) -> tuple[list[Company], list[Problem]]:
        try:
            return list(self._companies.of_person(number)), []
        except CompanyRegisterAway as away:
            return [], [_PROBLEMS[away.why]]

    def _at_company(
        self, company: Company, user: str, number: str, active: bool, problems: list[Problem]
    ) -> Iterable[Right]:
        if company.form not in FORMS:
            problems.append(Problem(ProblemType.UNEXPECTED, "The form of the company is not served.", company.number))
            return
        listed = [person for person in company.signatories if person.personal_number == number]
        unable = frozenset(
            person.personal_number
            for person in company.signatories
            if (found := self._find(person.personal_number)) is not None and found.dead
        )
        alone = evaluate(company, (number,), unable)
        if evaluate(company, (), unable).status is Status.RULES_NOT_SUPPORTED:
            description = "The signatory rule of the company cannot be evaluated."
            problems.append(Problem(ProblemType.UNEXPECTED, description, company.number))
        elif any(person.personal_number == number for person in signatories_of(company, unable)):
            access = SIGNS_ALONE if alone.status is Status.COMPLETE else SIGNS_WITH_OTHERS
            if not active:
                access = WITHOUT_ACCOUNT
            yield Right(company.number, user, GrantType.SIGNATORY, access, company.name)
        if active:
            for role in dict.fromkeys(role for person in listed for role in person.roles if role in BY_ROLE):
                yield Right(company.number, user, GrantType.ROLE, BY_ROLE[role], company.name, ROLES[role])

    def _add_name(self, number: str, names: dict[str, str | None], problems: list[Problem]) -> bool:
        """Look up the name of a company that gave a consent, once; tell whether the source is away."""
        names[number] = None
        try:
            company = self._companies.find(number)
        except CompanyRegisterAway as away:
            problem = _PROBLEMS[away.why]
            if away.why is Away.UNREACHABLE:
                problems.append(problem)
                return True
            problems.append(Problem(problem.kind, problem.description, number))
            return False
        if company is None:
            problems.append(Problem(ProblemType.MISSING, "The company register has no such company.", number))
        else:
            names[number] = company.name
        return False

    def _find(self, number: str) -> RegisteredPerson | None:
        try:
            return self._persons.find(number) if _PERSON.fullmatch(number) else None
        except PopulationRegisterAway:
            raise Refused(Refusal.UNAVAILABLE, "the population register") from None


def _is_user(user: str) -> bool:
    return _PERSON.fullmatch(user) is not None or _FOREIGN.fullmatch(user) is not None


def _check(recipient: str, user: str) -> None:
    if not is_recipient(recipient):
        raise Refused(Refusal.BAD_IDENTIFIER, "RecipientId")
    if not _is_user(user):
        raise Refused(Refusal.BAD_IDENTIFIER, "UserIdentity")
