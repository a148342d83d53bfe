"""What may be attached, and names of files."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.message import content_type_for, safe_filename
from mm_soap.message.attachments import (
    CALENDAR,
    PDF,
    WORD_97,
    WORD_DOCUMENT,
    WORD_TEMPLATE,
    attachment_type,
    bytes_match,
    is_filename,
)
from tests.unit.message.samples import CALENDAR_BYTES, FILES, PDF_BYTES, package

OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml"


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("application/pdf", PDF),
        ("Application/PDF", PDF),
        (' application/pdf ; name="a;b.pdf"', PDF),
        ("application/msword", WORD_97),
        (f"{OFFICE}.document", WORD_DOCUMENT),
        (f"{OFFICE}.template", WORD_TEMPLATE),
        (f"{OFFICE}-template", WORD_TEMPLATE),
        ("text/calendar; charset=utf-8; method=REQUEST", CALENDAR),
        ("text/html", None),
        ("image/png", None),
        ("application/pdf, text/calendar", None),
        ("", None),
        (";application/pdf", None),
    ],
)
def test_attachment_types(written: str, kind: str | None) -> None:
    assert attachment_type(written) == kind


@pytest.mark.parametrize("kind", sorted(FILES))
def test_bytes_match_their_own_type_alone(kind: str) -> None:
    assert [other for other in FILES if bytes_match(kind, FILES[other])] == [kind]
    assert not bytes_match(kind, b"")


def test_a_pdf_header_may_stand_within_the_first_kilobyte() -> None:
    assert bytes_match(PDF, b"\n" * 1019 + PDF_BYTES)
    assert not bytes_match(PDF, b"\n" * 1020 + PDF_BYTES)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\r\n\t ", b"\xef\xbb\xbf\n"])
def test_a_calendar_may_begin_with_a_mark_or_white_space(start: bytes) -> None:
    assert bytes_match(CALENDAR, start + CALENDAR_BYTES)
    assert bytes_match(CALENDAR, start + CALENDAR_BYTES.lower())


@pytest.mark.parametrize("body", [b"x" + CALENDAR_BYTES, b"BEGIN:VCALENDARS\r\n", b"BEGIN:VCARD\r\n"])
def test_what_is_no_calendar(body: bytes) -> None:
    assert not bytes_match(CALENDAR, body)


def test_a_document_with_macros_is_none() -> None:
    assert not bytes_match(WORD_DOCUMENT, package("application/vnd.ms-word.document.macroEnabled.main+xml"))


@pytest.mark.parametrize(
    "body",
    [
        package(f"{WORD_DOCUMENT}.main+xml", name="other.xml"),
        package("", listing=b"<Types"),
        package("", listing=b"<Types><Override ContentType='x'/></Types>"),
        package("", listing=b'<!DOCTYPE a [<!ENTITY b "c">]><Types/>'),
        b"MZ" + package(f"{WORD_DOCUMENT}.main+xml"),
        b"PK\x03\x04",
    ],
)
def test_a_package_that_does_not_say_what_it_is(body: bytes) -> None:
    assert not bytes_match(WORD_DOCUMENT, body)


def test_a_zip_bomb_is_not_unpacked() -> None:
    listing = FILES[WORD_DOCUMENT]
    with zipfile.ZipFile(BytesIO(listing)) as archive:
        types = archive.read("[Content_Types].xml")
    assert bytes_match(WORD_DOCUMENT, package("", listing=types + b" " * 1_000_000))
    assert not bytes_match(WORD_DOCUMENT, package("", listing=types + b" " * (1024 * 1024)))


def test_two_listings_are_one_too_many() -> None:
    buffer = BytesIO(FILES[WORD_DOCUMENT])
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(buffer, "a") as archive,
    ):
        archive.writestr("[Content_Types].xml", "<Types/>")
    assert not bytes_match(WORD_DOCUMENT, buffer.getvalue())


@given(st.data())
def test_a_damaged_package_is_refused_or_read(data: st.DataObject) -> None:
    body = bytearray(FILES[WORD_DOCUMENT])
    for position in data.draw(st.lists(st.integers(4, len(body) - 1), max_size=6)):
        body[position] = data.draw(st.integers(0, 255))
    assert bytes_match(WORD_DOCUMENT, bytes(body)) in (True, False)
    assert bytes_match(WORD_DOCUMENT, bytes(body[: data.draw(st.integers(0, len(body)))])) in (True, False)


def test_an_encrypted_entry_is_refused() -> None:
    body = bytearray(FILES[WORD_DOCUMENT])
    directory = body.index(b"PK\x01\x02")
    for flags in (6, directory + 8):
        body[flags : flags + 2] = struct.pack("<H", 1)
    assert not bytes_match(WORD_DOCUMENT, bytes(body))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.pdf", PDF),
        ("A.PDF", PDF),
        ("a.b.doc", WORD_97),
        ("a.docx", WORD_DOCUMENT),
        ("a.dotx", WORD_TEMPLATE),
        ("a.ics", CALENDAR),
        ("a.exe", None),
        ("pdf", None),
        ("", None),
        (".pdf", None),
    ],
)
def test_content_type_for_a_name(name: str, kind: str | None) -> None:
    assert content_type_for(name) == kind


@pytest.mark.parametrize("name", ["Beslut åäö.pdf", "a/b\\c.pdf", "..", "a\xa0b.pdf", "決定.pdf"])
def test_visible_names_are_accepted(name: str) -> None:
    assert is_filename(name)


@pytest.mark.parametrize("name", ["", "  ", "a\x00.pdf", "a\n.pdf", "a\x7f", "a\x85", "a\u2028b", "a\u202efdp.exe"])
def test_hidden_characters_are_not(name: str) -> None:
    assert not is_filename(name)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Beslut åäö.pdf", "Beslut åäö.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\Temp\\a.pdf", "C__Temp_a.pdf"),
        ("..", "attachment"),
        ("", "attachment"),
        (".pdf", "pdf"),
        ("con.pdf", "_con.pdf"),
        ("a\x00\u202eb. ", "ab"),
        ("å" * 300 + ".pdf", "å" * 98 + ".pdf"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_filename(name) == safe


@given(st.text(max_size=400))
def test_a_safe_name_is_always_one_component(name: str) -> None:
    safe = safe_filename(name)
    assert safe
    assert not safe.startswith(".")
    assert safe == safe.strip()
    assert not set(safe) & set('/\\:\x00\n*?"<>|')
    assert len(safe.encode("utf-8")) <= 200
    assert is_filename(safe)
