"""What may be attached, and whether the bytes are what their content type says. Source: the contract's messages.

Also the only place that makes a name for a file on disk out of the name that a sender gave.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from mm_soap.errors import Refused
from mm_soap.xml import parse_untrusted, qname

PDF: Final = "application/pdf"
WORD_97: Final = "application/msword"
WORD_DOCUMENT: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
WORD_TEMPLATE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.template"
CALENDAR: Final = "text/calendar"

_WORD_TEMPLATE_AS_SOME_WRITE_IT: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml-template"
_EXTENSIONS: Final = MappingProxyType(
    {".pdf": PDF, ".doc": WORD_97, ".docx": WORD_DOCUMENT, ".dotx": WORD_TEMPLATE, ".ics": CALENDAR}
)

_PDF_HEADER_WITHIN: Final = 1024
_OLE2_MAGIC: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_ZIP_MAGIC: Final = b"PK\x03\x04"
_CONTENT_TYPES_PART: Final = "[Content_Types].xml"
_CONTENT_TYPES_LIMIT: Final = 1024 * 1024
_CONTENT_TYPES_XMLNS: Final = "http://schemas.openxmlformats.org/package/2006/content-types"
_CALENDAR_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+BEGIN:VCALENDAR(?![A-Z0-9-])", re.IGNORECASE)

# Everything that zipfile and its decompressors are known to raise on bytes that someone made up.
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    OverflowError,
)


def content_type_for(filename: str) -> str | None:
    """Return the content type for the extension of a file name, or None if such files may not be attached."""
    return _EXTENSIONS.get(PurePosixPath(filename).suffix.lower())


def media_type(content_type: str) -> str:
    """Return the type of a ContentType alone: lower case, without parameters and white space."""
    return content_type.partition(";")[0].strip().lower()


def attachment_type(content_type: str) -> str | None:
    """Return the attachment type that a ContentType means, one of this module's constants.

    Case and parameters do not matter, and the variant ``-template`` counts as ``.template``. None if attachments of
    this type are not accepted.
    """
    kind = media_type(content_type)
    if kind == _WORD_TEMPLATE_AS_SOME_WRITE_IT:
        return WORD_TEMPLATE
    return kind if kind in _MATCHES else None


def bytes_match(kind: str, body: bytes) -> bool:
    """Whether the bytes are what the type says.

    Args:
        kind: what ``attachment_type`` returned.
        body: the decoded file. At most 1 MB of a compressed file is unpacked.
    """
    return _MATCHES[kind](body)


def _is_pdf(body: bytes) -> bool:
    # Readers accept a header anywhere in the first kilobyte, and old producers write something before it.
    return body.find(b"%PDF-", 0, _PDF_HEADER_WITHIN) >= 0


def _is_ole2(body: bytes) -> bool:
    return body.startswith(_OLE2_MAGIC)


def _is_calendar(body: bytes) -> bool:
    return _CALENDAR_START.match(body) is not None


def _is_word_document(body: bytes) -> bool:
    return _has_main_part(body, f"{WORD_DOCUMENT}.main+xml")


def _is_word_template(body: bytes) -> bool:
    return _has_main_part(body, f"{WORD_TEMPLATE}.main+xml")


def _has_main_part(body: bytes, main_type: str) -> bool:
    listing = _content_types(body)
    if listing is None:
        return False
    try:
        root = parse_untrusted(listing)
    except Refused:
        return False
    if root.tag != qname(_CONTENT_TYPES_XMLNS, "Types"):
        return False
    overrides = root.iterchildren(qname(_CONTENT_TYPES_XMLNS, "Override"), qname(_CONTENT_TYPES_XMLNS, "Default"))
    return any(override.get("ContentType", "").lower() == main_type for override in overrides)


def _content_types(body: bytes) -> bytes | None:
    if not body.startswith(_ZIP_MAGIC):
        return None
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename == _CONTENT_TYPES_PART]
            # Two entries of one name are read differently by different programs; other methods unpack unbounded.
            if len(entries) != 1 or entries[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                return None
            with archive.open(entries[0]) as part:
                listing = part.read(_CONTENT_TYPES_LIMIT + 1)
    except _ZIP_ERRORS:
        return None
    return listing if len(listing) <= _CONTENT_TYPES_LIMIT else None


_MATCHES: Final = MappingProxyType[str, Callable[[bytes], bool]](
    {
        PDF: _is_pdf,
        WORD_97: _is_ole2,
        WORD_DOCUMENT: _is_word_document,
        WORD_TEMPLATE: _is_word_template,
        CALENDAR: _is_calendar,
    }
)

_LONGEST_NAME: Final = 200  # bytes; file systems take 255, which leaves room for a prefix
_NOT_IN_A_NAME: Final = re.compile(r'[/\\:*?"<>|]')
_EDGES: Final = re.compile(r"\A[\s.]+|[\s.]+\Z")
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
# Turning the reading direction makes "exe.pdf" out of "fdp.exe".
_DIRECTION: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FALLBACK: Final = "attachment"


def _is_hidden(character: str) -> bool:
    return character in _DIRECTION or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def is_filename(name: str) -> bool:
    """Whether a Filename is acceptable: it has visible text and no control, line or direction characters.

    Separators are accepted, since the name is shown and never used as a path.
    """
    return bool(name.strip()) and not any(_is_hidden(character) for character in name)


def safe_filename(name: str) -> str:
    """Return a name that may be used for a file in a folder of its own on any common system.

    The result is never empty, has no separator, is not ``.`` or ``..`` or a reserved name, does not begin with a dot,
    and is at most 200 bytes in UTF-8. The extension is kept where it is short.
    """
    visible = "".join(character for character in unicodedata.normalize("NFC", name) if not _is_hidden(character))
    cleaned = _EDGES.sub("", _NOT_IN_A_NAME.sub("_", visible))
    if _RESERVED.match(cleaned):
        cleaned = f"_{cleaned}"
    stem, dot, extension = cleaned.rpartition(".")
    if not dot or len(extension) > 10 or not extension.isascii():
        stem, dot, extension = cleaned, "", ""
    room = _LONGEST_NAME - len(dot) - len(extension)
    stem = stem.encode("utf-8")[:room].decode("utf-8", "ignore")
    stem = _EDGES.sub("", stem)
    return f"{stem or _FALLBACK}{dot}{extension}"
