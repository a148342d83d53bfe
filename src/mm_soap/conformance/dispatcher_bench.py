"""What the cases for a dispatcher get."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, ClassVar, Final
from xml.sax.saxutils import escape

from pydantic import Field

from mm_soap.clock import Clock, system_clock
from mm_soap.conformance.carrying import Answer, Line
from mm_soap.conformance.model import Broken, NotTried
from mm_soap.conformance.plan import Number
from mm_soap.conformance.signed import Bench, SignedPlan, Wire, answered, within
from mm_soap.pki import Identity
from mm_soap.xml import MESSAGE_V3

_NOT_UNPACKED: Final = 5004
_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0


class DispatcherPlan(SignedPlan):
    """What the kit is told about a dispatcher."""

    message: str
    """The address of Message."""
    notification: str | None = None
    """The address of Notification."""
    wait: Annotated[float, Field(gt=0)] = 60.0
    """Seconds in which a delivery must come to its end."""
    other_sender: Number = "162021004748"
    """A number that is not the sender's, to ask with for the sender's deliveries."""


class DispatcherBench(Bench):
    """A dispatcher, and all that is needed to hand in to it.

    Args:
        plan: addresses and identities.
        clock: the time.
    """

    wire: ClassVar[Wire] = Wire(
        start=b'<distributeSecure xmlns="%s">' % MESSAGE_V3.encode(),
        end=b"</distributeSecure>",
        name=b"signedDelivery",
        namespace=MESSAGE_V3,
        signed_name=b"SignedDelivery",
    )

    def __init__(self, plan: DispatcherPlan, clock: Clock = system_clock) -> None:
        super().__init__(plan, plan.line(plan.message), clock)
        self.plan = plan
        self._notification = plan.line(plan.notification) if plan.notification else None

    @property
    def lines(self) -> Sequence[Line]:
        """All lines on which cases call."""
        return (self.line, self._notification) if self._notification else (self.line,)

    @property
    def notification(self) -> Line:
        """The line to Notification."""
        if self._notification is None:
            raise NotTried("The plan has no address of Notification.")
        return self._notification

    @property
    def other_sender(self) -> str:
        """A number that is not the sender's."""
        other = self.plan.other_sender
        if other == self.sender.organisation:
            raise NotTried("The plan's other_sender is the sender itself.")
        return other

    def finished(self, delivery: bytes) -> bytes:
        """Return the delivery as it is."""
        return delivery

    def unfinished(self) -> tuple[bytes, Identity]:
        """Return a new delivery without its signature, and the sender."""
        return self.unsigned(), self.sender

    def accepted(self, answer: Answer) -> str:
        """Return the distribution id of an answer."""
        found = within(answered(answer), "return")
        if not found:
            raise Broken("The answer has no distribution id.", "distributeSecureResponse/return")
        return found

    def ask(self, distribution_id: str, sender: str | None = None) -> Answer:
        """Ask how far a delivery came."""
        return self.line.call(status_request(sender or self.sender.organisation, distribution_id))

    def told(self, answer: Answer) -> tuple[str, str] | None:
        """Return Type and DeliveryStatus, empty where there is none; None while the delivery is not unpacked.

        Raises:
            Broken: a fault came that is not 5004.
        """
        if answer.payload().tag.endswith("}Fault") and answer.fault().code == _NOT_UNPACKED:
            return None
        payload = answered(answer)
        return within(payload, "Type"), within(payload, "DeliveryStatus")

    def final(self, distribution_id: str) -> Answer:
        """Ask until nothing more will happen, and return the last answer.

        Raises:
            Broken: that did not come in the time that the plan gives.
        """
        until = time.monotonic() + self.plan.wait
        pause = _PAUSE
        while True:
            answer = self.ask(distribution_id)
            found = self.told(answer)
            if found is not None and (found[1] in ("Delivered", "DeliveryFailed") or found[0] in ("Paper", "Not")):
                return answer
            if time.monotonic() + pause > until:
                raise Broken(
                    f"The delivery did not come to its end in {self.plan.wait:g} seconds.", "DistributionStatus"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def ends(self, distribution_id: str, kind: str, status: str | None = None) -> None:
        """Demand an end.

        Args:
            distribution_id: of the delivery.
            kind: Type.
            status: DeliveryStatus, where it is judged.
        """
        found = self.told(self.final(distribution_id))
        assert found is not None
        if found[0] != kind:
            raise Broken(f"Type must be {kind}; it is {found[0] or 'missing'}.", "DistributionStatus/Type")
        if status is not None and found[1] != status:
            told = found[1] or "missing"
            raise Broken(f"DeliveryStatus must be {status}; it is {told}.", "DistributionStatus/DeliveryStatus")


def status_request(sender: str, distribution_id: str) -> bytes:
    """Return checkDistributionStatus."""
    return (
        f'<checkDistributionStatus xmlns="{MESSAGE_V3}"><senderId>{escape(sender)}</senderId>'
        f"<distributionId>{escape(distribution_id)}</distributionId></checkDistributionStatus>"
    ).encode()
