"""The operations of the Service service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mm_soap.dsig import VerifiedSeal, stand_alone
from mm_soap.message import require_few_recipients
from mm_soap.service_supplier import wire
from mm_soap.service_supplier.forwarding import ForwardingService
from mm_soap.service_supplier.model import DeliveryOutcome
from mm_soap.service_supplier.notifying import NotifyingService
from mm_soap.service_supplier.service import MailboxService

if TYPE_CHECKING:
    from lxml import etree

    from mm_soap.soap import Call, Handler, Precheck

PRECHECKS: Mapping[str, Precheck] = {
    "deliverSecure": wire.require_signatures,
    "deliverForward": wire.require_forwarded,
    "notify": require_few_recipients,
}
"""What is looked at before the schema. A missing signature and too many recipients have error codes of their own; the
schema would call them bad input. Source: contract, errors, 5005 and 5006."""

Verify = Callable[["Call", "etree._Element"], VerifiedSeal]
"""Checks the seal and the signature of a sealed delivery in a call."""


def service_handlers(
    service: MailboxService, notifying: NotifyingService, forwarding: ForwardingService, verify: Verify
) -> Mapping[str, Handler]:
    """Return what answers each operation of the Service service, by its name.

    Args:
        service, notifying, forwarding: the use cases.
        verify: checks the seal and the signature of the delivery in a deliverSecure or a deliverForward.
    """

    def deliver_secure(call: Call) -> bytes:
        verified = verify(call, call.payload[0])
        outcome = service.deliver_secure(verified, call.raw, call.call_id, call.caller.organisation)
        return wire.delivery_answer(outcome)

    def deliver_forward(call: Call) -> bytes:
        forwarded = call.payload[0]
        original = forwarded.find(wire.ORIGINAL_DELIVERY)
        assert original is not None  # by the schema
        verified = verify(call, original)
        unsigned = stand_alone(forwarded, wire.FORWARD_DELIVERY, without=(wire.ORIGINAL_DELIVERY,))
        trans_id, told = forwarding.deliver_forward(
            unsigned, verified, call.raw, call.call_id, call.caller.organisation
        )
        outcome = DeliveryOutcome(trans_id, tuple((one.recipient, one.delivered) for one in told))
        return wire.delivery_answer(outcome, "deliverForward")

    def notify(call: Call) -> bytes:
        unsigned = stand_alone(call.payload[0], wire.NOTIFICATION_DELIVERY)
        return wire.notify_answer(*notifying.notify(unsigned, call.raw, call.call_id, call.caller.organisation))

    return {"deliverSecure": deliver_secure, "deliverForward": deliver_forward, "notify": notify}
