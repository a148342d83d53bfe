"""The cases of isReachable that isRegistered does not share."""

from __future__ import annotations

from typing import Final

from mm_soap.conformance.model import Cases
from mm_soap.conformance.register_lookups import rows
from mm_soap.conformance.register_target import Register, expect, given, value

CASES: Final = Cases[Register]("register")


def _accepted(register: Register, recipient: str, sender: str, wanted: bool) -> None:
    found = value(rows(register, "isReachable", [recipient], sender).only(), "SenderAccepted")
    holds = found in (("true", "1") if wanted else ("false", "0"))
    expect(holds, f"SenderAccepted must be {str(wanted).lower()}; it is {found}.", "SenderAccepted")


@CASES.case(
    "isReachable.accepted",
    rule="services, getAccountPreferences: the default is all",
    remedy="Answer SenderAccepted true for a connected sender that the recipient has not deselected.",
    needs=("isReachable.answer",),
)
def accepted(register: Register) -> None:
    """isReachable says that a recipient accepts a connected sender."""
    _accepted(register, register.plan.reachable, register.plan.sender, True)


@CASES.case(
    "isReachable.unknown-not-accepted",
    rule="services, isReachable: an unknown id is a normal answer",
    remedy="Answer SenderAccepted false for an unknown id.",
    needs=("isReachable.unknown",),
)
def unknown_not_accepted(register: Register) -> None:
    """isReachable says SenderAccepted false for an unknown id."""
    _accepted(register, register.plan.unknown, register.plan.sender, False)


@CASES.case(
    "isReachable.deselected",
    rule="services, getAccountPreferences: a recipient deselects",
    remedy="Answer SenderAccepted false where the recipient has deselected the sender that is asked for.",
    needs=("isReachable.answer",),
)
def deselected(register: Register) -> None:
    """isReachable says SenderAccepted false where the recipient has deselected the sender."""
    plan = register.plan
    recipient, sender = given(plan.deselecting, "deselecting"), given(plan.deselected_sender, "deselected_sender")
    _accepted(register, recipient, sender, False)


@CASES.case(
    "isReachable.none",
    rule="contract.json, isReachable: no id is allowed",
    remedy="Answer a request without ids with no rows.",
    needs=("isReachable.answer",),
)
def none(register: Register) -> None:
    """isReachable answers a call without ids without rows."""
    found = rows(register, "isReachable", []).rows
    expect(not found, f"{len(found)} rows came.", "return")


@CASES.case(
    "isReachable.same-status",
    rule="services, isReachable: the same AccountStatus",
    remedy="Answer both operations from the same data.",
    needs=("isReachable.unknown", "isRegistered.unknown"),
)
def same_status(register: Register) -> None:
    """isReachable and isRegistered agree who the operator of an account is."""
    number = register.plan.reachable
    one, two = (rows(register, operation, [number]) for operation in ("isRegistered", "isReachable"))
    for path in ("Pending", "ServiceSupplier/ServiceAdress", "LastRegistration"):
        expect(one.the(path) == two.the(path), "The two operations say different things.", f"AccountStatus/{path}")
