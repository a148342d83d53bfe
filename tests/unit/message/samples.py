"""Deliveries and files to begin from."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from io import BytesIO

from mm_soap.message import Attachment, Message, Party, SecureDelivery, new_attachment, new_message
from mm_soap.message.attachments import CALENDAR, PDF, WORD_97, WORD_DOCUMENT, WORD_TEMPLATE

KOMMUN_A = "162021004748"
KOMMUN_B = "162021003898"
RECIPIENT = "192705178354"

PDF_BYTES = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\n%%EOF\n"
WORD_97_BYTES = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
CALENDAR_BYTES = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"


def package(main_type: str, *, name: str = "[Content_Types].xml", listing: bytes | None = None) -> bytes:
    """A small Office Open XML file whose main part has this content type."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            name,
            listing
            or (
                b'<?xml version="1.0" encoding="UTF-8"?>'
                b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
                b'<Default Extension="xml" ContentType="application/xml"/>'
                b'<Override PartName="/word/document.xml" ContentType="' + main_type.encode() + b'"/></Types>'
            ),
        )
        archive.writestr("word/document.xml", "<document/>")
    return buffer.getvalue()


FILES = {
    PDF: PDF_BYTES,
    WORD_97: WORD_97_BYTES,
    WORD_DOCUMENT: package(f"{WORD_DOCUMENT}.main+xml"),
    WORD_TEMPLATE: package(f"{WORD_TEMPLATE}.main+xml"),
    CALENDAR: CALENDAR_BYTES,
}


def attachment(**changes: object) -> Attachment:
    return replace(new_attachment("beslut.pdf", PDF, PDF_BYTES), **changes)  # type: ignore[arg-type]


def message(**changes: object) -> Message:
    base = new_message("Beslut", text="Hej världen", attachments=[("beslut.pdf", PDF, PDF_BYTES)])
    return replace(base, **changes)  # type: ignore[arg-type]


def delivery(*messages: Message, **changes: object) -> SecureDelivery:
    base = SecureDelivery(Party(KOMMUN_A, "Kommun A"), RECIPIENT, messages or (message(),))
    return replace(base, **changes)  # type: ignore[arg-type]
