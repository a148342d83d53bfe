"""The use cases of accounts, by the operations of the contract. Source: contract, services, Recipient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock
from mm_soap.companies import Status
from mm_soap.errors import Refusal, Refused
from mm_soap.far import store as register_store
from mm_soap.far.accounts import ending, store
from mm_soap.far.accounts.answers import AccountInformation, Authorization, AuthorizedAccount, PendingAnswer
from mm_soap.far.accounts.ending import Closing
from mm_soap.far.accounts.model import (
    HistoryEntry,
    Kind,
    Origin,
    Pending,
    Signatory,
    Step,
    Wanted,
    sentence_of,
)
from mm_soap.far.accounts.requests import SignedRequests
from mm_soap.far.accounts.signing import Signing
from mm_soap.far.accounts.states import own_account
from mm_soap.far.callers import Callers
from mm_soap.far.model import MOST_IDS, Account, Operator, Sender
from mm_soap.message.identifiers import is_organisation
from mm_soap.persons import swedish_day
from mm_soap.storage import reading, writing
from mm_soap.user_signatures import UserSignature

_ACCOUNT_REQUESTS: Final = (Kind.REGISTER, Kind.DEREGISTER)


class Accounts:
    """The accounts of recipients.

    Args:
        engine: the register's database, migrated.
        signing: verifies signatures and asks the registers of companies and persons.
        callers: knows who may call.
        clock: the time.
        closing: ends what must end with an account; `mm_soap.far.rights.cancel_consents_of` is one.
        once: whether a signature counts for the request with which it first came, and for no other.

    ``origin`` is the call. Every method raises ``Refused``: ``NOT_AUTHORISED`` when the caller may not,
    ``BAD_IDENTIFIER`` and ``REQUEST_CONTRADICTS`` for a wrong id or user, ``UNAVAILABLE`` when the database or the
    population register is away.
    """

    def __init__(
        self, engine: Engine, signing: Signing, callers: Callers, clock: Clock, *, closing: Closing, once: bool = True
    ) -> None:
        self._engine = engine
        self._signing = signing
        self._callers = callers
        self._clock = clock
        self._closing = closing
        self._requests = SignedRequests(engine, signing, callers, clock, closing=closing, once=once)

    def register(
        self, wanted: Wanted, operator_name: str, signatures: Sequence[UserSignature], origin: Origin
    ) -> Authorization:
        """Open an account, or add signatures to a registration that waits; see `SignedRequests.carry_out`."""
        operator = self._requests.named_operator(operator_name, origin)
        return self._requests.carry_out(replace(wanted, operator=operator.number), signatures, origin)

    def deregister(
        self, wanted: Wanted, operator_name: str, signatures: Sequence[UserSignature], origin: Origin
    ) -> Authorization:
        """Close an account, or add signatures to a deregistration that waits; see `SignedRequests.carry_out`."""
        operator = self._requests.named_operator(operator_name, origin)
        return self._requests.carry_out(replace(wanted, operator=operator.number), signatures, origin)

    def change_operator(
        self,
        recipient: str,
        user: str,
        operator_name: str,
        text: str,
        signatures: Sequence[UserSignature],
        origin: Origin,
    ) -> Authorization:
        """Move an active account to the operator that calls, or add to a change that waits.

        A change to another operator than the one that waits replaces it, since a signatory wants it now.
        """
        operator = self._requests.named_operator(operator_name, origin)
        self._signing.check_user(recipient, user)
        wanted = Wanted(Kind.CHANGE_OPERATOR, recipient, text, swedish_day(self._clock()), operator.number)
        return self._requests.carry_out(wanted, signatures, origin)

    def store_preferences(
        self,
        recipient: str,
        user: str,
        accepted: Sequence[str],
        text: str,
        signatures: Sequence[UserSignature],
        origin: Origin,
    ) -> Authorization:
        """Replace the list of senders that a recipient accepts, or add to a list that waits; another list replaces it.

        What is stored is whom the list leaves out: a sender that joins later is accepted.

        Raises:
            Refused: ``NOT_FOUND`` where the list names an organisation that is not a connected sender.
        """
        self._signing.check_user(recipient, user)
        day = swedish_day(self._clock())
        wanted = Wanted(Kind.PREFERENCES, recipient, text, day, accepted=frozenset(accepted))
        return self._requests.carry_out(wanted, signatures, origin)

    def get_preferences(self, recipient: str, user: str, origin: Origin) -> Sequence[Sender]:
        """Return the senders that a recipient accepts: all that are connected, without those deselected."""
        self._check(recipient, user, origin)
        with reading(self._engine) as connection:
            account = own_account(store.find_account(connection, recipient), origin)
            unwanted = store.deselected(connection, account.recipient)
            return [one for one in register_store.all_senders(connection) if one.number not in unwanted]

    def pending_account_requests(self, recipients: Sequence[str], user: str, origin: Origin) -> Sequence[PendingAnswer]:
        """Return the registrations and deregistrations that wait, of any operator, since any may abandon one.

        Args:
            recipients: whose; empty for those that concern the user: of its own account, of the companies for which it
                is listed, and those that it has signed.
            user: who asks.
            origin: the call.

        Raises:
            Refused: ``TOO_MANY`` for more than 1000 ids; for a company, what `Signing.signatories` refuses;
                ``COMPANY_REGISTER_AWAY``.
        """
        self._callers.check_operator(origin.organisation)
        if len(recipients) > MOST_IDS:
            raise Refused(Refusal.TOO_MANY, "recipientId")
        for recipient in recipients:
            self._signing.check_user(recipient, user)
        wanted = list(dict.fromkeys(recipients))
        if not recipients and user[:1].isdigit():
            self._signing.check_identifier(user, "userIdentity")
            wanted = [user, *self._signing.companies_of(user)]
        with reading(self._engine) as connection:
            found = [*store.find_pending(connection, wanted, *_ACCOUNT_REQUESTS)]
            found += self._without_request(connection, wanted, found)
            if not recipients:
                signed = store.find_pending_signed(connection, user, *_ACCOUNT_REQUESTS)
                found += [one for one in signed if one.recipient not in wanted]
            operators = register_store.all_operators(connection)
        return [self._shown(one, operators[one.operator]) for one in found[:MOST_IDS]]

    def _without_request(
        self, connection: Connection, recipients: Sequence[str], found: Sequence[Pending]
    ) -> Sequence[Pending]:
        """Return a stand-in for each account that was entered as pending without a request."""
        known = {one.recipient for one in found if one.kind is Kind.REGISTER}
        now = self._clock()
        rows = register_store.find_accounts(connection, [one for one in recipients if one not in known])
        return [
            Pending(None, Kind.REGISTER, number, row[3], row[1], "", swedish_day(now), now)
            for number, row in rows.items()
            if row[2]
        ]

    def pending_change(self, recipient: str, user: str, origin: Origin) -> PendingAnswer:
        """Return the change of operator that waits.

        Raises:
            Refused: ``NOT_FOUND`` where there is none, ``NOT_AUTHORISED`` for an operator that it does not concern.
        """
        return self._one_pending(Kind.CHANGE_OPERATOR, recipient, user, origin)

    def pending_preferences(self, recipient: str, user: str, origin: Origin) -> PendingAnswer:
        """Return the change of accepted senders that waits, with the senders that would be accepted.

        Raises:
            Refused: ``NOT_FOUND`` where there is none, ``NOT_AUTHORISED`` for another operator's account.
        """
        return self._one_pending(Kind.PREFERENCES, recipient, user, origin)

    def _one_pending(self, kind: Kind, recipient: str, user: str, origin: Origin) -> PendingAnswer:
        self._check(recipient, user, origin)
        with reading(self._engine) as connection:
            one = _concerned(connection, kind, store.find_account(connection, recipient), origin)
            operator = register_store.all_operators(connection)[one.operator]
            senders = register_store.all_senders(connection) if kind is Kind.PREFERENCES else ()
        accepted = tuple(each for each in senders if each.number not in (one.deselected or ()))
        return replace(self._shown(one, operator), accepted=accepted)

    def abandon_account_request(self, recipient: str, user: str, origin: Origin) -> None:
        """Abandon a registration or deregistration that waits. Any operator may.

        Raises:
            Refused: ``NOT_FOUND`` without an account, ``ACCOUNT_STATE`` for an active one for which nothing waits.
        """
        self._check(recipient, user, origin)
        now = self._clock()
        with writing(self._engine) as connection:
            account = store.lock_account(connection, recipient)
            if account is None:
                raise Refused(Refusal.NOT_FOUND, "account")
            found = store.find_pending(connection, [recipient], *_ACCOUNT_REQUESTS)
            if not found and not account.pending:
                raise Refused(Refusal.ACCOUNT_STATE, "the account is active: use deregister")
            for one in found:
                ending.end(connection, one, Step.ABANDONED, origin, now)
            if account.pending:
                ending.close(connection, recipient, now, self._closing)
            kind = Kind.REGISTER if account.pending else Kind.DEREGISTER
            ending.record(connection, kind, Step.ABANDONED.value, account.operator, origin, now)

    def abandon_change(self, recipient: str, user: str, origin: Origin) -> Operator:
        """Abandon the change of operator that waits and return where it would have led; see `pending_change`."""
        return self._abandon(Kind.CHANGE_OPERATOR, recipient, user, origin)

    def abandon_preferences(self, recipient: str, user: str, origin: Origin) -> None:
        """Abandon the change of accepted senders that waits; see `pending_preferences`."""
        self._abandon(Kind.PREFERENCES, recipient, user, origin)

    def _abandon(self, kind: Kind, recipient: str, user: str, origin: Origin) -> Operator:
        self._check(recipient, user, origin)
        now = self._clock()
        with writing(self._engine) as connection:
            one = _concerned(connection, kind, store.lock_account(connection, recipient), origin)
            ending.end(connection, one, Step.ABANDONED, origin, now)
            ending.record(connection, kind, Step.ABANDONED.value, one.operator, origin, now)
            return register_store.all_operators(connection)[one.operator]

    def authorized_signer(self, company: str, user: str, origin: Origin) -> AuthorizedAccount:
        """Return whether a person may open a company's mailbox, with the account that was begun, if any.

        Raises:
            Refused: what `Signing.authorized` refuses, and ``BAD_IDENTIFIER`` for an id that is no company's.
        """
        self._callers.check_operator(origin.organisation)
        if not is_organisation(company):
            raise Refused(Refusal.BAD_IDENTIFIER, "CompanyId")
        self._signing.check_user(company, user)
        found = self._signing.authorized(company, user)
        return replace(found, information=self._information(company))

    def _information(self, company: str) -> AccountInformation | None:
        with reading(self._engine) as connection:
            account = store.find_account(connection, company)
            if account is None:
                return None
            name = register_store.all_operators(connection)[account.operator].name
            if not account.pending:
                opened = store.last_registration(connection, company)
                text, given = opened if opened else (None, ())
                signed = [Signatory(one.signer, one.name) for one in given]
                return AccountInformation(True, Status.COMPLETE, name, self._signing.shown(signed), text)
            waiting = store.find_pending(connection, [company], Kind.REGISTER)
        if not waiting:
            return AccountInformation(False, Status.INCOMPLETE, name)
        one = waiting[0]
        state = self._authorization(one, name)
        return AccountInformation(False, state.status, name, state.signed_by, one.agreement_text)

    def history(self, recipient: str) -> Sequence[HistoryEntry]:
        """Return all that happened to the accounts of a recipient, oldest first, also after the account is gone."""
        self._signing.check_identifier(recipient, "Id")
        with reading(self._engine) as connection:
            return store.read_history(connection, recipient)

    def _check(self, recipient: str, user: str, origin: Origin) -> None:
        self._callers.check_operator(origin.organisation)
        self._signing.check_user(recipient, user)

    def _shown(self, one: Pending, operator: Operator) -> PendingAnswer:
        return PendingAnswer(one, operator, self._authorization(one, operator.name))

    def _authorization(self, one: Pending, operator_name: str) -> Authorization:
        signatories = self._signing.signatories(one.recipient)
        outcome = signatories.outcome([Signatory(each.signer, each.name) for each in one.signatures])
        sentence = sentence_of(one.kind, one.recipient, operator_name, one.account_type, one.deselected or ())
        return self._signing.authorization(one.recipient, outcome, sentence)


def _concerned(connection: Connection, kind: Kind, account: Account | None, origin: Origin) -> Pending:
    """Return a request that waits and concerns the caller: as its own, or as one about its own account."""
    found = store.find_pending(connection, [account.recipient], kind) if account else ()
    if account is None or not found:
        raise Refused(Refusal.NOT_FOUND, "nothing waits for signatures")
    if origin.organisation not in (None, account.operator, found[0].operator):
        raise Refused(Refusal.NOT_AUTHORISED, "another operator's account")
    return found[0]
