"""From elements to deliveries with many recipients: notifications of class 1, and what a recipient forwards.

As in `mm_soap.message.wire`, the reader refuses too what the schema has checked before. Source of the names: the
contract's types NotificationDelivery of ``Notification/v3`` and ForwardDelivery of ``Service/v3``.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.message.elements import Children, names
from mm_soap.message.model import Email, Forwarding, Notification, Sms
from mm_soap.message.wire import read_body, read_message_parts, read_sender
from mm_soap.xml import MESSAGE_V1, NOTIFICATION_V2, NOTIFICATION_V3, SERVICE_V3, qname, text_of

MOST_RECIPIENTS: Final = 1000
"""How many recipients one delivery may have. Source: the contract's messages."""

_HEADER: Final = names(MESSAGE_V1, "Sender", "Recipient", "Reference", "CorrelationId", "Attention")
_NOTIFICATION: Final = names(NOTIFICATION_V3, "Header", "Message", "EmailMessage", "SmsMessage")
_MESSAGE: Final = names(NOTIFICATION_V3, "header", "body")
_CHANNEL: Final = names(NOTIFICATION_V2, "header", "text")
_EMAIL_HEADER: Final = names(NOTIFICATION_V2, "From", "Subject")
_SMS_HEADER: Final = names(NOTIFICATION_V2, "From")
_FORWARD: Final = names(SERVICE_V3, "Header", "Message", "OrginalDelivery", "MessageIdToForward")
_WORDS: Final = names(MESSAGE_V1, "Subject", "Body")
_RECIPIENT: Final = qname(MESSAGE_V1, "Recipient")


def require_few_recipients(payload: etree._Element) -> None:
    """Refuse a delivery with too many recipients, before the schema calls it something else.

    Source: contract, errors, 5005.

    Raises:
        Refused: ``TOO_MANY``.
    """
    for header in payload.iterfind("*/{*}Header"):
        if sum(1 for _ in header.iterchildren(_RECIPIENT)) > MOST_RECIPIENTS:
            raise Refused(Refusal.TOO_MANY)


def read_notification(root: etree._Element) -> Notification:
    """Read a NotificationDelivery, by whatever name it travels. A recipient that is named twice is taken once.

    Raises:
        Refused: ``SCHEMA_VIOLATION``, for an element that is missing, repeated or unknown, and for bad base64.
    """
    parts = Children(root, _NOTIFICATION, "")
    header = Children(parts.one("Header"), _HEADER, "Header")
    message = Children(parts.one("Message"), _MESSAGE, "Message")
    return Notification(
        sender=read_sender(header.one("Sender"), "Header/Sender"),
        recipients=_recipients(header),
        message=read_message_parts(message.one("header"), message.one("body"), "Message"),
        email=_email(parts.optional("EmailMessage")),
        sms=_sms(parts.optional("SmsMessage")),
        reference=header.optional_text("Reference"),
        correlation_id=header.optional_text("CorrelationId"),
        attention=header.optional_text("Attention"),
    )


def read_forwarding(root: etree._Element) -> Forwarding:
    """Read a ForwardDelivery without the delivery in it. A recipient that is named twice is taken once.

    Raises:
        Refused: ``SCHEMA_VIOLATION``, for an element that is missing, repeated or unknown, and for bad base64.
    """
    parts = Children(root, _FORWARD, "")
    header = Children(parts.one("Header"), _HEADER, "Header")
    words = Children(parts.one("Message"), _WORDS, "Message")
    content_type, body = read_body(words.one("Body"), "Message/Body")
    return Forwarding(
        sender=read_sender(header.one("Sender"), "Header/Sender"),
        recipients=_recipients(header),
        subject=words.text("Subject"),
        content_type=content_type,
        body=body,
        message_id=parts.optional_text("MessageIdToForward"),
        reference=header.optional_text("Reference"),
    )


def _recipients(header: Children) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text_of(each).strip() for each in header.all("Recipient")))


def _email(element: etree._Element | None) -> Email | None:
    if element is None:
        return None
    parts = Children(element, _CHANNEL, "EmailMessage")
    header = Children(parts.one("header"), _EMAIL_HEADER, "EmailMessage/header")
    return Email(header.text("From"), header.text("Subject"), parts.text("text"))


def _sms(element: etree._Element | None) -> Sms | None:
    if element is None:
        return None
    parts = Children(element, _CHANNEL, "SmsMessage")
    header = Children(parts.one("header"), _SMS_HEADER, "SmsMessage/header")
    return Sms(header.text("From"), parts.text("text"))
