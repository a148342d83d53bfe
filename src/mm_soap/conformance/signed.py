"""What the kit needs to judge a party that gets signed deliveries: who signs, what is sent, how the answer is read.

A case that judges one rule must not fail because another rule was broken. So answers are read leniently here, by the
local names of their elements; cases of their own judge their form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from lxml import etree

from mm_soap.clock import Clock, system_clock
from mm_soap.conformance.carrying import Answer, Fault, Line
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.plan import Number, Plan
from mm_soap.conformance.xmlsig import PLAIN, Manner, signed
from mm_soap.errors import TECHNICAL_BELOW
from mm_soap.message import Message, Party, SecureDelivery, build_delivery, new_message
from mm_soap.pki import Identity
from mm_soap.soap.envelope import wrap
from mm_soap.testing.pki import TestPki
from mm_soap.xml import COMMON_V3, SOAP_ENVELOPE, qname, text_of

FAULT: Final = qname(COMMON_V3, "applicationFault")
SUBJECT: Final = "Prov av meddelanden"
_SOAP_FAULT: Final = qname(SOAP_ENVELOPE, "Fault")

T = TypeVar("T")


class SignedPlan(Plan):
    """What the plans of dispatcher and operator share: who signs, and recipients of several kinds."""

    sender_certificate: Path
    """PEM file of a connected sender, whose certificate the party trusts."""
    sender_key: Path
    sender_name: str = "Prov"
    """The sender's registered name."""
    recipient: Number
    """Has a mailbox and accepts the sender. Some fifty messages get into that mailbox."""
    unregistered: Number
    """Has no mailbox: for a dispatcher not in the register, for an operator none with it."""
    deselecting: Number | None = None
    """Has a mailbox, and has deselected the sender."""
    outsider_certificate: Path | None = None
    """Of an organisation with a trusted certificate that is neither a connected sender nor listed for the sender."""
    outsider_key: Path | None = None
    expired_certificate: Path | None = None
    """An expired certificate of the sender, from the trusted issuer."""
    expired_key: Path | None = None


@dataclass(frozen=True)
class Wire:
    """How the outermost signed document of a request travels."""

    start: bytes
    """The start tag of the operation's element."""
    end: bytes
    name: bytes
    """What the root is called on the wire, with a prefix of `start` where it needs one."""
    namespace: str
    """Of the name on the wire."""
    signed_name: bytes
    """What the root is called where it is signed, without prefix."""

    def around(self, element: bytes) -> bytes:
        """Return the operation's element around one that has its name on the wire."""
        return self.start + element + self.end

    def renamed(self, document: bytes) -> bytes:
        """Return a document with its root named as on the wire, and nothing else changed."""
        inside = document.removeprefix(b"<" + self.signed_name)
        return b"<%s%s%s>" % (self.name, inside[: inside.rindex(b"</") + 2], self.name)

    def carry(self, document: bytes) -> bytes:
        """Return the operation's element with a signed document, its bytes spliced in."""
        return self.around(self.renamed(document))


class Bench(ABC):
    """What the cases of a role get: the other party, and all that is needed to send to it.

    Args:
        plan: of the role.
        line: to the service that takes signed deliveries.
        clock: the time.
    """

    wire: ClassVar[Wire]

    def __init__(self, plan: SignedPlan, line: Line, clock: Clock = system_clock) -> None:
        self.signed_plan = plan
        self.line = line
        self.clock = clock
        self.sender = Identity.load(plan.sender_certificate, plan.sender_key)

    @property
    def lines(self) -> Sequence[Line]:
        """All lines on which cases call."""
        return (self.line,)

    @cached_property
    def outsider(self) -> Identity:
        """One whose certificate is trusted, and who may do nothing."""
        return self.given("outsider", self.signed_plan.outsider_certificate, self.signed_plan.outsider_key)

    @cached_property
    def expired(self) -> Identity:
        """The sender with an expired certificate."""
        return self.given("expired", self.signed_plan.expired_certificate, self.signed_plan.expired_key)

    @cached_property
    def stranger(self) -> Identity:
        """The sender by a certificate of an issuer that nobody knows."""
        return TestPki(self.clock, new_keys=True).organisation(self.sender.organisation, "Prov")

    def given(self, name: str, certificate: Path | None, key: Path | None) -> Identity:
        """Return an identity that the plan may hold.

        Raises:
            NotTried: it does not.
        """
        if certificate is None or key is None:
            raise NotTried(f"The plan has no {name}_certificate and {name}_key.")
        return Identity.load(certificate, key)

    def unsigned(
        self, *messages: Message, recipient: str | None = None, sender: Identity | None = None, **more: Any
    ) -> bytes:
        """Return a SignedDelivery without its signature, standing alone."""
        party = Party((sender or self.sender).organisation, self.signed_plan.sender_name)
        to = recipient or self.signed_plan.recipient
        return etree.tostring(build_delivery(SecureDelivery(party, to, messages or (a_message(),), **more)))

    def sign(self, document: bytes, manner: Manner = PLAIN, by: Identity | None = None) -> bytes:
        """Return a SignedDelivery with its signature, the sender's unless said."""
        return signed(document, by or self.sender, manner)

    @abstractmethod
    def finished(self, delivery: bytes) -> bytes:
        """Return the outermost signed document for a signed delivery: itself, or sealed."""

    @abstractmethod
    def unfinished(self) -> tuple[bytes, Identity]:
        """Return an outermost document of a good delivery without its last signature, and who gives that."""

    @abstractmethod
    def accepted(self, answer: Answer) -> str:
        """Return the id in the answer to a delivery that must be accepted.

        Raises:
            Broken: it was not.
        """

    def send(self, delivery: bytes) -> Answer:
        """Send a signed delivery, sealed where the role wants that."""
        return self.carry(self.finished(delivery))

    def carry(self, document: bytes) -> Answer:
        """Send an outermost signed document."""
        return self.line.call(self.wire.carry(document))

    def request(self) -> bytes:
        """Return the whole body of a request that must be accepted, with a new delivery."""
        return wrap(self.wire.carry(self.finished(self.sign(self.unsigned()))))


B = TypeVar("B", bound=Bench)


def a_message(subject: str = SUBJECT, text: str = "Detta är ett prov.", **more: Any) -> Message:
    """Return a new message; with ``html``, that is its body instead of the text."""
    return new_message(subject, text=None if "html" in more else text, **more)


def answered(answer: Answer) -> etree._Element:
    """Return what stands in the Body of the answer to a request that must be accepted.

    Raises:
        Broken: it is a fault, or no SOAP.
    """
    payload = answer.payload()
    if payload.tag == _SOAP_FAULT:
        fault = answer.fault()
        raise Broken(f"The request must be accepted; a fault came, code {fault.code}: {fault.description}", "Fault")
    return payload


def within(element: etree._Element, name: str) -> str:
    """Return the text of the first element of a local name, empty if there is none."""
    return text_of(next(element.iter(f"{{*}}{name}"), None)).strip()


def refused(answer: Answer, *codes: int, http: Sequence[int] = ()) -> Fault | None:
    """Return the fault of a request that must be refused; its form is not judged.

    Args:
        answer: what came.
        codes: the error codes that fit; any from 5000 on without them.
        http: statuses that will do without a fault.

    Raises:
        Broken: it was accepted, or refused with another code.
    """
    if answer.status in http:
        return None
    if answer.payload().tag != _SOAP_FAULT:
        raise Broken("The request must be refused; it was accepted.", "Body")
    fault = answer.fault()
    if fault.code is None:
        raise Broken("The fault has no ErrorCode.", "Fault/detail/ErrorCode")
    if codes and fault.code not in codes:
        wanted = " or ".join(map(str, codes))
        raise Broken(f"The code must be {wanted}; it is {fault.code}: {fault.description}", "Fault/detail/ErrorCode")
    if fault.code < TECHNICAL_BELOW:
        raise Broken(
            f"The code {fault.code} is technical, so the caller would repeat the call for ever.",
            "Fault/detail/ErrorCode",
        )
    return fault


def add(cases: Cases[T], name: str, title: str, rule: str, remedy: str, check: Callable[[T], None]) -> None:
    """Add a case of a table; `Cases.case` is for those that are functions of their own."""

    def tried(target: T) -> None:
        check(target)

    tried.__doc__ = title
    cases.case(name, rule=rule, remedy=remedy)(tried)
