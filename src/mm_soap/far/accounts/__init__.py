"""The accounts of recipients: requests with signatures, what waits for more of them, preferences and history."""

from mm_soap.far.accounts.model import (
    AccountInformation,
    Authorization,
    AuthorizedAccount,
    GivenSignature,
    HistoryEntry,
    Kind,
    Origin,
    Pending,
    PendingAnswer,
    Signatory,
    Step,
    Wanted,
)
from mm_soap.far.accounts.service import Accounts
from mm_soap.far.accounts.signing import SignatureVerifier, Signing

__all__ = [
    "AccountInformation",
    "Accounts",
    "Authorization",
    "AuthorizedAccount",
    "GivenSignature",
    "HistoryEntry",
    "Kind",
    "Origin",
    "Pending",
    "PendingAnswer",
    "Signatory",
    "SignatureVerifier",
    "Signing",
    "Step",
    "Wanted",
]
