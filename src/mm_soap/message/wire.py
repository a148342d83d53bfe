"""From a verified element to a delivery.

The reader takes nothing on trust that it does not need to: a missing, repeated or foreign element is refused here too,
although the schema has been checked before. Text is taken whole, never up to the first comment.
Source of the names: the contract's messages, "Namespaces inside a v3 sealed delivery".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

import pybase64
from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.message.model import (
    Attachment,
    Message,
    Metadata,
    OfficialMatter,
    Party,
    SecureDelivery,
    SupportInfo,
)
from mm_soap.xml import DSIG, MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, OFFICIAL_MATTER_V3, SENDER, qname

_XML_SPACE: Final = " \t\r\n"
_XML_SPACE_BYTES: Final = b" \t\r\n"
_DATE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")


def _names(namespace: str, *names: str) -> dict[str, str]:
    return {qname(namespace, name): name for name in names}


_ROOT: Final = qname(MESSAGE_V3, "SignedDelivery")
_SIGNED: Final = _names(MESSAGE_V3, "Delivery") | _names(DSIG, "Signature")
_DELIVERY: Final = _names(MESSAGE_V3, "Header", "Message")
_DELIVERY_HEADER: Final = _names(MESSAGE_V2, "Sender", "Recipient", "Reference", "CorrelationId", "Attention")
_SENDER: Final = _names(SENDER, "Id", "Name", "Attention")
_MESSAGE: Final = _names(MESSAGE_V3, "Header", "Body", "Attachment")
_MESSAGE_HEADER: Final = _names(
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
_SUPPORT: Final = _names(MESSAGE_V3, "Text", "URL", "PhoneNumber", "EmailAdress")
_METADATA: Final = _names(MESSAGE_V1, "Tag", "Value")
_BODY: Final = _names(MESSAGE_V1, "ContentType", "Body")
_ATTACHMENT: Final = _names(MESSAGE_V1, "ContentType", "Body", "Checksum", "Filename")
# The second name is that of the global element, which the schema's wildcard lets in at the same place.
_EXTENSIONS: Final = frozenset(
    {qname(MESSAGE_V3, "OfficialMatterExtension"), qname(OFFICIAL_MATTER_V3, "OfficialMatterExtension")}
)
_MATTER: Final = _names(OFFICIAL_MATTER_V3, "Timestamp", "Identity", "MatterSubject", "EventType", "MatterStatus")
_IDENTITY: Final = _names(OFFICIAL_MATTER_V3, "EventId", "OfficialMatterId", "PrecedingEventId")


def _violation(where: str) -> Refused:
    return Refused(Refusal.SCHEMA_VIOLATION, where)


class _Children:
    """The child elements of one element, by name."""

    __slots__ = ("_found", "_where")

    def __init__(self, element: etree._Element, names: Mapping[str, str], where: str, *, open_: bool = False) -> None:
        self._where = where
        self._found: dict[str, list[etree._Element]] = {}
        for child in element.iterchildren(etree.Element):
            name = names.get(child.tag)
            if name is not None:
                self._found.setdefault(name, []).append(child)
            elif not open_:
                raise _violation(where)

    def _place(self, name: str) -> str:
        return f"{self._where}/{name}" if self._where else name

    def all(self, name: str) -> list[etree._Element]:
        return self._found.get(name, [])

    def optional(self, name: str) -> etree._Element | None:
        found = self._found.get(name)
        if found is None:
            return None
        if len(found) != 1:
            raise _violation(self._place(name))
        return found[0]

    def one(self, name: str) -> etree._Element:
        found = self.optional(name)
        if found is None:
            raise _violation(self._place(name))
        return found

    def text(self, name: str) -> str:
        return _text(self.one(name), self._where, name)

    def optional_text(self, name: str) -> str | None:
        found = self.optional(name)
        return None if found is None else _text(found, self._where, name)

    def collapsed(self, name: str) -> str | None:
        # For the schema's types whose white space is collapsed: xs:language, xs:anyURI, xs:date.
        text = self.optional_text(name)
        return None if text is None else text.strip(_XML_SPACE)

    def binary(self, name: str) -> bytes:
        content = decode_base64(self.text(name))
        if content is None:
            raise _violation(self._place(name))
        return content


def _text(element: etree._Element, where: str, name: str) -> str:
    if len(element) == 0:
        return element.text or ""
    if next(element.iterchildren(etree.Element), None) is not None:
        raise _violation(f"{where}/{name}" if where else name)
    return "".join(str(part) for part in element.itertext())


def decode_base64(text: str) -> bytes | None:
    """Decode an ``xs:base64Binary``: XML white space may stand anywhere. None for anything else that is wrong.

    Padding must be there, and the bits that it leaves over must be zero, as the type demands.
    """
    try:
        # Most senders write one line, and the plain decoder is several times faster than the one that skips.
        return pybase64.b64decode(text, validate=True, canonical=True)
    except ValueError:
        pass
    try:
        return pybase64.b64decode(text, validate=True, canonical=True, ignorechars=_XML_SPACE_BYTES)
    except ValueError:
        return None


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
        raise _violation("SignedDelivery")
    delivery = _Children(_Children(root, _SIGNED, "").one("Delivery"), _DELIVERY, "")
    header = _Children(delivery.one("Header"), _DELIVERY_HEADER, "Header")
    sender = _Children(header.one("Sender"), _SENDER, "Header/Sender")
    messages = tuple(
        _read_message(element, f"Message[{number}]") for number, element in enumerate(delivery.all("Message"), start=1)
    )
    if not messages:
        raise _violation("Message")
    return SecureDelivery(
        sender=Party(sender.text("Id"), sender.text("Name"), sender.optional_text("Attention")),
        recipient=header.text("Recipient"),
        messages=messages,
        reference=header.optional_text("Reference"),
        correlation_id=header.optional_text("CorrelationId"),
        attention=header.optional_text("Attention"),
    )


def _read_message(element: etree._Element, where: str) -> Message:
    parts = _Children(element, _MESSAGE, where)
    header = _Children(parts.one("Header"), _MESSAGE_HEADER, f"{where}/Header")
    support = _Children(header.one("Supportinfo"), _SUPPORT, f"{where}/Header/Supportinfo")
    body = _Children(parts.one("Body"), _BODY, f"{where}/Body")
    language = header.collapsed("Language")
    if language is None:
        raise _violation(f"{where}/Header/Language")
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
        content_type=body.text("ContentType"),
        body=body.binary("Body"),
        attachments=tuple(
            _read_attachment(attachment, f"{where}/Attachment[{number}]")
            for number, attachment in enumerate(parts.all("Attachment"), start=1)
        ),
        metadata=tuple(
            _read_metadata(entry, f"{where}/Header/Metadata[{number}]")
            for number, entry in enumerate(header.all("Metadata"), start=1)
        ),
        official_matter=None if matter is None else _read_matter(matter, f"{where}/Header/OfficialMatter"),
        reply=header.optional_text("Reply"),
        receipt_request=header.optional_text("ReceiptRequest"),
    )


def _read_attachment(element: etree._Element, where: str) -> Attachment:
    parts = _Children(element, _ATTACHMENT, where)
    return Attachment(
        content_type=parts.text("ContentType"),
        body=parts.binary("Body"),
        checksum=parts.text("Checksum"),
        filename=parts.text("Filename"),
    )


def _read_metadata(element: etree._Element, where: str) -> Metadata:
    parts = _Children(element, _METADATA, where)
    return Metadata(tag=parts.text("Tag"), value=parts.text("Value"))


def _read_matter(element: etree._Element, where: str) -> OfficialMatter | None:
    extensions = [child for child in element.iterchildren(etree.Element) if child.tag in _EXTENSIONS]
    if not extensions:
        # Elements of namespaces that sender and recipient agreed on; they stay in the bytes that are kept.
        return None
    if len(extensions) != 1:
        raise _violation(where)
    parts = _Children(extensions[0], _MATTER, where, open_=True)
    event_id, matter_id, preceding_id = _read_identity(parts.optional("Identity"), f"{where}/Identity")
    return OfficialMatter(
        timestamp=_read_date(parts.collapsed("Timestamp"), f"{where}/Timestamp"),
        event_id=event_id,
        official_matter_id=matter_id,
        preceding_event_id=preceding_id,
        matter_subject=parts.optional_text("MatterSubject"),
        event_type=parts.optional_text("EventType"),
        matter_status=parts.optional_text("MatterStatus"),
    )


def _read_identity(element: etree._Element | None, where: str) -> tuple[str | None, str | None, str | None]:
    if element is None:
        return None, None, None
    parts = _Children(element, _IDENTITY, where)
    return (
        parts.optional_text("EventId"),
        parts.optional_text("OfficialMatterId"),
        parts.optional_text("PrecedingEventId"),
    )


def _read_date(text: str | None, where: str) -> date:
    match = _DATE.fullmatch(text or "")
    try:
        return date.fromisoformat(match.group(1) if match else "")
    except ValueError:
        raise _violation(where) from None
