"""Reading a request: bounded bytes in UTF-8, or an HTTP error that says why not."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Final

from mm_soap.errors import Refusal, Refused

_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_OTHERS: Final = {
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_DECLARATION: Final = re.compile(
    rb"^(?:\xef\xbb\xbf)?<\?xml\s[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']"
)
_ANY_DECLARATION: Final = re.compile(rb"^(?:\xef\xbb\xbf)?<\?xml\s([^>]*)>")
_DECLARATION_TEXT: Final = re.compile(r"^\ufeff?<\?xml\s[^>]{0,200}\?>")
_MOST_MARKUP: Final = 10_000
_SMALL: Final = 100_000
_HTTP: Final = {
    400: "400 Bad Request",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    408: "408 Request Timeout",
    411: "411 Length Required",
    413: "413 Content Too Large",
    415: "415 Unsupported Media Type",
}


class HttpError(Exception):
    """A request that is answered with a plain HTTP error. The text is ours and holds nothing that was sent."""

    def __init__(self, code: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.headers = headers
        self.sent = b""
        """The body, where it came whole all the same: for evidence."""

    def answer(self, start_response: Any) -> list[bytes]:
        """Send the error through WSGI."""
        body = f"{self.text}\n".encode()
        start_response(
            _HTTP[self.code],
            [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *self.headers],
        )
        return [body]


def read_request(environ: dict[str, Any], limit: int) -> tuple[bytes, str | None]:
    """Return the body of a request, and the charset that its headers declare.

    Raises:
        HttpError: what `check_headers` and `read_body` raise; with the body, where that could be read.
    """
    try:
        charset = check_headers(environ)
    except HttpError as error:
        with suppress(HttpError):
            error.sent = read_body(environ, limit)
        raise
    return read_body(environ, limit), charset


def check_headers(environ: dict[str, Any]) -> str | None:
    """Return the charset that the HTTP headers declare, in lower case, or None.

    Raises:
        HttpError: 415 for another content type than ``text/xml`` (multipart among them), an unknown charset, or a
            compressed body.
    """
    kind, _, parameters = str(environ.get("CONTENT_TYPE") or "").partition(";")
    if kind.strip().lower() != "text/xml":
        raise HttpError(415, "The Content-Type must be text/xml.")
    if str(environ.get("HTTP_CONTENT_ENCODING") or "identity").strip().lower() != "identity":
        raise HttpError(415, "A compressed request is not accepted.")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'").lower()
            if charset not in _UTF8 and charset not in _OTHERS:
                raise HttpError(415, "The charset is not supported. Send UTF-8.")
            return charset
    return None


def read_body(environ: dict[str, Any], limit: int) -> bytes:
    """Return the body of a request, read once.

    Args:
        environ: the WSGI environment.
        limit: in bytes; a longer body is never read whole.

    Raises:
        HttpError: 400 for a bad length or a body shorter than it, 408 for one that does not arrive, 411 without any
            length, 413 for one over the limit.
    """
    chunked = "chunked" in str(environ.get("HTTP_TRANSFER_ENCODING") or "").lower()
    declared = str(environ.get("CONTENT_LENGTH") or "").strip()
    if not declared and not chunked:
        raise HttpError(411, "The request needs a Content-Length.")
    if declared and not (declared.isascii() and declared.isdigit() and len(declared) < 20):
        raise HttpError(400, "The Content-Length is not a number.")
    wanted = limit + 1 if chunked else int(declared)
    if wanted > limit and not chunked:
        raise HttpError(413, "The request is too large.")
    try:
        raw: bytes = environ["wsgi.input"].read(wanted) if wanted else b""
    except TimeoutError:
        raise HttpError(408, "The request did not arrive in time.") from None
    except Exception:
        # Each server has its own exceptions for a body that breaks off, and their texts may repeat what was sent.
        raise HttpError(400, "The request body could not be read.") from None
    if chunked and len(raw) > limit:
        raise HttpError(413, "The request is too large.")
    if not chunked and len(raw) < wanted:
        raise HttpError(400, "The request body is shorter than its Content-Length.")
    return raw


def to_utf8(raw: bytes, charset: str | None) -> bytes:
    """Return the document in UTF-8; the very same object where it is in UTF-8 already.

    Args:
        raw: the body.
        charset: what the HTTP headers declare; it goes before the XML declaration.

    Raises:
        Refused: ``MALFORMED_XML`` for an encoding other than UTF-8, US-ASCII, ISO-8859-1 and UTF-16, and for bytes
            that are not in the encoding that was declared.
    """
    declaration = _DECLARATION.match(raw)
    declared = declaration[1].decode().lower() if declaration else None
    any_declaration = _ANY_DECLARATION.match(raw)
    if declared is None and any_declaration is not None and b"encoding" in any_declaration[1]:
        # The parser would find it and read other bytes than are counted, cut and hashed here.
        raise Refused(Refusal.MALFORMED_XML)
    encoding = charset or _detected(raw) or declared or "utf-8"
    if encoding in _UTF8 and (declared is None or declared in _UTF8):
        if raw[1:2] == b"\0" or raw[:1] == b"\0" or not raw[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise Refused(Refusal.MALFORMED_XML)
        return raw
    codec = "utf-8" if encoding in _UTF8 else _OTHERS.get(encoding)
    if codec is None:
        raise Refused(Refusal.MALFORMED_XML)
    try:
        text = raw.decode(codec)
        return _DECLARATION_TEXT.sub("", text, count=1).lstrip("\ufeff").encode()
    except UnicodeError:
        raise Refused(Refusal.MALFORMED_XML) from None


def _detected(raw: bytes) -> str | None:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if raw.startswith(b"<\0"):
        return "utf-16le"
    return "utf-16be" if raw.startswith(b"\0<") else None


def check_markup(raw: bytes, most: int = _MOST_MARKUP) -> None:
    """Refuse a document with more markup than any request of the contract has.

    libxml2 needs about a hundred bytes of memory for each element and, where elements break the schema, time in the
    square of their number: 8 MiB of small elements would hold a thread for an hour. Content of any length is text, so
    counting two characters before parsing is enough: ``<`` for elements, ``=`` for attributes.

    Raises:
        Refused: ``TOO_COMPLEX``.
    """
    if len(raw) > most and (_has_more(raw, b"<", most) or _has_more(raw, b"=", most)):
        raise Refused(Refusal.TOO_COMPLEX)


def _has_more(raw: bytes, character: bytes, most: int) -> bool:
    # bytes.count looks at each byte; bytes.find skips what lies between, ten times as fast in a large body of text.
    if len(raw) <= _SMALL:
        return raw.count(character) > most
    position = -1
    for _ in range(most + 1):
        position = raw.find(character, position + 1)
        if position < 0:
            return False
    return True
