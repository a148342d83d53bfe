"""Who signs for a recipient, and whether those who signed are enough."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from mm_soap.clock import Clock
from mm_soap.companies import (
    Company,
    CompanyRegister,
    CompanyRegisterAway,
    Status,
    authorized_account,
    evaluate,
    find_served,
    signatories_of,
)
from mm_soap.errors import Refusal, Refused
from mm_soap.far.accounts.answers import Authorization, AuthorizedAccount
from mm_soap.far.accounts.model import (
    MOST_SIGNATURES,
    GivenSignature,
    Kind,
    Signatory,
)
from mm_soap.message.identifiers import is_identifier, is_organisation, valid_check_digit
from mm_soap.persons import PopulationRegister, PopulationRegisterAway, RegisteredPerson, swedish_day
from mm_soap.user_signatures import Signer, UserSignature, UserSignatureError


def refusal_of(kind: Kind) -> Refusal:
    """Return why a request with a signature that does not count is refused."""
    return Refusal.REGISTRATION_SIGNATURE if kind is Kind.REGISTER else Refusal.USER_SIGNATURE


class SignatureVerifier(Protocol):
    """Verifies a user's signature; `mm_soap.user_signatures.UserSignatureVerifier` is one."""

    def verify(self, signature: UserSignature, text: str) -> Signer:
        """Return who signed the text.

        Raises:
            UserSignatureError: the signature is not valid for it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far some signers have come: the status, those of them who count, and who could help to complete it."""

    status: Status
    signed_by: tuple[Signatory, ...] = field(default=(), repr=False)
    possible_signers: tuple[Signatory, ...] = field(default=(), repr=False)


class Signatories(Protocol):
    """Who signs for one recipient, as the registers said when they were asked."""

    def may_sign(self, number: str) -> bool:
        """Tell whether a person's signature can count."""
        ...

    def outcome(self, signed: Sequence[Signatory]) -> Outcome:
        """Return how far these signers have come."""
        ...


class _Person:
    """A person's own account: one signature, by that person, under the number now or the one before."""

    def __init__(self, numbers: frozenset[str], itself: Signatory) -> None:
        self._numbers = numbers
        self._itself = itself

    def may_sign(self, number: str) -> bool:
        return number in self._numbers

    def outcome(self, signed: Sequence[Signatory]) -> Outcome:
        counted = tuple(one for one in signed if one.number in self._numbers)
        return Outcome(Status.COMPLETE, counted) if counted else Outcome(Status.INCOMPLETE, (), (self._itself,))


class _Company:
    """A company's account: its signatory rule."""

    def __init__(self, company: Company, unable: frozenset[str]) -> None:
        self._company = company
        self._unable = unable
        self._able = frozenset(person.personal_number for person in signatories_of(company, unable))
        # Evaluating may take long; what was evaluated before a transaction is not evaluated again in it.
        self._done: dict[frozenset[str], Outcome] = {}

    def may_sign(self, number: str) -> bool:
        return number in self._able

    def outcome(self, signed: Sequence[Signatory]) -> Outcome:
        # Who has left the company since signing does not count any more.
        numbers = frozenset(one.number for one in signed) & self._able
        if numbers not in self._done:
            found = evaluate(self._company, numbers, self._unable)
            self._done[numbers] = Outcome(
                found.status,
                tuple(Signatory(one.personal_number, one.name) for one in found.signed_by),
                tuple(Signatory(one.personal_number, one.name) for one in found.possible_signers),
            )
        return self._done[numbers]


class Signing:
    """Verifies signatures and asks the registers of companies and persons.

    Args:
        verifier: verifies users' signatures.
        companies: the company register.
        persons: the population register.
        clock: the time.
        check_digits: whether the check digit of identifiers must be right.
    """

    def __init__(
        self,
        verifier: SignatureVerifier,
        companies: CompanyRegister,
        persons: PopulationRegister,
        clock: Clock,
        *,
        check_digits: bool,
    ) -> None:
        self._verifier = verifier
        self._companies = companies
        self._persons = persons
        self._clock = clock
        self._check_digits = check_digits

    def check_identifier(self, number: str, where: str) -> None:
        """Check the form of an identifier, and its check digit if the settings say so.

        Raises:
            Refused: ``BAD_IDENTIFIER``.
        """
        if not is_identifier(number) or (self._check_digits and not valid_check_digit(number)):
            raise Refused(Refusal.BAD_IDENTIFIER, where)

    def check_user(self, recipient: str, user: str) -> None:
        """Check that a user may be named for a recipient: for a person it is that person. Source: contract, services.

        Raises:
            Refused: ``BAD_IDENTIFIER``, or ``REQUEST_CONTRADICTS`` for a person's account and another user.
        """
        self.check_identifier(recipient, "Id")
        # The schema allows identities of other countries, which begin with letters.
        if user[:1].isdigit():
            self.check_identifier(user, "UserIdentity")
        if not is_organisation(recipient) and user != recipient:
            raise Refused(Refusal.REQUEST_CONTRADICTS, "UserIdentity is not the person")

    def verify(self, kind: Kind, text: str, signatures: Sequence[UserSignature]) -> tuple[GivenSignature, ...]:
        """Verify each signature over the agreement text. The sentence is left empty.

        Raises:
            Refused: ``AGREEMENT_EMPTY``, ``TOO_MANY_SIGNATURES``, ``REGISTRATION_SIGNATURE`` or ``USER_SIGNATURE``.
        """
        if not text.strip():
            raise Refused(Refusal.AGREEMENT_EMPTY)
        if len(signatures) > MOST_SIGNATURES:
            raise Refused(Refusal.TOO_MANY_SIGNATURES)
        refusal = refusal_of(kind)
        now = self._clock()
        return tuple(self._verified(number, one, text, refusal, now) for number, one in enumerate(signatures, start=1))

    def _verified(self, number: int, one: UserSignature, text: str, refusal: Refusal, now: datetime) -> GivenSignature:
        try:
            signer = self._verifier.verify(one, text)
        except UserSignatureError as error:
            raise Refused(refusal, f"signature {number}: {error.description}") from None
        return GivenSignature(
            signer.personal_number,
            signer.name,
            one.signature,
            one.certificate,
            one.nonce,
            one.encoding,
            text,
            "",
            now,
            # One that the verifier does not mark is known by its bytes.
            signer.mark or hashlib.sha256(one.signature).hexdigest(),
        )

    def signatories(self, recipient: str) -> Signatories:
        """Return who signs for a recipient.

        Raises:
            Refused: for a company ``COMPANY_REGISTER_AWAY``, ``NOT_FOUND`` or ``COMPANY_FORM``; ``UNAVAILABLE`` when
                the population register is away.
        """
        if is_organisation(recipient):
            company = find_served(self._companies, recipient)
            return _Company(company, self._unable(company))
        person = self._find(recipient)
        numbers = {recipient, person.current_number} if person else {recipient}
        return _Person(frozenset(numbers), Signatory(recipient, (person.name if person else "") or recipient))

    def check_signers(self, signatories: Signatories, given: Sequence[GivenSignature]) -> None:
        """Check that each signature is a signatory's.

        Raises:
            Refused: ``NOT_SIGNATORY``.
        """
        for number, one in enumerate(given, start=1):
            if not signatories.may_sign(one.signer):
                raise Refused(Refusal.NOT_SIGNATORY, f"signature {number}")

    def check_registration(self, recipient: str, given: Sequence[GivenSignature]) -> None:
        """Check that a recipient may have an account, and that the answer may name those who signed.

        Raises:
            Refused: ``PERSON_UNKNOWN``, ``PERSON_DEAD``, ``PERSON_UNDER_AGE`` or ``IDENTITY_PROTECTED``.
        """
        if not is_organisation(recipient):
            person = self._find(recipient)
            if person is None or person.current_number != recipient:
                raise Refused(Refusal.PERSON_UNKNOWN)
            if person.dead:
                raise Refused(Refusal.PERSON_DEAD)
            if not person.is_adult(swedish_day(self._clock())):
                raise Refused(Refusal.PERSON_UNDER_AGE)
        if any(self._protected(one.signer) for one in given):
            raise Refused(Refusal.IDENTITY_PROTECTED)

    def authorization(self, recipient: str, outcome: Outcome, text: str) -> Authorization:
        """Return the answer for an outcome. Who has a protected identity is left out of it."""
        return Authorization(
            recipient,
            outcome.status,
            self._clock(),
            text,
            self.shown(outcome.signed_by),
            self.shown(outcome.possible_signers),
        )

    def shown(self, persons: Sequence[Signatory]) -> tuple[Signatory, ...]:
        """Return those of some persons whose identity may be shown."""
        return tuple(one for one in persons if not self._protected(one.number))

    def companies_of(self, user: str) -> Sequence[str]:
        """Return the numbers of the companies for which a person is listed; none for an identity of another country.

        Raises:
            Refused: ``COMPANY_REGISTER_AWAY``.
        """
        if not is_identifier(user):
            return ()
        try:
            return [company.number for company in self._companies.of_person(user)]
        except CompanyRegisterAway:
            raise Refused(Refusal.COMPANY_REGISTER_AWAY) from None

    def authorized(self, company_number: str, user: str) -> AuthorizedAccount:
        """Return whether a person may open a company's mailbox, without what is known of an account.

        Raises:
            Refused: ``COMPANY_REGISTER_AWAY``, ``NOT_FOUND``, ``COMPANY_FORM``, ``SIGNATORY_RULE`` or
                ``IDENTITY_PROTECTED`` for a user whose identity may not be shown.
        """
        company = find_served(self._companies, company_number)
        if self._protected(user):
            raise Refused(Refusal.IDENTITY_PROTECTED)
        found = authorized_account(company, user, tuple(self._unable(company)))
        possible = tuple(Signatory(one.personal_number, one.name) for one in found.possible_signers)
        return AuthorizedAccount(
            found.authorized, user, company.number, company.name, company.rule_text, self.shown(possible)
        )

    def _unable(self, company: Company) -> frozenset[str]:
        numbers = (one.personal_number for one in company.signatories)
        return frozenset(number for number in numbers if (found := self._find(number)) is not None and found.dead)

    def _protected(self, number: str) -> bool:
        found = self._find(number)
        return found is not None and found.protected

    def _find(self, number: str) -> RegisteredPerson | None:
        try:
            return self._persons.find(number)
        except PopulationRegisterAway:
            raise Refused(Refusal.UNAVAILABLE, "the population register") from None


def with_sentence(given: Sequence[GivenSignature], sentence: str) -> tuple[GivenSignature, ...]:
    """Return signatures that say what was signed."""
    return tuple(replace(one, sentence=sentence) for one in given)
