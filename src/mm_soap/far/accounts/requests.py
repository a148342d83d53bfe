"""The use cases that need signatures: register, deregister, changeServiceSupplier, storeAccountPreferences.

Each goes the same way. What is asked is checked against the account as it is; the signatures are verified and the
registers of companies and persons are asked; then one transaction looks at the account again, with its row locked,
adds the new signatures to those that wait, and carries the request out if they are now enough. So of two calls at once
each sees what the other stored, and no signature is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock
from mm_soap.companies import Status
from mm_soap.errors import Refusal, Refused
from mm_soap.far import store as register_store
from mm_soap.far.accounts import ending, store
from mm_soap.far.accounts.answers import Authorization
from mm_soap.far.accounts.ending import Closing
from mm_soap.far.accounts.model import (
    GivenSignature,
    HistoryEntry,
    Kind,
    Origin,
    Pending,
    Signatory,
    Step,
    Wanted,
    merge,
    sentence_of,
)
from mm_soap.far.accounts.signing import Outcome, Signatories, Signing, refusal_of, with_sentence
from mm_soap.far.accounts.states import check_state
from mm_soap.far.callers import Callers
from mm_soap.far.model import Account, Operator
from mm_soap.storage import Conflict, reading, writing
from mm_soap.user_signatures import UserSignature

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Signed:
    """What is to be stored: the request, its signatures, and who signs for the recipient."""

    wanted: Wanted
    given: tuple[GivenSignature, ...]
    signatories: Signatories
    origin: Origin


class SignedRequests:
    """Carries out what users signed.

    Args:
        engine: the register's database, migrated.
        signing: verifies signatures and knows who signs.
        callers: knows who may call.
        clock: the time.
        closing: ends what must end with an account.
        once: whether a signature counts for one request alone.

    Every method raises ``Refused`` with ``UNAVAILABLE`` when the database or the population register is away.
    """

    def __init__(
        self, engine: Engine, signing: Signing, callers: Callers, clock: Clock, *, closing: Closing, once: bool
    ) -> None:
        self._engine = engine
        self._signing = signing
        self._callers = callers
        self._clock = clock
        self._closing = closing
        self._once = once

    def named_operator(self, name: str, origin: Origin) -> Operator:
        """Return the operator that a request names, which must be the caller.

        Raises:
            Refused: ``NOT_AUTHORISED`` when the caller is no operator or names another one, ``NOT_FOUND`` for a name
                under which no operator is registered.
        """
        self._callers.check_operator(origin.organisation)
        with reading(self._engine) as connection:
            number = store.operator_by_name(connection, name.strip())
            if number is None:
                raise Refused(Refusal.NOT_FOUND, "ServiceSupplier")
            if origin.organisation not in (None, number):
                raise Refused(Refusal.NOT_AUTHORISED, "ServiceSupplier is not the caller")
            return register_store.all_operators(connection)[number]

    def carry_out(self, wanted: Wanted, signatures: Sequence[UserSignature], origin: Origin) -> Authorization:
        """Carry out a request, or keep it with the signatures so far. After a refusal nothing is stored.

        A call that is repeated after its answer was lost adds nothing to a request that waits and gets the same answer.
        If the first call completed the request, it finds the account in its new state: register is refused with
        ``ACCOUNT_ACTIVE``, deregister with ``NOT_FOUND``, changeServiceSupplier with ``ACCOUNT_STATE``. Only
        storeAccountPreferences gets the same answer, as long as nothing else was done with the account.

        Unless the settings say otherwise, a signature counts for the request with which it came first, and for no
        other: else an operator could open again, or fetch back, an account with what its recipient once signed.

        Args:
            wanted: the request; its operator is of `named_operator`.
            signatures: under its agreement text.
            origin: the call.

        Raises:
            Refused: what `check_state` and `Signing` refuse; ``REGISTRATION_SIGNATURE`` or ``USER_SIGNATURE`` for a
                signature that was given for another request.
        """
        self._signing.check_identifier(wanted.recipient, "Id")
        if wanted.operator is None:
            self._callers.check_operator(origin.organisation)
        with reading(self._engine) as connection:
            check_state(wanted, store.find_account(connection, wanted.recipient), origin.organisation)
        given = self._signing.verify(wanted.kind, wanted.agreement_text, signatures)
        signatories = self._signing.signatories(wanted.recipient)
        self._signing.check_signers(signatories, given)
        if wanted.kind is Kind.REGISTER:
            self._signing.check_registration(wanted.recipient, given)
        outcome, sentence = self._store(_Signed(wanted, given, signatories, origin))
        return self._signing.authorization(wanted.recipient, outcome, sentence)

    def _store(self, signed: _Signed) -> tuple[Outcome, str]:
        # Evaluate what will most likely be asked in the transaction before it begins: the answer is remembered.
        with reading(self._engine) as connection:
            pending = _pending(connection, signed.wanted)
        _outcome(signed, pending.signatures if pending else ())
        for _ in range(_ATTEMPTS):
            try:
                with writing(self._engine) as connection:
                    return self._apply(connection, signed)
            except Conflict:
                # Another call began the same at the same time, and is done: look again at what it left.
                continue
        raise Refused(Refusal.UNAVAILABLE)

    def _apply(self, connection: Connection, signed: _Signed) -> tuple[Outcome, str]:
        wanted, now = signed.wanted, self._clock()
        account = store.lock_account(connection, wanted.recipient)
        check_state(wanted, account, signed.origin.organisation)
        new = self._new_request(connection, wanted, account)
        pending = _pending(connection, wanted)
        replaced = pending is not None and not pending.same_content(new.operator, new.accepted, new.deselected)
        used = store.requests_of(connection, signed.given)
        waits = pending.id if pending and not replaced else None
        if self._once and any(key != waits for key in used.values()):
            if account is None and store.find_account(connection, wanted.recipient) is not None:
                # Where there was no account, nothing could be locked: the same call came twice, and one is done.
                raise Conflict("the account was opened since the look")
            return self._repeated(connection, signed, new, used)
        if pending is not None and replaced:
            ending.end(connection, pending, Step.REPLACED, signed.origin, now)
            pending = None
        before = pending.signatures if pending else ()
        outcome = _outcome(signed, before)
        complete = outcome.status is Status.COMPLETE
        if account is None:
            store.add_pending_account(connection, wanted.recipient, new.operator, new.account_type or "")
        one = pending or new
        sentence = _sentence(connection, one)
        key = pending.id if pending and pending.id else store.begin(connection, new)
        known = {each.signer for each in before}
        added = with_sentence([each for each in merge((), signed.given).values() if each.signer not in known], sentence)
        step = Step.COMPLETED if complete else Step.SIGNED if pending else Step.BEGUN
        if added or complete:
            origin = signed.origin
            entry = HistoryEntry(
                now, wanted.kind, step, one.operator, origin.organisation, origin.call_id, sentence, added
            )
            store.record_step(connection, key, wanted.recipient, entry)
            store.touch(connection, key, now)
        store.use(connection, key, [each for each in signed.given if each.mark not in used])
        if complete:
            store.end(connection, key, Step.COMPLETED, now)
            self._finish(connection, one, signed.origin)
        ending.record(connection, wanted.kind, outcome.status.value, one.operator, signed.origin, now, len(added))
        return outcome, sentence

    def _repeated(
        self, connection: Connection, signed: _Signed, new: Pending, used: Mapping[str, int]
    ) -> tuple[Outcome, str]:
        """Answer a call whose signatures came before: as then, if it is the one that last changed the account.

        Only a list of senders can be stored twice; in all other kinds the state of the account says no before.

        Raises:
            Refused: it is not: a signature counts for one request.
        """
        kind, marks = signed.wanted.kind, [one.mark for one in signed.given]
        last = store.last_completed(connection, signed.wanted.recipient)
        same = last is not None and last.same_content(new.operator, new.accepted, new.deselected)
        if not (last and same and kind is last.kind is Kind.PREFERENCES and {*map(used.get, marks)} == {last.id}):
            number = next(place for place, mark in enumerate(marks, start=1) if mark in used)
            raise Refused(refusal_of(kind), f"signature {number}: it was given for another request, sign anew")
        outcome = _outcome(signed, last.signatures)
        ending.record(connection, kind, outcome.status.value, last.operator, signed.origin, self._clock(), 0)
        return outcome, _sentence(connection, last)

    def _new_request(self, connection: Connection, wanted: Wanted, account: Account | None) -> Pending:
        operator = wanted.operator or (account.operator if account else "")
        deselected = None
        if wanted.accepted is not None:
            connected = {one.number for one in register_store.all_senders(connection)}
            if not wanted.accepted <= connected:
                raise Refused(Refusal.NOT_FOUND, "AcceptedSenders")
            deselected = frozenset(connected - wanted.accepted)
        return Pending(
            None,
            wanted.kind,
            wanted.recipient,
            operator,
            wanted.account_type,
            wanted.agreement_text,
            wanted.requested_on,
            self._clock(),
            wanted.accepted,
            deselected,
        )

    def _finish(self, connection: Connection, one: Pending, origin: Origin) -> None:
        now = self._clock()
        match one.kind:
            case Kind.REGISTER:
                store.activate(connection, one.recipient, now)
            case Kind.DEREGISTER:
                ending.replace_all(connection, one.recipient, origin, now)
                ending.close(connection, one.recipient, now, self._closing)
            case Kind.CHANGE_OPERATOR:
                # What waits was begun at the operator that the account leaves.
                ending.replace_all(connection, one.recipient, origin, now)
                store.move(connection, one.recipient, one.operator)
            case Kind.PREFERENCES:
                store.replace_choices(connection, one.recipient, one.deselected or (), now)


def _pending(connection: Connection, wanted: Wanted) -> Pending | None:
    found = store.find_pending(connection, [wanted.recipient], wanted.kind)
    return found[0] if found else None


def _outcome(signed: _Signed, before: Sequence[GivenSignature]) -> Outcome:
    return signed.signatories.outcome([Signatory(one.signer, one.name) for one in merge(before, signed.given).values()])


def _sentence(connection: Connection, one: Pending) -> str:
    name = register_store.all_operators(connection)[one.operator].name
    return sentence_of(one.kind, one.recipient, name, one.account_type, one.deselected or ())
