"""What the address register knows: accounts, senders, dispatchers, operators, and whom a recipient accepts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

MOST_IDS: Final = 1000
"""The most identifiers that one call may ask about. Source: contract, services, Recipient."""


def is_recipient(text: str) -> bool:
    """Tell whether a text can be the id of an account: twelve ASCII digits, the first no 0.

    The schema's pattern decides what a request may hold; its digits are any decimal digits of Unicode, which
    identify nobody.
    """
    return len(text) == 12 and text.isascii() and text.isdigit() and text[0] != "0"


class AccountType(StrEnum):
    """The kind of account that a recipient has, in the contract's words."""

    SECURE = "Secure"
    ANONYMOUS = "Anonymous"
    NOT = "Not"


@dataclass(frozen=True, slots=True)
class Operator:
    """A mailbox operator.

    Args:
        number: its organisation number, as in its certificate.
        name: the name under which it is registered; requests that name an operator use it.
        service_address: the address of its Service endpoint, where sealed deliveries go.
        internal_address: the address of its service inside the infrastructure.
        ui_address: the address of its web pages.
        logo: the address of its logo.
    """

    number: str
    name: str
    service_address: str
    internal_address: str
    ui_address: str | None = None
    logo: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """A connected sender.

    Args:
        number: its organisation number.
        name: its name, 2 to 256 characters.
        attention: the part of the organisation, where it is told.
    """

    number: str
    name: str
    attention: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """An approved dispatcher.

    Args:
        number: its organisation number.
        name: its name, 2 to 256 characters.
        senders: the organisation numbers of the senders for which it may sign.
    """

    number: str
    name: str
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """An account in the register, as it is stored.

    Args:
        recipient: personal, coordination or organisation number: twelve digits.
        operator: the organisation number of its mailbox operator.
        account_type: ``SECURE`` or ``ANONYMOUS``.
        pending: whether signatures are still missing.
        last_registration: when it was last registered, with a time zone.
    """

    recipient: str
    operator: str
    account_type: AccountType = AccountType.SECURE
    pending: bool = False
    last_registration: datetime | None = None


@dataclass(slots=True)
class AccountStatus:
    """What isRegistered answers of one id. An id without an account has type ``NOT`` and no operator.

    Not frozen, though nobody changes it: a call makes a thousand, and a frozen one takes three times as long to make.

    Args:
        recipient: the id, as it was asked.
        account_type: the type as the contract writes it.
        pending: whether signatures are still missing; a caller treats it as not reachable.
        operator: its mailbox operator.
        last_registration: when it was last registered.
    """

    recipient: str
    account_type: str
    pending: bool
    operator: Operator | None
    last_registration: datetime | None


@dataclass(slots=True)
class Reachability:
    """What isReachable answers of one id.

    Args:
        status: the account.
        sender_accepted: whether the sender may send to it: the account is there, the sender is connected, and the
            recipient has not deselected it.
        last_sender_accept_change: when the recipient last changed its mind about this sender, if it ever did.
    """

    status: AccountStatus
    sender_accepted: bool
    last_sender_accept_change: datetime | None
