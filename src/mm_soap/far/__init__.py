"""The address register (FaR): who can be reached, through whom and by whom; and the Authority service."""

from mm_soap.far.endpoint import authority_handlers
from mm_soap.far.model import (
    Account,
    AccountStatus,
    AccountType,
    Dispatcher,
    Operator,
    Reachability,
    Sender,
)
from mm_soap.far.service import Register

__all__ = [
    "Account",
    "AccountStatus",
    "AccountType",
    "Dispatcher",
    "Operator",
    "Reachability",
    "Register",
    "Sender",
    "authority_handlers",
]
