"""The cases of Authority."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mm_soap.conformance.model import Cases
from mm_soap.conformance.register_lookups import rows
from mm_soap.conformance.register_requests import JUNK, argument, element, new_signer, verify
from mm_soap.conformance.register_soap import BASE, CODED
from mm_soap.conformance.register_target import BAD_INPUT, Register, expect, value
from mm_soap.xml import AUTHORITY

CASES: Final = Cases[Register]("register")
_QUALIFIED: Final = "Leave the elements below the operation's own without a namespace: arg0 and return are unqualified."


def _request(operation: str, register: Register) -> bytes:
    plan = register.plan
    requests: dict[str, Callable[[], bytes]] = {
        "getSenders": lambda: element("getSenders"),
        "getDispatchers": lambda: element("getDispatchers"),
        "isSenderAccepted": lambda: argument("isSenderAccepted", plan.sender),
        "testNewSigner": lambda: new_signer(plan.unknown, plan.unknown),
        "getUserAccessRights": lambda: argument("getUserAccessRights", plan.reachable),
        "getUserAccessRightsNoConcent": lambda: argument("getUserAccessRightsNoConcent", plan.reachable),
    }
    return requests[operation]()


def _answers(operation: str) -> Callable[[Register], None]:
    def check(register: Register) -> None:
        register.ask(operation, _request(operation, register))

    return check


for _operation in (
    "getSenders",
    "getDispatchers",
    "isSenderAccepted",
    "testNewSigner",
    "getUserAccessRights",
    "getUserAccessRightsNoConcent",
):
    CASES.add(
        f"{_operation}.answer",
        f"{_operation} answers by the schema, with unqualified return elements.",
        _answers(_operation),
        rule="services, Authority; contract.json",
        remedy=f"Answer with {_operation}Response of {AUTHORITY}. {_QUALIFIED}",
        needs=BASE,
    )


def _listed(register: Register, operation: str) -> set[str | None]:
    found = register.ask(operation, element(operation))
    return {value(one, "Id") for one in found.iterfind("return")}


@CASES.case(
    "getSenders.connected",
    rule="services, getSenders",
    remedy="List every connected sender, each with its organisation number and name.",
    needs=("getSenders.answer",),
)
def connected(register: Register) -> None:
    """getSenders lists a connected sender."""
    expect(register.plan.sender in _listed(register, "getSenders"), "The sender is not in the list.", "return")


@CASES.case(
    "getSenders.others",
    rule="services, getSenders",
    remedy="List connected senders alone, and no other organisations.",
    needs=("getSenders.answer",),
)
def others(register: Register) -> None:
    """getSenders does not list an organisation that is no sender."""
    expect(register.plan.no_sender not in _listed(register, "getSenders"), "It is in the list.", "return")


@CASES.case(
    "getDispatchers.listed",
    rule="services, getDispatchers",
    remedy="List with each dispatcher the organisation numbers that it may sign for, with one row for a dispatcher.",
    needs=("getDispatchers.answer",),
)
def listed(register: Register) -> None:
    """getDispatchers has a dispatcher for the connected sender, and each dispatcher once."""
    found = register.ask("getDispatchers", element("getDispatchers"))
    ids = [value(one, "Id") for one in found.iterfind("return")]
    expect(len(set(ids)) == len(ids), "A dispatcher stands there twice.", "return")
    senders = {one.text for one in found.iterfind("return/{*}Senders")}
    expect(register.plan.sender in senders, "No dispatcher may sign for the sender.", "return/Senders")


def _is_accepted(register: Register, number: str, wanted: bool) -> None:
    found = value(register.ask("isSenderAccepted", argument("isSenderAccepted", number)), "return")
    holds = found in (("true", "1") if wanted else ("false", "0"))
    expect(holds, f"It must say {str(wanted).lower()}; it says {found}.", "return")


@CASES.case(
    "isSenderAccepted.sender",
    rule="services, isSenderAccepted",
    remedy="Answer true for every organisation that getSenders lists.",
    needs=("isSenderAccepted.answer",),
)
def sender_accepted(register: Register) -> None:
    """isSenderAccepted says true for a connected sender."""
    _is_accepted(register, register.plan.sender, True)


@CASES.case(
    "isSenderAccepted.other",
    rule="services, isSenderAccepted",
    remedy="Answer false, not a fault, for an organisation that is no connected sender.",
    needs=("isSenderAccepted.answer",),
)
def other_not_accepted(register: Register) -> None:
    """isSenderAccepted says false for an organisation that is no sender."""
    _is_accepted(register, register.plan.no_sender, False)


@CASES.case(
    "isSenderAccepted.qualified",
    rule="services, Authority: unqualified child elements",
    remedy=f"Refuse arg0 in a namespace with code 5001. {_QUALIFIED}",
    needs=CODED,
)
def qualified(register: Register) -> None:
    """isSenderAccepted refuses an arg0 that is in the namespace of Authority."""
    number = register.plan.sender
    register.refused("isSenderAccepted", element("isSenderAccepted", f"<o:arg0>{number}</o:arg0>"), *BAD_INPUT)


@CASES.case(
    "isSenderAccepted.bad-id",
    rule="messages, Identifiers; contract.json, RecipientId",
    remedy="Check the number against the pattern, and refuse it with code 5001.",
    needs=CODED,
)
def bad_number(register: Register) -> None:
    """isSenderAccepted refuses a number that breaks the pattern."""
    register.refused("isSenderAccepted", argument("isSenderAccepted", "16202100474"), *BAD_INPUT)


@CASES.case(
    "testNewSigner.complete",
    rule="services, testNewSigner: would these signatures satisfy the rule",
    remedy="Answer Complete where the person itself would be the new signer of its own account.",
    needs=("testNewSigner.answer",),
)
def complete(register: Register) -> None:
    """testNewSigner says Complete for a person who would sign for itself."""
    found = value(register.ask("testNewSigner", _request("testNewSigner", register)), "return/Status")
    expect(found == "Complete", f"The Status is {found}.", "return/Status")


@CASES.case(
    "testNewSigner.incomplete",
    rule="services, testNewSigner: would these signatures satisfy the rule",
    remedy="Answer Incomplete where nobody has signed and nobody would.",
    needs=("testNewSigner.answer",),
)
def incomplete_rule(register: Register) -> None:
    """testNewSigner says Incomplete where nobody signs."""
    found = value(register.ask("testNewSigner", new_signer(register.plan.unknown, None)), "return/Status")
    expect(found == "Incomplete", f"The Status is {found}.", "return/Status")


@CASES.case(
    "testNewSigner.dry-run",
    rule="services, testNewSigner: dry run",
    remedy="Store nothing in testNewSigner.",
    needs=("testNewSigner.answer", "isRegistered.unknown-type"),
)
def dry_run(register: Register) -> None:
    """testNewSigner opens no account."""
    register.ask("testNewSigner", _request("testNewSigner", register))
    found = rows(register, "isRegistered", [register.plan.unknown]).the("Type")
    expect(found == "Not", f"The recipient has Type {found} after it.", "AccountStatus/Type")


@CASES.case(
    "verifyAuthorizedSignatures.made-up-signature",
    rule="services, verifyAuthorizedSignatures: verify real signatures",
    remedy="Verify every signature over the given data, and refuse the request where one fails.",
    needs=CODED,
)
def made_up(register: Register) -> None:
    """verifyAuthorizedSignatures refuses a signature that nobody made."""
    number = register.plan.unknown
    register.refused("verifyAuthorizedSignatures", verify(number, "Text that nobody has signed.", JUNK))


@CASES.case(
    "getUserAccessRightsNoConcent.consents",
    rule="services, getUserAccessRightsNoConcent",
    remedy="Leave out of getUserAccessRightsNoConcent what rests on a consent, and nothing else.",
    needs=("getUserAccessRights.answer", "getUserAccessRightsNoConcent.answer"),
)
def consents(register: Register) -> None:
    """getUserAccessRightsNoConcent says what getUserAccessRights says, without what rests on a consent."""
    both = [
        {
            (value(one, "Id"), value(one, "GrantType"))
            for one in register.ask(operation, _request(operation, register)).iterfind("return/{*}Rights")
        }
        for operation in ("getUserAccessRights", "getUserAccessRightsNoConcent")
    ]
    wanted = {one for one in both[0] if not str(one[1]).startswith("Consent")}
    expect(both[1] == wanted, "The two operations do not agree.", "return/Rights")
