"""The accounts of recipients: requests with signatures, what waits for more of them, preferences and history."""

from mm_soap.far.accounts.answers import AccountInformation, Authorization, AuthorizedAccount, PendingAnswer
from mm_soap.far.accounts.ending import Closing
from mm_soap.far.accounts.model import (
    GivenSignature,
    HistoryEntry,
    Importer,
    Kind,
    Origin,
    Pending,
    Signatory,
    Step,
    Wanted,
)
from mm_soap.far.accounts.service import Accounts
from mm_soap.far.accounts.signing import SignatureVerifier, Signing
from mm_soap.far.accounts.store import read_history

__all__ = [
    "AccountInformation",
    "Accounts",
    "Authorization",
    "AuthorizedAccount",
    "Closing",
    "GivenSignature",
    "HistoryEntry",
    "Importer",
    "Kind",
    "Origin",
    "Pending",
    "PendingAnswer",
    "Signatory",
    "SignatureVerifier",
    "Signing",
    "Step",
    "Wanted",
    "read_history",
]
