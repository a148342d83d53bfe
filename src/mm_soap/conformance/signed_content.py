"""What a message may hold and what it may not, for every role that gets a signed delivery. Source: messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, TypeVar

from mm_soap.conformance.signed import Bench, a_message
from mm_soap.message import Message, Metadata, OfficialMatter, SupportInfo, new_attachment
from mm_soap.message.attachments import CALENDAR, PDF, WORD_97, WORD_DOCUMENT
from mm_soap.testing import documents

B = TypeVar("B", bound=Bench)
Unsigned = Callable[[Bench], bytes]

RULES: Final = "messages.md, How a message must look"
LIMIT: Final = 2_097_152

_FILE: Final = documents.one_page_pdf("Prov", "Ett prov.")
_PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
_TEMPLATE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml-template"


@dataclass(frozen=True)
class Content:
    """A delivery that is signed as it should be, with something about its content."""

    name: str
    title: str
    make: Unsigned
    remedy: str
    codes: tuple[int, ...] = ()
    """With which it is refused; accepted without them."""
    rule: str = RULES
    http: tuple[int, ...] = ()
    """Statuses that will do without a fault."""


def with_message(message: Callable[[], Message]) -> Unsigned:
    """Make a delivery of a message that is new each time."""
    return lambda bench: bench.unsigned(message())


def with_file(content_type: str = PDF, content: bytes = _FILE, name: str = "prov.pdf") -> Unsigned:
    """Make a delivery with an attachment, its checksum right."""
    return lambda bench: bench.unsigned(a_message(attachments=[(name, content_type, content)]))


def with_checksum(change: Callable[[str], str]) -> Unsigned:
    """Make a delivery with an attachment whose checksum was changed."""
    file = new_attachment("prov.pdf", PDF, _FILE)
    changed = replace(file, checksum=change(file.checksum))
    return lambda bench: bench.unsigned(replace(a_message(), attachments=(changed,)))


def with_html(inside: str) -> Unsigned:
    """Make a delivery with something in an HTML body."""
    return with_message(lambda: a_message(html=f"<html><body><p>Ett prov.</p>{inside}</body></html>"))


def with_body_type(content_type: str) -> Unsigned:
    """Make a delivery whose body has another ContentType."""
    return with_message(lambda: replace(a_message(), content_type=content_type))


def with_support(**values: str) -> Unsigned:
    """Make a delivery with these values in Supportinfo."""
    return with_message(lambda: a_message(support=SupportInfo(**values)))


def edited(pattern: str, new: str) -> Unsigned:
    """Change the document itself, where the model could not say it."""

    def made(bench: Bench) -> bytes:
        document, count = re.subn(pattern.encode(), new.encode(), bench.unsigned(), count=1)
        assert count, pattern
        return document

    return made


def of_size(size: int) -> Unsigned:
    """Make a delivery of a message with so many decoded bytes."""

    def made(bench: Bench) -> bytes:
        message = a_message()
        filling = size - len(message.body) - len(_FILE)
        return bench.unsigned(replace(message, attachments=(new_attachment("prov.pdf", PDF, _FILE + b" " * filling),)))

    return made


def _matter() -> Message:
    matter = OfficialMatter(date(2026, 1, 2), "handelse-1", "arende-1", "handelse-0", "Prov", "Beslut", "closed")
    return a_message(official_matter=matter, metadata=[Metadata("tagg", "varde")])


SIZE: Final = "Count the decoded bytes of body and attachments; refuse what is over 2 097 152, and nothing below."
KINDS: Final = "Accept each of the content types of the contract, and check the bytes against the type."
HARMLESS: Final = "Refuse HTML bodies with scripts, active content or remote images; images in data URIs are allowed."

ACCEPTED: Final = (
    Content("text", "A message in plain text is accepted.", with_message(a_message), "Accept text/plain in UTF-8."),
    Content("html", "A message in HTML is accepted.", with_html("<ul><li>å</li></ul>"), "Accept text/html in UTF-8."),
    Content(
        "inlined-image", "An image inlined as a data URI is accepted.", with_html(f'<img src="{_PIXEL}">'), HARMLESS
    ),
    Content("pdf", "A PDF attachment is accepted.", with_file(), KINDS),
    Content(
        "word-97",
        "A Word 97 attachment is accepted.",
        with_file(WORD_97, bytes.fromhex("d0cf11e0a1b11ae1") + bytes(1528), "prov.doc"),
        KINDS,
    ),
    Content(
        "word",
        "A Word attachment is accepted.",
        with_file(WORD_DOCUMENT, documents.word_document("Prov"), "prov.docx"),
        KINDS,
    ),
    Content(
        "word-template",
        "A Word template is accepted, its type written with -template.",
        with_file(_TEMPLATE, documents.word_document("Prov", template=True), "prov.dotx"),
        KINDS,
    ),
    Content(
        "calendar", "A calendar attachment is accepted.", with_file(CALENDAR, documents.CALENDAR, "prov.ics"), KINDS
    ),
    Content(
        "upper-case-checksum",
        "A checksum in upper case is accepted.",
        with_checksum(str.upper),
        "Compare checksums without regard to case.",
    ),
    Content(
        "two-messages",
        "A delivery of two messages is accepted.",
        lambda bench: bench.unsigned(a_message(), a_message("Ett andra prov")),
        "Accept one to any number of messages in a delivery.",
    ),
    Content(
        "official-matter",
        "A message in an official matter is accepted.",
        with_message(_matter),
        "Accept the optional elements of the header.",
        rule="messages.md, Official matters",
    ),
    Content(
        "header",
        "Reference of 50 characters, CorrelationId and Attention are accepted.",
        lambda bench: bench.unsigned(reference="r" * 50, correlation_id="k-1", attention="Prov"),
        "Accept the optional elements of the delivery's header.",
    ),
    Content(
        "subject-255",
        "A Subject of 255 characters is accepted.",
        with_message(lambda: a_message("å" * 255)),
        "Count characters, not bytes.",
    ),
    Content(
        "megabyte",
        "A body of one megabyte is accepted.",
        with_message(lambda: a_message(text="Hej hej! " * 116_000)),
        SIZE,
    ),
    Content("at-limit", "A message of exactly 2 097 152 bytes is accepted.", of_size(LIMIT), SIZE),
)
"""Deliveries that must be accepted."""
