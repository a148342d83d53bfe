"""What the kit is told about a foreign register, and the calls that its cases make."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, TypeVar

from lxml import etree
from pydantic import Field, StringConstraints

from mm_soap.config import Settings
from mm_soap.conformance.carrying import Answer, Fault, Line
from mm_soap.conformance.model import Broken, NotTried
from mm_soap.conformance.plan import Number, Plan, tls_of_demonstration
from mm_soap.contract import OperationContract, Port, ports
from mm_soap.demonstration import (
    COMPANY,
    KOMMUN_A,
    KOMMUN_B,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    RECIPIENT_PENDING,
    RECIPIENT_WITHOUT_B,
    UNKNOWN,
)
from mm_soap.errors import TECHNICAL_BELOW
from mm_soap.message.identifiers import check_digit
from mm_soap.testing.e_identification import EIdentity
from mm_soap.xml import text_of

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
T = TypeVar("T")
BAD_INPUT: Final = (5000, 5001)
"""The codes for input that breaks the contract: 5001, or the general one of the same class."""


class RegisterPlan(Plan):
    """What is known about a foreign register and its test identities."""

    recipient_url: Url
    """Address of Recipient."""
    authority_url: Url
    """Address of Authority."""
    sender: Number
    """An organisation that is a connected sender."""
    no_sender: Number
    """An organisation that is none."""
    operator: Number
    """The number of a mailbox operator, for which the kit calls."""
    operator_name: Annotated[str, Field(min_length=1)]
    """The name under which it is registered."""
    reachable: Number
    """A person with an active account at that operator, who accepts the sender."""
    unknown: Number
    """A person who is not in the register."""
    pending: Number | None = None
    """A recipient whose account waits for signatures."""
    deselecting: Number | None = None
    """A recipient who has deselected the sender of the next line."""
    deselected_sender: Number | None = None
    company: Number | None = None
    """A company that has signatories."""
    signatory: Number | None = None
    """A person who may sign for it."""
    person_certificate: Path | None = None
    """The e-identification of a test person without an account: a PEM file, and its key beside it as .key."""


class Register:
    """A foreign register, as the cases see it.

    Args:
        plan: what is known about it.
    """

    def __init__(self, plan: RegisterPlan) -> None:
        self.plan = plan
        self.recipient = plan.line(plan.recipient_url)
        self.authority = plan.line(plan.authority_url)

    @property
    def lines(self) -> Sequence[Line]:
        """The lines to its services."""
        return (self.recipient, self.authority)

    def call(self, operation: str, request: bytes) -> Answer:
        """Send a request to the service that has the operation."""
        return self._line(operation).call(request)

    def ask(self, operation: str, request: bytes) -> etree._Element:
        """Return the answer of an operation, which must be right in its name and schema.

        Raises:
            Broken: it is not, or it is a fault.
        """
        return self.call(operation, request).result(contract_of(operation).output)

    def refused(self, operation: str, request: bytes, *codes: int) -> Fault:
        """Return the fault of a request that must be refused, after a look at its code alone.

        How a fault looks is judged by cases of its own, so that one mistake there is found once.
        """
        return checked(self.call(operation, request), *codes)

    def _line(self, operation: str) -> Line:
        return self.authority if operation in ports()["authority"].operations else self.recipient

    @cached_property
    def person(self) -> EIdentity:
        """The test person who signs.

        Raises:
            NotTried: the plan has none.
        """
        return EIdentity.load(given(self.plan.person_certificate, "person_certificate"))

    @cached_property
    def run(self) -> str:
        """A word of this run, so that what is signed differs from what was signed before."""
        return secrets.token_hex(8)


def checked(answer: Answer, *codes: int) -> Fault:
    """Return the fault of an answer that must be one, after a look at its code.

    Args:
        answer: what came.
        codes: those that fit; any from 5000 on without them.

    Raises:
        Broken: it is no fault, or the code is another one.
    """
    fault = answer.fault()
    place = "Fault/detail/ErrorCode"
    if codes and fault.code not in codes:
        raise Broken(f"The code must be {' or '.join(map(str, codes))}; it is {fault.code}.", place)
    if fault.code is None or fault.code < TECHNICAL_BELOW:
        raise Broken(f"The code must be 5000 or more, so that nobody repeats the call; it is {fault.code}.", place)
    return fault


def given(value: T | None, name: str) -> T:
    """Return a value of the plan that need not be there.

    Raises:
        NotTried: it is not.
    """
    if value is None:
        raise NotTried(f"The plan does not have {name}.")
    return value


def port_of(operation: str) -> Port:
    """Return the port that has an operation."""
    return next(ports()[name] for name in ("recipient", "authority") if operation in ports()[name].operations)


def contract_of(operation: str) -> OperationContract:
    """Return what the contract says of an operation of the register."""
    return port_of(operation).operations[operation]


def value(element: etree._Element, path: str) -> str | None:
    """Return the text at a path of local names, with / between them; None if nothing stands there."""
    found = element.find("/".join(f"{{*}}{name}" for name in path.split("/")))
    return None if found is None else text_of(found).strip()


def expect(holds: bool, what: str, place: str = "") -> None:
    """Check something about an answer.

    Raises:
        Broken: it does not hold.
    """
    if not holds:
        raise Broken(what, place)


def strangers(count: int) -> list[str]:
    """Return numbers that were never anybody's: coordination numbers of people born in 1890, in a far corner."""
    nines = (
        f"90{month:02}{day:02}{serial:03}" for month in range(12, 0, -1) for day in (81, 80) for serial in range(50)
    )
    return [f"18{nine}{check_digit(nine)}" for nine, _ in zip(nines, range(count), strict=False)]


def demonstration(settings: Settings) -> dict[str, object]:
    """Return the plan's table for the register of a demonstration."""
    pki = settings.trust.anchors[0].parent
    recipient, authority = (f"{settings.base_url}{ports()[name].path}" for name in ("recipient", "authority"))
    return {
        "recipient_url": recipient,
        "authority_url": authority,
        "sender": KOMMUN_A.number,
        "no_sender": OPERATOR_ONE.number,
        "operator": OPERATOR_TWO.number,
        "operator_name": OPERATOR_TWO.name,
        "reachable": RECIPIENT_AT_TWO,
        "unknown": strangers(1000)[-1],
        "pending": RECIPIENT_PENDING,
        "deselecting": RECIPIENT_WITHOUT_B,
        "deselected_sender": KOMMUN_B.number,
        "company": COMPANY,
        "signatory": RECIPIENT,
        "person_certificate": pki / f"person-{UNKNOWN}.pem",
        **tls_of_demonstration(settings, OPERATOR_TWO.number),
    }
