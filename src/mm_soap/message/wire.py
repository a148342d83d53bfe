"""From a verified element to a delivery.

The reader takes nothing on trust that it does not need to: a missing, repeated or foreign element is refused here too,
although the schema has been checked before. Text is taken whole, never up to the first comment.
Source of the names: the contract's messages, "Namespaces inside a v3 sealed delivery".
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from mm_soap.message.elements import Children, names, violation
from mm_soap.message.matters import read_matter
from mm_soap.message.model import (
    Attachment,
    Message,
    Metadata,
    Party,
    SecureDelivery,
    SupportInfo,
)
from mm_soap.xml import DSIG, MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, SENDER, qname

_ROOT: Final = qname(MESSAGE_V3, "SignedDelivery")
_SIGNED: Final = names(MESSAGE_V3, "Delivery") | names(DSIG, "Signature")
_DELIVERY: Final = names(MESSAGE_V3, "Header", "Message")
_DELIVERY_HEADER: Final = names(MESSAGE_V2, "Sender", "Recipient", "Reference", "CorrelationId", "Attention")
_SENDER: Final = names(SENDER, "Id", "Name", "Attention")
_MESSAGE: Final = names(MESSAGE_V3, "Header", "Body", "Attachment")
_MESSAGE_HEADER: Final = names(
    MESSAGE_V3,
    "Id",
    "Subject",
    "Supportinfo",
    "OfficialMatter",
    "Metadata",
    "Language",
    "Reply",
    "ReceiptRequest",
)
_SUPPORT: Final = names(MESSAGE_V3, "Text", "URL", "PhoneNumber", "EmailAdress")
_METADATA: Final = names(MESSAGE_V1, "Tag", "Value")
_BODY: Final = names(MESSAGE_V1, "ContentType", "Body")
_ATTACHMENT: Final = names(MESSAGE_V1, "ContentType", "Body", "Checksum", "Filename")


def read_delivery(root: etree._Element) -> SecureDelivery:
    """Read the verified ``{S/Message/v3}SignedDelivery``, with or without its Signature.

    Args:
        root: the element that the signature was verified on. It is not changed.

    Returns:
        The delivery, with bodies and attachments decoded. No rule of messages is checked here.

    Raises:
        Refused: ``SCHEMA_VIOLATION``, for an element that is missing, repeated or unknown, and for bad base64.
    """
    if root.tag != _ROOT:
        raise violation("SignedDelivery")
    delivery = Children(Children(root, _SIGNED, "").one("Delivery"), _DELIVERY, "")
    header = Children(delivery.one("Header"), _DELIVERY_HEADER, "Header")
    messages = tuple(
        _read_message(element, f"Message[{number}]") for number, element in enumerate(delivery.all("Message"), start=1)
    )
    if not messages:
        raise violation("Message")
    return SecureDelivery(
        sender=read_sender(header.one("Sender"), "Header/Sender"),
        recipient=header.text("Recipient"),
        messages=messages,
        reference=header.optional_text("Reference"),
        correlation_id=header.optional_text("CorrelationId"),
        attention=header.optional_text("Attention"),
    )


def _read_message(element: etree._Element, where: str) -> Message:
    parts = Children(element, _MESSAGE, where)
    attachments = tuple(
        _read_attachment(attachment, f"{where}/Attachment[{number}]")
        for number, attachment in enumerate(parts.all("Attachment"), start=1)
    )
    return read_message_parts(parts.one("Header"), parts.one("Body"), where, attachments)


def read_message_parts(
    header_element: etree._Element, body_element: etree._Element, where: str, attachments: tuple[Attachment, ...] = ()
) -> Message:
    """Return a message from its header and its body, whatever the elements around them are called.

    Raises:
        Refused: ``SCHEMA_VIOLATION``.
    """
    header = Children(header_element, _MESSAGE_HEADER, f"{where}/Header")
    support = Children(header.one("Supportinfo"), _SUPPORT, f"{where}/Header/Supportinfo")
    content_type, body = read_body(body_element, f"{where}/Body")
    language = header.collapsed("Language")
    if language is None:
        raise violation(f"{where}/Header/Language")
    matter = header.optional("OfficialMatter")
    return Message(
        id=header.text("Id"),
        subject=header.text("Subject"),
        support=SupportInfo(
            text=support.text("Text"),
            url=support.collapsed("URL"),
            phone_number=support.optional_text("PhoneNumber"),
            email_address=support.optional_text("EmailAdress"),
        ),
        language=language,
        content_type=content_type,
        body=body,
        attachments=attachments,
        metadata=tuple(
            _read_metadata(entry, f"{where}/Header/Metadata[{number}]")
            for number, entry in enumerate(header.all("Metadata"), start=1)
        ),
        official_matter=None if matter is None else read_matter(matter, f"{where}/Header/OfficialMatter"),
        reply=header.optional_text("Reply"),
        receipt_request=header.optional_text("ReceiptRequest"),
    )


def read_body(element: etree._Element, where: str) -> tuple[str, bytes]:
    """Return ContentType and the decoded text of a MessageBody."""
    body = Children(element, _BODY, where)
    return body.text("ContentType"), body.binary("Body")


def read_sender(element: etree._Element, where: str) -> Party:
    """Return the sender of a delivery's header."""
    sender = Children(element, _SENDER, where)
    return Party(sender.text("Id"), sender.text("Name"), sender.optional_text("Attention"))


def _read_attachment(element: etree._Element, where: str) -> Attachment:
    parts = Children(element, _ATTACHMENT, where)
    return Attachment(
        content_type=parts.text("ContentType"),
        body=parts.binary("Body"),
        checksum=parts.text("Checksum"),
        filename=parts.text("Filename"),
    )


def _read_metadata(element: etree._Element, where: str) -> Metadata:
    parts = Children(element, _METADATA, where)
    return Metadata(tag=parts.text("Tag"), value=parts.text("Value"))
