"""From a delivery to the element that is signed.

The element is written in default-namespace form, without any prefix: the form in which every way of computing the
digest agrees. Source: the contract's signing, "The digest input".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, cast
from uuid import uuid4

import pybase64
from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.message.model import (
    Attachment,
    Message,
    Metadata,
    Notification,
    OfficialMatter,
    Party,
    SecureDelivery,
    SupportInfo,
)
from mm_soap.xml import (
    MESSAGE_V1,
    MESSAGE_V2,
    MESSAGE_V3,
    NOTIFICATION_V2,
    NOTIFICATION_V3,
    OFFICIAL_MATTER_V3,
    SENDER,
    qname,
)

PLAIN_TEXT: Final = "text/plain"
HTML: Final = "text/html"


def new_message(
    subject: str,
    *,
    text: str | None = None,
    html: str | None = None,
    attachments: Iterable[tuple[str, str, bytes]] = (),
    language: str = "svSE",
    support: SupportInfo | None = None,
    metadata: Iterable[Metadata] = (),
    official_matter: OfficialMatter | None = None,
    message_id: str | None = None,
) -> Message:
    """Make a message with its id and the checksums of its attachments.

    Args:
        subject: at most 255 characters.
        text: an unformatted body; or
        html: a body in HTML. Give one of the two.
        attachments: file name, content type and bytes of each file.
        language: real senders write ``svSE``.
        support: where the recipient turns with questions.
        metadata: names and values for systems.
        official_matter: the case that the message belongs to.
        message_id: the MessageHeader.Id; a new UUID without it.

    Raises:
        ValueError: both or none of ``text`` and ``html`` were given.
    """
    body = html if text is None else text
    if body is None or (text is not None and html is not None):
        raise ValueError("give either text or html")
    return Message(
        id=message_id or str(uuid4()),
        subject=subject,
        support=SupportInfo() if support is None else support,
        language=language,
        content_type=HTML if text is None else PLAIN_TEXT,
        body=body.encode("utf-8"),
        attachments=tuple(new_attachment(name, content_type, content) for name, content_type, content in attachments),
        metadata=tuple(metadata),
        official_matter=official_matter,
    )


def new_attachment(filename: str, content_type: str, content: bytes) -> Attachment:
    """Make an attachment with its checksum, the MD5 of the bytes in hexadecimal."""
    checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Attachment(content_type=content_type, body=content, checksum=checksum, filename=filename)


def build_delivery(delivery: SecureDelivery) -> etree._Element:
    """Write a delivery as ``{S/Message/v3}SignedDelivery`` without its Signature, ready to be signed.

    No rule is checked; ``check_delivery`` does that. The serialised element has no prefix.

    Raises:
        Refused: ``RULE_BROKEN``, if a text has a character that XML cannot hold. ``where`` names the element.
    """
    root = etree.Element(qname(MESSAGE_V3, "SignedDelivery"), nsmap=_default(MESSAGE_V3))
    body = _add(root, MESSAGE_V3, "Delivery")
    header = _add(body, MESSAGE_V3, "Header")
    _add_sender(header, MESSAGE_V2, delivery.sender)
    _add(header, MESSAGE_V2, "Recipient", delivery.recipient)
    _add_optional(header, MESSAGE_V2, "Reference", delivery.reference)
    _add_optional(header, MESSAGE_V2, "CorrelationId", delivery.correlation_id)
    _add_optional(header, MESSAGE_V2, "Attention", delivery.attention)
    for message in delivery.messages:
        _add_message(body, message)
    return root


def build_notification(notification: Notification) -> etree._Element:
    """Write a notification as ``{S/Notification/v3}NotificationDelivery``. It is not signed.

    No rule is checked; ``check_notification`` does that. The serialised element has no prefix.

    Raises:
        Refused: ``RULE_BROKEN``, if a text has a character that XML cannot hold. ``where`` names the element.
    """
    root = etree.Element(qname(NOTIFICATION_V3, "NotificationDelivery"), nsmap=_default(NOTIFICATION_V3))
    header = _add(root, NOTIFICATION_V3, "Header")
    _add_sender(header, MESSAGE_V1, notification.sender)
    for recipient in notification.recipients:
        _add(header, MESSAGE_V1, "Recipient", recipient)
    _add_optional(header, MESSAGE_V1, "Reference", notification.reference)
    _add_optional(header, MESSAGE_V1, "CorrelationId", notification.correlation_id)
    _add_optional(header, MESSAGE_V1, "Attention", notification.attention)
    message = _add(root, NOTIFICATION_V3, "Message")
    _add_message_header(_add(message, NOTIFICATION_V3, "header"), notification.message)
    _add_body(_add(message, NOTIFICATION_V3, "body"), notification.message)
    if notification.email is not None:
        element = _add(root, NOTIFICATION_V3, "EmailMessage")
        inside = _add(element, NOTIFICATION_V2, "header")
        _add(inside, NOTIFICATION_V2, "From", notification.email.sender)
        _add(inside, NOTIFICATION_V2, "Subject", notification.email.subject)
        _add(element, NOTIFICATION_V2, "text", notification.email.text)
    if notification.sms is not None:
        element = _add(root, NOTIFICATION_V3, "SmsMessage")
        _add(_add(element, NOTIFICATION_V2, "header"), NOTIFICATION_V2, "From", notification.sms.sender)
        _add(element, NOTIFICATION_V2, "text", notification.sms.text)
    return root


def _default(namespace: str) -> dict[str, str]:
    # lxml takes None for the default namespace; its type stubs know of names alone.
    return cast("dict[str, str]", {None: namespace})


def _add(parent: etree._Element, namespace: str, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, qname(namespace, name), nsmap=_default(namespace))
    if text is not None:
        try:
            element.text = text
        except ValueError:
            raise Refused(Refusal.RULE_BROKEN, name) from None
    return element


def _add_optional(parent: etree._Element, namespace: str, name: str, text: str | None) -> None:
    if text is not None:
        _add(parent, namespace, name, text)


def _add_sender(header: etree._Element, namespace: str, sender: Party) -> None:
    element = _add(header, namespace, "Sender")
    _add(element, SENDER, "Id", sender.id)
    _add(element, SENDER, "Name", sender.name)
    _add_optional(element, SENDER, "Attention", sender.attention)


def _add_message(parent: etree._Element, message: Message) -> None:
    element = _add(parent, MESSAGE_V3, "Message")
    _add_message_header(_add(element, MESSAGE_V3, "Header"), message)
    _add_body(_add(element, MESSAGE_V3, "Body"), message)
    for file in message.attachments:
        attachment = _add(element, MESSAGE_V3, "Attachment")
        _add(attachment, MESSAGE_V1, "ContentType", file.content_type)
        _add(attachment, MESSAGE_V1, "Body", pybase64.b64encode_as_string(file.body))
        _add(attachment, MESSAGE_V1, "Checksum", file.checksum)
        _add(attachment, MESSAGE_V1, "Filename", file.filename)


def _add_message_header(header: etree._Element, message: Message) -> None:
    _add(header, MESSAGE_V3, "Id", message.id)
    _add(header, MESSAGE_V3, "Subject", message.subject)
    _add_support(header, message.support)
    if message.official_matter is not None:
        _add_matter(header, message.official_matter)
    for entry in message.metadata:
        metadata = _add(header, MESSAGE_V3, "Metadata")
        _add(metadata, MESSAGE_V1, "Tag", entry.tag)
        _add(metadata, MESSAGE_V1, "Value", entry.value)
    _add(header, MESSAGE_V3, "Language", message.language)
    _add_optional(header, MESSAGE_V3, "Reply", message.reply)
    _add_optional(header, MESSAGE_V3, "ReceiptRequest", message.receipt_request)


def _add_body(element: etree._Element, message: Message) -> None:
    _add(element, MESSAGE_V1, "ContentType", message.content_type)
    _add(element, MESSAGE_V1, "Body", pybase64.b64encode_as_string(message.body))


def _add_support(header: etree._Element, support: SupportInfo) -> None:
    element = _add(header, MESSAGE_V3, "Supportinfo")
    _add(element, MESSAGE_V3, "Text", support.text)
    _add_optional(element, MESSAGE_V3, "URL", support.url)
    _add_optional(element, MESSAGE_V3, "PhoneNumber", support.phone_number)
    _add_optional(element, MESSAGE_V3, "EmailAdress", support.email_address)


def _add_matter(header: etree._Element, matter: OfficialMatter) -> None:
    element = _add(_add(header, MESSAGE_V3, "OfficialMatter"), MESSAGE_V3, "OfficialMatterExtension")
    _add(element, OFFICIAL_MATTER_V3, "Timestamp", matter.timestamp.isoformat())
    identities = (
        ("EventId", matter.event_id),
        ("OfficialMatterId", matter.official_matter_id),
        ("PrecedingEventId", matter.preceding_event_id),
    )
    if any(value is not None for _, value in identities):
        identity = _add(element, OFFICIAL_MATTER_V3, "Identity")
        for name, value in identities:
            _add_optional(identity, OFFICIAL_MATTER_V3, name, value)
    _add_optional(element, OFFICIAL_MATTER_V3, "MatterSubject", matter.matter_subject)
    _add_optional(element, OFFICIAL_MATTER_V3, "EventType", matter.event_type)
    _add_optional(element, OFFICIAL_MATTER_V3, "MatterStatus", matter.matter_status)
