"""The agreement text and the bytes that were signed for it."""

from __future__ import annotations

from itertools import product
from typing import Final

from mm_soap.user_signatures.model import UserSignatureError, UserSignatureProblem

_CODECS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "iso8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
    "utf-16": "utf-16",
    "utf-16be": "utf-16-be",
    "utf-16le": "utf-16-le",
}
"""The names of encodings, in small letters, and Python's codec. A closed list: Python knows codecs that are no text."""

_MARKS: Final = {b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}


def codec_of(encoding: str) -> str:
    """Return the name of Python's codec for an EncodingOfSignedText.

    Raises:
        UserSignatureError: ``ENCODING``, if it is not one of those that are supported.
    """
    codec = _CODECS.get(encoding.strip().lower())
    if codec is None:
        raise UserSignatureError(UserSignatureProblem.ENCODING)
    return codec


def is_text(signed: bytes, codec: str, text: str) -> bool:
    """Whether the signed bytes are the agreement text, but for how its lines end.

    An XML parser makes every line end LF (XML 1.0, 2.11), so CR and CRLF in the agreement text never arrive; what was
    signed may have them.

    Raises:
        UserSignatureError: ``ENCODING``, if the bytes are not in the encoding.
    """
    return _plain(_decoded(signed, codec)) == _plain(text)


def ways_to_sign(text: str, codec: str) -> list[bytes]:
    """Return each sequence of bytes that a client may have signed for the text: as it came, or its lines ended anew.

    For detached signatures, where the bytes are not in the signature. Empty if the encoding has no bytes for it.
    """
    plain = _plain(text)
    texts = dict.fromkeys((text, plain, plain.replace("\n", "\r\n")))
    # Without a mark, UTF-16 is big-endian (RFC 2781, 4.3).
    marks = [*_MARKS.items(), (b"", "utf-16-be")] if codec == "utf-16" else [(b"", codec)]
    try:
        return [mark + each.encode(name) for each, (mark, name) in product(texts, marks)]
    except UnicodeEncodeError:
        return []


def _decoded(signed: bytes, codec: str) -> str:
    if codec == "utf-16":
        codec = _MARKS.get(signed[:2], "")
        signed, codec = (signed[2:], codec) if codec else (signed, "utf-16-be")
    try:
        return signed.decode(codec)
    except UnicodeDecodeError:
        raise UserSignatureError(UserSignatureProblem.ENCODING) from None


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
