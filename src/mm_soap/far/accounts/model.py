"""What is asked about accounts, what waits for signatures, and what was signed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

MOST_SIGNATURES: Final = 100
"""The most signatures that one call may bring. The schema has no bound; each costs a verification."""


class Kind(StrEnum):
    """What a request about an account wants done."""

    REGISTER = "register"
    DEREGISTER = "deregister"
    CHANGE_OPERATOR = "change operator"
    PREFERENCES = "preferences"


class Step(StrEnum):
    """What happened to a request, or, without one, that an import wrote the account: one row of the history each."""

    BEGUN = "begun"
    SIGNED = "signed"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    REPLACED = "replaced"
    IMPORTED = "imported"
    IMPORTED_ANEW = "imported anew"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call comes from.

    Args:
        call_id: its id.
        organisation: of the client certificate; None without one.
        operation: what was called.
        raw: the whole request.
        retention: how long the request is kept as evidence, if it changes anything.
    """

    call_id: str
    organisation: str | None = None
    operation: str | None = None
    raw: bytes = field(default=b"", repr=False)
    retention: timedelta = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Signatory:
    """A person who has signed, or who may: personal number and name."""

    number: str = field(repr=False)
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GivenSignature:
    """A user's signature that verified.

    Args:
        signer: the personal number in its certificate.
        name: the name in its certificate.
        signature: the bytes, as they came.
        certificate: as it came.
        nonce: as it came.
        encoding: of the text that was signed.
        agreement_text: the text that was signed.
        sentence: what was signed, as the register says it.
        received: when it came.
        mark: by which it is known when it comes again; empty where it was read from the database.
    """

    signer: str = field(repr=False)
    name: str = field(repr=False)
    signature: bytes = field(repr=False)
    certificate: str = field(repr=False)
    nonce: str | None = field(repr=False)
    encoding: str
    agreement_text: str = field(repr=False)
    sentence: str = field(repr=False)
    received: datetime
    mark: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a signed request wants.

    Args:
        kind: what is to be done.
        recipient: whose account.
        agreement_text: the text that the users sign.
        requested_on: the request's Timestamp.
        operator: the number of the operator that the request names; None for preferences, which belong to the account's
            own.
        account_type: for a registration.
        accepted: for preferences, the senders that the recipient accepts.
    """

    kind: Kind
    recipient: str = field(repr=False)
    agreement_text: str = field(repr=False)
    requested_on: date
    operator: str | None = None
    account_type: str | None = None
    accepted: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for signatures.

    Args:
        id: its key; None for an account that was entered as pending without a request.
        kind: what it wants done.
        recipient: whose account.
        operator: the operator that began it.
        account_type: for a registration.
        agreement_text: of the first call.
        requested_on: the Timestamp of the first call.
        changed: when a signature last came.
        accepted: for preferences, the senders accepted, as the first call listed them.
        deselected: for preferences, the senders that this leaves out.
        signatures: those that came so far, one for each signer.
    """

    id: int | None
    kind: Kind
    recipient: str = field(repr=False)
    operator: str
    account_type: str | None
    agreement_text: str = field(repr=False)
    requested_on: date
    changed: datetime
    accepted: frozenset[str] | None = None
    deselected: frozenset[str] | None = None
    signatures: tuple[GivenSignature, ...] = ()

    def same_content(self, operator: str, accepted: frozenset[str] | None, deselected: frozenset[str] | None) -> bool:
        """Tell whether another call wants the same done, so that its signatures add to these.

        The agreement text is not compared: each signature is kept with the text that it signed. A list of senders is
        the same when it accepts the same or leaves out the same, since a sender that joins between two calls changes
        one of them.
        """
        if self.operator != operator:
            return False
        return self.kind is not Kind.PREFERENCES or self.accepted == accepted or self.deselected == deselected


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imported an account, and out of which file.

    Args:
        who: who answers for it.
        login: the user of the operating system who ran the command.
        file_sha256: the SHA-256 of the file, in hexadecimal; None where it was not kept.
        number: the import's number in the audit.
    """

    who: str
    login: str
    file_sha256: str | None
    number: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step in the history of a recipient's account.

    Args:
        at: when.
        kind: what the request wants done; ``REGISTER`` for an import.
        step: what happened to it.
        operator: the operator of the request, or that the import names.
        caller: the organisation that called; None where it had no certificate, and for an import.
        call_id: the call; empty for an import.
        sentence: what the request says, or what the import wrote, in one sentence.
        signatures: those that came with this step.
        importer: for an import, who did it.
        request: the number of the request; None for an import.
    """

    at: datetime
    kind: Kind
    step: Step
    operator: str
    caller: str | None
    call_id: str
    sentence: str = field(repr=False)
    signatures: tuple[GivenSignature, ...] = ()
    importer: Importer | None = None
    request: int | None = field(default=None, compare=False)


def sentence_of(
    kind: Kind, recipient: str, operator: str, account_type: str | None, deselected: Collection[str]
) -> str:
    """Return the sentence that says what is signed; ``operator`` is a name. Source: contract, services, Recipient."""
    match kind:
        case Kind.REGISTER:
            return f"Register {recipient} at {operator}, account type {account_type}."
        case Kind.DEREGISTER:
            return f"Deregister {recipient} at {operator}."
        case Kind.CHANGE_OPERATOR:
            return f"Move the account of {recipient} to {operator}."
        case Kind.PREFERENCES:
            without = f"all senders but {', '.join(sorted(deselected))}" if deselected else "all senders"
            return f"The account of {recipient} at {operator} accepts {without}."


def merge(before: Iterable[GivenSignature], now: Iterable[GivenSignature]) -> dict[str, GivenSignature]:
    """Return the signatures by signer; of two by the same person the first one counts."""
    merged: dict[str, GivenSignature] = {}
    for one in (*before, *now):
        merged.setdefault(one.signer, one)
    return merged
