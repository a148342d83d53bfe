"""Between the dispatcher's model and the elements of the contract."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.dispatcher.model import Notified, Status
from mm_soap.errors import Refusal, Refused
from mm_soap.xml import (
    DSIG,
    MESSAGE_V1,
    MESSAGE_V3,
    NOTIFICATION_V3,
    SERVICE_V1,
    SERVICE_V3,
    parse_untrusted,
    qname,
    text_of,
)

NOTIFY_RESPONSE: Final = qname(SERVICE_V3, "notifyResponse")
NOTIFICATION_DELIVERY: Final = qname(NOTIFICATION_V3, "NotificationDelivery")
DELIVER_SECURE_RESPONSE: Final = qname(SERVICE_V3, "deliverSecureResponse")

# Some operators' software needs a prefix for the namespace of SealedDelivery in scope at the inner deliverSecure. The
# default namespace there is the one that was signed, so that a receiver who strips prefixes gets the signed form.
_REQUEST_START: Final = (
    f'<s:deliverSecure xmlns:s="{SERVICE_V3}" xmlns:m="{MESSAGE_V3}"><s:deliverSecure xmlns="{MESSAGE_V3}">'
).encode()
_REQUEST_END: Final = b"</s:deliverSecure></s:deliverSecure>"
_NOTIFY_START: Final = f'<s:notify xmlns:s="{SERVICE_V3}"><s:notify'.encode()
_NOTIFY_END: Final = b"</s:notify></s:notify>"
_CHANNEL: Final = qname(NOTIFICATION_V3, "NotifiedByChannel")
_RECIPIENT: Final = qname(MESSAGE_V1, "Recipient")


def deliver_secure_request(document: bytes, seal: bytes) -> bytes:
    """Return Service.deliverSecure with a SealedDelivery, under the name that it has on the wire.

    Args:
        document: the verified SignedDelivery.
        seal: what :func:`mm_soap.dsig.seal_for` made for it.
    """
    return b"".join((_REQUEST_START, document, seal, _REQUEST_END))


def read_delivery_result(answer: etree._Element, recipient: str) -> tuple[str, bool | None]:
    """Read the answer of Service.deliverSecure, which was validated.

    Returns:
        TransId, and whether it was delivered to ``recipient``; None if the answer does not name the recipient.
    """
    result = answer[0]
    trans_id = result.findtext(qname(SERVICE_V1, "TransId"), "").strip()
    for status in result.iterfind(qname(SERVICE_V1, "Status")):
        if status.findtext(qname(SERVICE_V1, "RecipientId"), "").strip() == recipient:
            return trans_id, status.findtext(qname(SERVICE_V1, "Delivered"), "").strip() in ("true", "1")
    return trans_id, None


def part_for(document: bytes, recipients: Collection[str]) -> bytes:
    """Return a NotificationDelivery for some of its recipients alone.

    Args:
        document: the notification as it was accepted, in canonical form.
        recipients: who stays. A recipient that was named twice stays once.
    """
    root = parse_untrusted(document)
    header = root[0]
    wanted = set(recipients)
    for element in list(header.iterchildren(_RECIPIENT)):
        recipient = text_of(element).strip()
        if recipient in wanted:
            wanted.remove(recipient)
        else:
            header.remove(element)
    return etree.tostring(root, method="c14n", exclusive=True)


def notify_request(document: bytes) -> bytes:
    """Return Service.notify with a NotificationDelivery, under the name that it has on the wire.

    Args:
        document: a NotificationDelivery without prefixes, in canonical form.
    """
    name = b"NotificationDelivery"
    attributes_and_content = document.removeprefix(b"<" + name).removesuffix(b"</" + name + b">")
    return b"".join((_NOTIFY_START, attributes_and_content, _NOTIFY_END))


def recipients_in(document: bytes) -> list[str]:
    """Return the recipients of a NotificationDelivery."""
    return [text_of(each).strip() for each in parse_untrusted(document)[0].iterchildren(_RECIPIENT)]


def read_notify_result(answer: etree._Element) -> tuple[str, dict[str, Notified]]:
    """Read the answer of Service.notify, which was validated.

    Returns:
        TransId, and what it says of each recipient.
    """
    result = answer[0]
    told: dict[str, Notified] = {}
    for status in result.iterfind(qname(NOTIFICATION_V3, "Status")):
        recipient, delivery_status = text_of(status[0]).strip(), status[1]
        delivered = text_of(delivery_status[0]).strip() in ("true", "1")
        channels = (
            tuple(sorted({text_of(each).strip() for each in delivery_status.iterchildren(_CHANNEL)}))
            if delivered
            else ()
        )
        told[recipient] = Notified(recipient, delivered, channels)
    return result.findtext(qname(NOTIFICATION_V3, "TransId"), "").strip(), told


def require_signature(payload: etree._Element) -> None:
    """Refuse a distributeSecure whose delivery has no signature, before the schema calls it something else.

    Raises:
        Refused: ``SIGNATURE_MISSING``.
    """
    delivery = payload.find(qname(MESSAGE_V3, "signedDelivery"))
    if delivery is not None and len(delivery) and delivery.find(qname(DSIG, "Signature")) is None:
        raise Refused(Refusal.SIGNATURE_MISSING)


def read_status_request(payload: etree._Element) -> tuple[str, str]:
    """Return sender and distribution id of a checkDistributionStatus."""
    return text_of(payload[0]).strip(), text_of(payload[1]).strip()


def distribute_secure_response(distribution_id: str) -> bytes:
    """Return the answer of distributeSecure."""
    return (
        f'<distributeSecureResponse xmlns="{MESSAGE_V3}"><return>{escape(distribution_id)}</return>'
        "</distributeSecureResponse>"
    ).encode()


def status_response(statuses: Sequence[Status]) -> bytes:
    """Return the answer of checkDistributionStatus."""
    rows = "".join(_row(one) for one in statuses)
    return f'<checkDistributionStatusResponse xmlns="{MESSAGE_V3}">{rows}</checkDistributionStatusResponse>'.encode()


def _row(status: Status) -> str:
    recipient = f'<RecipientId xmlns="{MESSAGE_V1}">{escape(status.recipient)}</RecipientId>'
    kind = f'<Type xmlns="{MESSAGE_V1}">{status.type}</Type>'
    told = status.delivery_status
    delivery_status = f'<DeliveryStatus xmlns="{MESSAGE_V1}">{told}</DeliveryStatus>' if told else ""
    return f"<return>{recipient}{kind}{delivery_status}</return>"


def distribute_response(distribution_id: str) -> bytes:
    """Return the answer of Notification.distribute."""
    return (
        f'<distributeResponse xmlns="{NOTIFICATION_V3}"><return>{escape(distribution_id)}</return></distributeResponse>'
    ).encode()


def notified_response(found: Sequence[Notified]) -> bytes:
    """Return the answer of Notification.checkDistributionStatus."""
    rows = "".join(
        f"<return><RecipientId>{escape(one.recipient)}</RecipientId><DeliveryStatus>"
        f"<DeliveredFlag>{'true' if one.delivered else 'false'}</DeliveredFlag>"
        + "".join(f"<NotifiedByChannel>{escape(channel)}</NotifiedByChannel>" for channel in one.channels)
        + "</DeliveryStatus></return>"
        for one in found
    )
    return (
        f'<checkDistributionStatusResponse xmlns="{NOTIFICATION_V3}">{rows}</checkDistributionStatusResponse>'
    ).encode()
