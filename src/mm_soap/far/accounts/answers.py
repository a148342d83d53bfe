"""What is answered about accounts: plain data, made of what the register and the company register know."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mm_soap.companies import Status
from mm_soap.far.accounts.model import Pending, Signatory
from mm_soap.far.model import Operator, Sender


@dataclass(frozen=True, slots=True)
class Authorization:
    """The contract's SignatureAuthorizationResult: how far the signatures have come."""

    recipient: str = field(repr=False)
    status: Status
    at: datetime
    text: str = field(repr=False)
    signed_by: tuple[Signatory, ...] = field(default=(), repr=False)
    possible_signers: tuple[Signatory, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """A pending request with its operator and the state of its signatures, as it is shown."""

    pending: Pending
    operator: Operator
    authorization: Authorization
    accepted: tuple[Sender, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountInformation:
    """What isAuthorizedSigner tells of an account that was begun."""

    active: bool
    status: Status
    operator: str
    signed_by: tuple[Signatory, ...] = field(default=(), repr=False)
    agreement_text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizedAccount:
    """The answer of isAuthorizedSigner."""

    authorized: bool
    user: str = field(repr=False)
    company: str
    company_name: str
    rule_text: str
    possible_signers: tuple[Signatory, ...] = field(default=(), repr=False)
    information: AccountInformation | None = None
