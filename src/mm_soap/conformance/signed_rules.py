"""Messages that must be refused for what they hold, for every role that gets a signed delivery. Source: messages."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from mm_soap.conformance.model import Cases
from mm_soap.conformance.signed import Bench, a_message, add, refused
from mm_soap.conformance.signed_content import (
    ACCEPTED,
    HARMLESS,
    LIMIT,
    SIZE,
    B,
    Content,
    edited,
    of_size,
    with_body_type,
    with_checksum,
    with_file,
    with_html,
    with_message,
    with_support,
)
from mm_soap.message.attachments import PDF
from mm_soap.xml import MESSAGE_V2, MESSAGE_V3

TOO_LARGE: Final = 413
CONTENT_TYPES: Final = (5019,)
BAD_INPUT: Final = (5001,)
NAMESPACES: Final = "messages.md, Namespaces inside a v3 sealed delivery"
IDENTIFIERS: Final = "messages.md, Identifiers"
_FORMATS: Final = "Refuse content types and bytes outside the contract's list with code 5019."
_LENGTHS: Final = "Check the lengths of the contract, those too that the schema leaves open."
_SCHEMA: Final = "Validate the verified document against the schema, and answer 5001."
REFUSED: Final = (
    Content(
        "over-limit",
        "A message of one byte more than 2 097 152 is refused with 5005.",
        of_size(LIMIT + 1),
        SIZE,
        (5005,),
        http=(TOO_LARGE,),
    ),
    Content(
        "bad-checksum",
        "A wrong checksum is refused with 5001.",
        with_checksum(lambda right: right[::-1]),
        "Compare Checksum with the MD5 of the decoded bytes.",
        BAD_INPUT,
    ),
    Content(
        "body-type",
        "A body of another type than text and HTML is refused with 5019.",
        with_body_type("application/xml"),
        _FORMATS,
        CONTENT_TYPES,
    ),
    Content(
        "attachment-type",
        "An attachment of a type that is not listed is refused with 5019.",
        with_file("image/png", b"\x89PNG\r\n\x1a\n", "prov.png"),
        _FORMATS,
        CONTENT_TYPES,
    ),
    Content(
        "attachment-bytes",
        "An attachment that is not what its type says is refused with 5019 or 5001.",
        with_file(PDF, b"MZ" + bytes(200)),
        _FORMATS,
        (5019, 5001),
    ),
    Content(
        "script",
        "HTML with a script is refused with 5001.",
        with_html("<script>alert(1)</script>"),
        HARMLESS,
        BAD_INPUT,
    ),
    Content(
        "event",
        "HTML with an event handler is refused with 5001.",
        with_html('<p onclick="alert(1)">x</p>'),
        HARMLESS,
        BAD_INPUT,
    ),
    Content(
        "remote-image",
        "HTML with a remote image is refused with 5001.",
        with_html('<img src="http://example.invalid/a.png">'),
        HARMLESS,
        BAD_INPUT,
    ),
    Content(
        "not-utf-8",
        "A body that is not UTF-8 is refused with 5001.",
        with_message(lambda: replace(a_message(), body="å".encode("latin-1"))),
        "Decode the body as UTF-8, strictly.",
        BAD_INPUT,
    ),
    Content(
        "not-base64",
        "A body that is not base64 is refused with 5001.",
        edited(r"(<Body [^>]*>)[A-Za-z0-9+/=]+<", r"\1%%%<"),
        _SCHEMA,
        BAD_INPUT,
    ),
    Content(
        "subject-256",
        "A Subject of 256 characters is refused with 5001.",
        with_message(lambda: a_message("å" * 256)),
        _LENGTHS,
        BAD_INPUT,
    ),
    Content(
        "reference-51",
        "A Reference of 51 characters is refused with 5001.",
        lambda bench: bench.unsigned(reference="r" * 51),
        _LENGTHS,
        BAD_INPUT,
    ),
    Content(
        "support-text",
        "A support text of 1025 characters is refused with 5001.",
        with_support(text="t" * 1025),
        _LENGTHS,
        BAD_INPUT,
    ),
    Content(
        "support-phone",
        "A support number of 256 characters is refused with 5001.",
        with_support(phone_number="1" * 256),
        _LENGTHS,
        BAD_INPUT,
    ),
    Content(
        "support-address",
        "A support address of four characters is refused with 5001.",
        with_support(email_address="a@b."),
        _LENGTHS,
        BAD_INPUT,
    ),
    Content(
        "recipient-11-digits",
        "A recipient of 11 digits is refused with 5001.",
        lambda bench: bench.unsigned(recipient="19270517835"),
        _SCHEMA,
        BAD_INPUT,
        IDENTIFIERS,
    ),
    Content(
        "recipient-date",
        "A recipient born in a thirteenth month is refused with 5001.",
        lambda bench: bench.unsigned(recipient="192713178354"),
        "Check the date in identifiers.",
        BAD_INPUT,
        IDENTIFIERS,
    ),
    Content(
        "two-recipients",
        "A secure delivery to two recipients is refused with 5001.",
        edited(r"(<Recipient [^>]*>\d+</Recipient>)", r"\1\1"),
        _SCHEMA,
        BAD_INPUT,
    ),
    Content(
        "no-message",
        "A delivery without a message is refused with 5001.",
        edited(r"(?s)<Message .*</Message>|<Message>.*</Message>", ""),
        _SCHEMA,
        BAD_INPUT,
    ),
    Content(
        "unknown-element",
        "An element that the schema does not have is refused with 5001.",
        edited(r"</Delivery>", "<Extra>1</Extra></Delivery>"),
        _SCHEMA,
        BAD_INPUT,
    ),
    Content(
        "other-namespace",
        "A header whose children are in the namespace of another version is refused with 5001.",
        edited(rf'<Recipient xmlns="{MESSAGE_V2}">', f'<Recipient xmlns="{MESSAGE_V3}">'),
        _SCHEMA,
        BAD_INPUT,
        NAMESPACES,
    ),
)
"""Deliveries that are signed as they should be, and must be refused for what they hold."""


def add_content(cases: Cases[B]) -> None:
    """Add what a message may hold, and what it may not."""

    def tried(content: Content, bench: Bench) -> None:
        answer = bench.send(bench.sign(content.make(bench)))
        if content.codes:
            refused(answer, *content.codes, http=content.http)
        else:
            bench.accepted(answer)

    for content in (*ACCEPTED, *REFUSED):
        part = "refused" if content.codes else "content"
        add(cases, f"{part}.{content.name}", content.title, content.rule, content.remedy, partial(tried, content))
