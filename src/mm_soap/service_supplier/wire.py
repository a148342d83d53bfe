"""Requests and answers of the Service service. The delivery itself is read by `mm_soap.message`."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier.model import DeliveryOutcome
from mm_soap.xml import DSIG, MESSAGE_V3, SERVICE_V1, SERVICE_V3, qname

_DELIVER_SECURE: Final = qname(SERVICE_V3, "deliverSecure")
_SIGNED_DELIVERY: Final = qname(MESSAGE_V3, "SignedDelivery")
_SIGNATURE: Final = qname(DSIG, "Signature")


def require_signatures(payload: etree._Element) -> None:
    """Check that a deliverSecure has its two signatures, before the schema calls a missing one something else.

    Raises:
        Refused: ``SIGNATURE_MISSING``.
    """
    sealed = payload.find(_DELIVER_SECURE)
    if sealed is None:
        return
    for element in (sealed, sealed.find(_SIGNED_DELIVERY)):
        if element is not None and len(element) and element.find(_SIGNATURE) is None:
            raise Refused(Refusal.SIGNATURE_MISSING)


def delivery_answer(outcome: DeliveryOutcome) -> bytes:
    """Return the answer of deliverSecure."""
    rows = "".join(
        f"<s:Status><s:RecipientId>{escape(recipient)}</s:RecipientId>"
        f"<s:Delivered>{'true' if delivered else 'false'}</s:Delivered></s:Status>"
        for recipient, delivered in outcome.delivered
    )
    return (
        f'<deliverSecureResponse xmlns="{SERVICE_V3}" xmlns:s="{SERVICE_V1}">'
        f"<return><s:TransId>{escape(outcome.trans_id)}</s:TransId>{rows}</return></deliverSecureResponse>"
    ).encode()
