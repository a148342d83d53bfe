"""The cases of the register about accounts: what needs no signature, and what a made-up signature must not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mm_soap.conformance.model import Cases
from mm_soap.conformance.register_lookups import rows
from mm_soap.conformance.register_requests import JUNK, account, change, identity, preferences
from mm_soap.conformance.register_soap import BASE, CODED
from mm_soap.conformance.register_target import Register, expect, given, value

CASES: Final = Cases[Register]("register")
_TEXT: Final = "Text that nobody has signed."


@CASES.case(
    "getPendingAccountRequest.none",
    rule="services, getPendingAccountRequest; contract.json",
    remedy="Answer with getPendingAccountRequestResponse without rows where nothing is pending.",
    needs=BASE,
)
def no_pending(register: Register) -> None:
    """getPendingAccountRequest answers without rows where nothing waits for signatures."""
    number = register.plan.unknown
    found = register.ask("getPendingAccountRequest", identity("getPendingAccountRequest", number, number))
    expect(len(found) == 0, "A request that nobody made is shown.", "return")


_NOT_FOUND: Final = (
    "getPendingChangeServiceSupplier",
    "deletePendingChangeServiceSupplier",
    "getPendingAccountPreferences",
    "deletePendingAccountPreferences",
    "getAccountPreferences",
)


def _not_found(operation: str) -> Callable[[Register], None]:
    def check(register: Register) -> None:
        number = register.plan.unknown
        register.refused(operation, identity(operation, number, number), 5003)

    return check


for _operation in _NOT_FOUND:
    CASES.add(
        f"{_operation}.unknown",
        f"{_operation} refuses a recipient without an account with code 5003.",
        _not_found(_operation),
        rule="errors, 5003 no such account",
        remedy="Refuse with code 5003 where there is no such account or nothing is pending.",
        needs=CODED,
    )


@CASES.case(
    "deletePendingAccountRequest.none",
    rule="services, the state machine: none, deletePending",
    remedy="Refuse deletePendingAccountRequest with a code from 5000 on where nothing is pending.",
    needs=CODED,
)
def delete_none(register: Register) -> None:
    """deletePendingAccountRequest refuses a recipient without an account."""
    number = register.plan.unknown
    register.refused("deletePendingAccountRequest", identity("deletePendingAccountRequest", number, number))


@CASES.case(
    "deletePendingAccountRequest.active",
    rule="services, the state machine: active, deletePending; errors, 5011",
    remedy="Refuse deletePendingAccountRequest on an active account with code 5011.",
    needs=CODED,
)
def delete_active(register: Register) -> None:
    """deletePendingAccountRequest refuses an active account with code 5011."""
    number = register.plan.reachable
    register.refused("deletePendingAccountRequest", identity("deletePendingAccountRequest", number, number), 5011)


def _senders(register: Register, recipient: str) -> list[str | None]:
    request = identity("getAccountPreferences", recipient, recipient)
    found = register.ask("getAccountPreferences", request)
    return [value(one, "Id") for one in found.iterfind("{*}return/{*}AcceptedSenders")]


@CASES.case(
    "getAccountPreferences.default",
    rule="services, getAccountPreferences: the default is all",
    remedy="List every connected sender for a recipient who has deselected none.",
    needs=BASE,
)
def default_preferences(register: Register) -> None:
    """getAccountPreferences lists a sender that the recipient has not deselected."""
    found = _senders(register, register.plan.reachable)
    expect(register.plan.sender in found, "The sender is not in the list.", "AcceptedSenders")


@CASES.case(
    "getAccountPreferences.deselected",
    rule="services, getAccountPreferences: a recipient deselects",
    remedy="Leave the senders out that the recipient has deselected.",
    needs=("getAccountPreferences.default",),
)
def deselected_preferences(register: Register) -> None:
    """getAccountPreferences leaves out a sender that the recipient has deselected."""
    recipient = given(register.plan.deselecting, "deselecting")
    sender = given(register.plan.deselected_sender, "deselected_sender")
    expect(sender not in _senders(register, recipient), "The sender is in the list.", "AcceptedSenders")


@CASES.case(
    "isAuthorizedSigner.signatory",
    rule="services, isAuthorizedSigner",
    remedy="Answer true for a possible signatory, whether the person has a mailbox or not.",
    needs=BASE,
)
def signatory(register: Register) -> None:
    """isAuthorizedSigner says true for a signatory of a company."""
    company, person = given(register.plan.company, "company"), given(register.plan.signatory, "signatory")
    found = register.ask("isAuthorizedSigner", identity("isAuthorizedSigner", company, person))
    holds = value(found, "return/isAccountAuthorizedSigner")
    expect(holds in ("true", "1"), f"It says {holds}.", "isAccountAuthorizedSigner")
    expect(value(found, "return/CompanyId") == company, "It is another company.", "CompanyId")


@CASES.case(
    "isAuthorizedSigner.stranger",
    rule="services, isAuthorizedSigner",
    remedy="Answer false for a person who is no possible signatory of the company.",
    needs=("isAuthorizedSigner.signatory",),
)
def no_signatory(register: Register) -> None:
    """isAuthorizedSigner says false for a person who is no signatory."""
    company = given(register.plan.company, "company")
    found = register.ask("isAuthorizedSigner", identity("isAuthorizedSigner", company, register.plan.unknown))
    holds = value(found, "return/isAccountAuthorizedSigner")
    expect(holds in ("false", "0"), f"It says {holds}.", "isAccountAuthorizedSigner")


def _unsigned(operation: str, register: Register) -> tuple[str, bytes]:
    plan = register.plan
    number = plan.unknown if operation == "register" else plan.reachable
    requests: dict[str, Callable[[], bytes]] = {
        "register": lambda: account("register", number, plan.operator_name, _TEXT, JUNK),
        "deregister": lambda: account("deregister", number, plan.operator_name, _TEXT, JUNK),
        "changeServiceSupplier": lambda: change(number, plan.operator_name, _TEXT, JUNK),
        "storeAccountPreferences": lambda: preferences(number, [], _TEXT, JUNK),
    }
    return number, requests[operation]()


def _refuses_unsigned(operation: str, codes: tuple[int, ...]) -> Callable[[Register], None]:
    def check(register: Register) -> None:
        number, request = _unsigned(operation, register)
        register.refused(operation, request, *codes)
        found = rows(register, "isReachable", [number])
        wanted = ("Not", "false") if operation == "register" else ("Secure", "true")
        place = "isReachable"
        expect(found.the("Type") == wanted[0], "The account was changed all the same.", place)
        expect(value(found.only(), "SenderAccepted") == wanted[1], "The account was changed all the same.", place)

    return check


for _operation, _codes in (
    ("register", (5010,)),
    ("deregister", ()),
    ("changeServiceSupplier", ()),
    ("storeAccountPreferences", ()),
):
    CASES.add(
        f"{_operation}.made-up-signature",
        f"{_operation} refuses a signature that nobody made, and stores nothing.",
        _refuses_unsigned(_operation, _codes),
        rule="services, the state machine; errors, 5010 and 5012",
        remedy="Verify every user signature before anything is stored, and refuse the request where one fails.",
        needs=(*CODED, "isReachable.unknown-type", "isReachable.unknown-not-accepted", "isReachable.accepted"),
    )
