"""What the cases for a mailbox operator get."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import ClassVar

from mm_soap.clock import Clock, system_clock
from mm_soap.conformance.carrying import Answer, Line
from mm_soap.conformance.model import Broken
from mm_soap.conformance.signed import Bench, SignedPlan, Wire, answered, within
from mm_soap.conformance.xmlsig import PLAIN, Manner, signed
from mm_soap.pki import Identity
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, SERVICE_V3


class OperatorPlan(SignedPlan):
    """What the kit is told about a mailbox operator."""

    service: str
    """The address of Service."""
    dispatcher_certificate: Path
    """PEM file of a dispatcher that is listed for the sender."""
    dispatcher_key: Path
    forwarder_certificate: Path | None = None
    """For mutual TLS: who calls deliverForward, if not the same as all the rest. The recipient's mailbox operator."""
    forwarder_key: Path | None = None


class OperatorBench(Bench):
    """A mailbox operator, and all that is needed to hand over to it.

    Args:
        plan: addresses and identities.
        clock: the time.
    """

    # The prefix m is there for operators whose software needs one: contract, signing, end of "The digest input".
    wire: ClassVar[Wire] = Wire(
        start=b'<s:deliverSecure xmlns:s="%s" xmlns:m="%s">' % (SERVICE_V3.encode(), MESSAGE_V3.encode()),
        end=b"</s:deliverSecure>",
        name=b"s:deliverSecure",
        namespace=SERVICE_V3,
        signed_name=b"SealedDelivery",
    )

    def __init__(self, plan: OperatorPlan, clock: Clock = system_clock) -> None:
        super().__init__(plan, plan.line(plan.service), clock)
        self.plan = plan
        self.forwarding = (
            plan.line(plan.service, plan.forwarder_certificate, plan.forwarder_key)
            if plan.forwarder_certificate
            else self.line
        )
        """The line for deliverForward."""
        self.dispatcher = Identity.load(plan.dispatcher_certificate, plan.dispatcher_key)

    @property
    def lines(self) -> Sequence[Line]:
        """All lines on which cases call."""
        return (self.line,) if self.forwarding is self.line else (self.line, self.forwarding)

    def sealed(self, delivery: bytes, *, ok: str = "true", received: date | None = None) -> bytes:
        """Return a SealedDelivery without the dispatcher's signature, standing alone."""
        day = (received or self.clock().date()).isoformat()
        return (
            f'<SealedDelivery xmlns="{MESSAGE_V3}">'.encode()
            + delivery
            + f'<Seal xmlns="{MESSAGE_V3}"><ReceivedTime xmlns="{MESSAGE_V1}">{day}</ReceivedTime>'
            f'<SignaturesOK xmlns="{MESSAGE_V1}">{ok}</SignaturesOK></Seal></SealedDelivery>'.encode()
        )

    def seal(self, delivery: bytes, manner: Manner = PLAIN, by: Identity | None = None) -> bytes:
        """Return a delivery, sealed by the dispatcher unless said."""
        return signed(self.sealed(delivery), by or self.dispatcher, manner)

    def finished(self, delivery: bytes) -> bytes:
        """Return the delivery, sealed."""
        return self.seal(delivery)

    def unfinished(self) -> tuple[bytes, Identity]:
        """Return a new delivery in a seal without its signature, and the dispatcher."""
        return self.sealed(self.sign(self.unsigned())), self.dispatcher

    def accepted(self, answer: Answer) -> str:
        """Return TransId of an answer that must say Delivered true."""
        if self.outcome(answer) is not True:
            raise Broken("The delivery must be put into the mailbox: Delivered must be true.", "DeliveryResult/Status")
        return within(answer.payload(), "TransId")

    def outcome(self, answer: Answer) -> bool | None:
        """Return what Delivered says in an answer that must be none but normal; None if it says nothing."""
        told = within(answered(answer), "Delivered")
        return {"true": True, "1": True, "false": False, "0": False}.get(told)
