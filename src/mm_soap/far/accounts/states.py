"""The rules of the account's states. Source: contract, services, Recipient."""

from __future__ import annotations

from mm_soap.errors import Refusal, Refused
from mm_soap.far.accounts.model import Kind, Origin, Wanted
from mm_soap.far.model import Account


def check_state(wanted: Wanted, account: Account | None, organisation: str | None) -> None:
    """Check that the state of an account allows what is wanted.

    Args:
        wanted: the request.
        account: the account as it is now; None where there is none.
        organisation: the caller, where it is known. What a request names as its operator was compared before.

    Raises:
        Refused: register: ``ACCOUNT_ACTIVE`` or ``ACCOUNT_PENDING``. Otherwise ``NOT_FOUND`` without an account,
            ``NOT_AUTHORISED`` for another operator's, ``ACCOUNT_STATE`` for a pending one and for a change to the
            operator that has it.
    """
    if wanted.kind is Kind.REGISTER:
        if account is None:
            return
        if not account.pending:
            raise Refused(Refusal.ACCOUNT_ACTIVE)
        if account.operator != wanted.operator or account.account_type != wanted.account_type:
            raise Refused(Refusal.ACCOUNT_PENDING)
        return
    if account is None:
        raise Refused(Refusal.NOT_FOUND, "account")
    if wanted.kind is Kind.DEREGISTER and account.operator != wanted.operator:
        raise Refused(Refusal.NOT_AUTHORISED, "another operator's account")
    if wanted.kind is Kind.PREFERENCES and organisation not in (None, account.operator):
        raise Refused(Refusal.NOT_AUTHORISED, "another operator's account")
    if account.pending:
        raise Refused(Refusal.ACCOUNT_STATE, "the account is pending")
    if wanted.kind is Kind.CHANGE_OPERATOR and account.operator == wanted.operator:
        raise Refused(Refusal.ACCOUNT_STATE, "the account is at this operator")


def own_account(account: Account | None, origin: Origin) -> Account:
    """Return an account that is the caller's own, where the caller is known.

    Raises:
        Refused: ``NOT_FOUND`` without an account, ``NOT_AUTHORISED`` for another operator's.
    """
    if account is None:
        raise Refused(Refusal.NOT_FOUND, "account")
    if origin.organisation not in (None, account.operator):
        raise Refused(Refusal.NOT_AUTHORISED, "another operator's account")
    return account
