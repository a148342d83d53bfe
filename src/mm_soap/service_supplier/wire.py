"""Requests and answers of the Service service. The delivery itself is read by `mm_soap.message`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.message import require_few_recipients
from mm_soap.service_supplier.model import DeliveryOutcome, Told
from mm_soap.xml import DSIG, MESSAGE_V3, NOTIFICATION_V3, SERVICE_V1, SERVICE_V3, qname

_DELIVER_SECURE: Final = qname(SERVICE_V3, "deliverSecure")
_FORWARD_MESSAGE: Final = qname(SERVICE_V3, "forwardMessage")
ORIGINAL_DELIVERY: Final = qname(SERVICE_V3, "OrginalDelivery")
"""The misspelling is the contract's."""
NOTIFICATION_DELIVERY: Final = qname(NOTIFICATION_V3, "NotificationDelivery")
FORWARD_DELIVERY: Final = qname(SERVICE_V3, "ForwardDelivery")
_SIGNED_DELIVERY: Final = qname(MESSAGE_V3, "SignedDelivery")
_SIGNATURE: Final = qname(DSIG, "Signature")


def require_signatures(payload: etree._Element) -> None:
    """Check that a deliverSecure has its two signatures, before the schema calls a missing one something else.

    Raises:
        Refused: ``SIGNATURE_MISSING``.
    """
    _require_signatures(payload.find(_DELIVER_SECURE))


def require_forwarded(payload: etree._Element) -> None:
    """Check that the delivery in a deliverForward has its two signatures, and that the recipients are not too many.

    Raises:
        Refused: ``SIGNATURE_MISSING`` or ``TOO_MANY``.
    """
    require_few_recipients(payload)
    _require_signatures(payload.find(f"{_FORWARD_MESSAGE}/{ORIGINAL_DELIVERY}"))


def _require_signatures(sealed: etree._Element | None) -> None:
    if sealed is None:
        return
    for element in (sealed, sealed.find(_SIGNED_DELIVERY)):
        if element is not None and len(element) and element.find(_SIGNATURE) is None:
            raise Refused(Refusal.SIGNATURE_MISSING)


def delivery_answer(outcome: DeliveryOutcome, operation: str = "deliverSecure") -> bytes:
    """Return the answer of deliverSecure or of deliverForward."""
    rows = "".join(
        f"<s:Status><s:RecipientId>{escape(recipient)}</s:RecipientId>"
        f"<s:Delivered>{'true' if delivered else 'false'}</s:Delivered></s:Status>"
        for recipient, delivered in outcome.delivered
    )
    return (
        f'<{operation}Response xmlns="{SERVICE_V3}" xmlns:s="{SERVICE_V1}">'
        f"<return><s:TransId>{escape(outcome.trans_id)}</s:TransId>{rows}</return></{operation}Response>"
    ).encode()


def notify_answer(trans_id: str, told: Sequence[Told]) -> bytes:
    """Return the answer of notify."""
    rows = "".join(
        f"<n:Status><n:RecipientId>{escape(one.recipient)}</n:RecipientId><n:DeliveryStatus>"
        f"<n:DeliveredFlag>{'true' if one.delivered else 'false'}</n:DeliveredFlag>"
        + "".join(f"<n:NotifiedByChannel>{escape(channel)}</n:NotifiedByChannel>" for channel in one.channels)
        + "</n:DeliveryStatus></n:Status>"
        for one in told
    )
    return (
        f'<notifyResponse xmlns="{SERVICE_V3}" xmlns:n="{NOTIFICATION_V3}">'
        f"<return><n:TransId>{escape(trans_id)}</n:TransId>{rows}</return></notifyResponse>"
    ).encode()
