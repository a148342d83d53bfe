"""The operations of Message and of Notification."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from mm_soap.dispatcher import wire
from mm_soap.dispatcher.service import MessageService, NotificationService, Origin
from mm_soap.dsig import Trust, stand_alone, verify_delivery
from mm_soap.message import require_few_recipients
from mm_soap.soap import Call, Handler, Precheck

PRECHECKS: Mapping[str, Precheck] = {"distributeSecure": wire.require_signature}
"""What is looked at before the schema. A missing signature has an error code of its own, 5006; the schema would call it
bad input."""

NOTIFICATION_PRECHECKS: Mapping[str, Precheck] = {"distribute": require_few_recipients}
"""The same for Notification: too many recipients have an error code of their own, 5005."""


def message_handlers(service: MessageService, trust: Trust) -> Mapping[str, Handler]:
    """Return the handlers of the Message port.

    Args:
        service: the use cases.
        trust: whose signatures hold.
    """

    def distribute_secure(call: Call) -> bytes:
        verified = verify_delivery(call.raw, call.payload[0], trust)
        origin = Origin(call.call_id, call.raw, call.caller.organisation)
        return wire.distribute_secure_response(service.distribute_secure(verified, origin))

    def check_distribution_status(call: Call) -> etree._Element | bytes:
        sender, distribution_id = wire.read_status_request(call.payload)
        caller = call.caller.organisation
        return wire.status_response(service.check_distribution_status(sender, distribution_id, caller))

    return {"distributeSecure": distribute_secure, "checkDistributionStatus": check_distribution_status}


def notification_handlers(service: NotificationService) -> Mapping[str, Handler]:
    """Return the handlers of the Notification port.

    Args:
        service: the use cases.
    """

    def distribute(call: Call) -> bytes:
        unsigned = stand_alone(call.payload[0], wire.NOTIFICATION_DELIVERY)
        origin = Origin(call.call_id, call.raw, call.caller.organisation)
        return wire.distribute_response(service.distribute(unsigned, origin))

    def check_distribution_status(call: Call) -> etree._Element | bytes:
        sender, distribution_id = wire.read_status_request(call.payload)
        found = service.check_distribution_status(sender, distribution_id, call.caller.organisation)
        return wire.notified_response(found)

    return {"distribute": distribute, "checkDistributionStatus": check_distribution_status}
