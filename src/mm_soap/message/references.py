"""Addresses and style sheets inside HTML: do they make a reader's program run or fetch something?

Everything is judged as the laxest program would read it: entities are already decoded, escapes of style sheets are
decoded here, and characters that some program skips are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_to_bytes

import pybase64

# Characters that browsers, today's or old ones, skip within a scheme, or that cannot be seen.
_IGNORED: Final = "\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufffd"
_SKIP: Final = re.compile(f"[{_IGNORED}]+")
_SCHEME: Final = re.compile(rf"[{_IGNORED}]*+([A-Za-z](?:[A-Za-z0-9+.\-]|[{_IGNORED}])*+):")
_SCRIPT_SCHEMES: Final = frozenset({"javascript", "vbscript", "livescript", "mocha"})
_LINK_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel"})
_IMAGE: Final = re.compile(r"image/([a-z0-9.+\-]+)(?:;[a-z0-9=.;\-]*)?")
_LONGEST_MEDIA_TYPE: Final = 200

MAX_SVG: Final = 200_000
"""The longest SVG image that is accepted inside a data URI, in characters of the URI."""

MAX_CSS_ADDRESSES: Final = 2000
"""How many addresses one style sheet may hold."""

_CSS_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(\r\n|[\r\n\f])|(.))", re.DOTALL)
_CSS_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CSS_ACTIVE: Final = re.compile(
    r"@import|(?<![-a-z])(?:expression\s*\(|behavior\s*:)|-moz-binding|(?:java|vb)script\s*:"
    # These take addresses as plain strings; url() is looked at by itself.
    r"|(?<![a-z0-9_])(?:image-set|image|src)\s*\(",
    re.IGNORECASE,
)
_CSS_SUSPECT: Final = re.compile(r"[(@\\\x00]|/\*|behavior|binding|script", re.IGNORECASE)
_CSS_URL: Final = re.compile(r"url(?:-prefix)?\s*\(\s*", re.IGNORECASE)

SvgCheck = Callable[[str], bool]
"""Tells whether the text of an SVG image is harmless."""


def scheme_of(value: str) -> str | None:
    """Return the scheme that a lax program would see in an address, in lower case; None for a relative address."""
    match = _SCHEME.match(value)
    return _SKIP.sub("", match.group(1)).lower() if match else None


def is_script(value: str) -> bool:
    """Whether a program that follows this address would run it."""
    return ":" in value and scheme_of(value) in _SCRIPT_SCHEMES


def is_link(value: str) -> bool:
    """Whether a reader may be offered this address: http, https, mailto, tel, or relative."""
    scheme = scheme_of(value)
    return scheme is None or scheme in _LINK_SCHEMES


def is_local(value: str) -> bool:
    """Whether this address points into the same document."""
    return value.strip().startswith("#")


def is_inline_image(value: str, svg_is_harmless: SvgCheck) -> bool:
    """Whether this is a data URI that holds an image, and an image alone.

    Args:
        value: the address.
        svg_is_harmless: asked about the text of an SVG image, since that can hold what HTML can.
    """
    match = _SCHEME.match(value)
    if match is None or _SKIP.sub("", match.group(1)).lower() != "data":
        return False
    # A bounded piece first: a style sheet may begin a great many addresses that never end.
    start = match.end()
    head, comma, _ = value[start : start + _LONGEST_MEDIA_TYPE].partition(",")
    media_type = _SKIP.sub("", head).lower()
    image = _IMAGE.fullmatch(media_type)
    if not comma or image is None:
        return False
    if "svg" not in image.group(1) and "xml" not in image.group(1):
        return True
    svg = _decoded_svg(value[start + len(head) + 1 :], encoded=media_type.endswith(";base64"))
    return svg is not None and svg_is_harmless(svg)


def _decoded_svg(data: str, *, encoded: bool) -> str | None:
    if len(data) > MAX_SVG:
        return None
    raw = unquote_to_bytes(data)
    try:
        text = (pybase64.b64decode(raw) if encoded else raw).decode("utf-8")
    except ValueError:  # includes UnicodeDecodeError
        return None
    return None if "\x00" in text else text


def is_harmless_srcset(value: str, svg_is_harmless: SvgCheck) -> bool:
    """Whether every address of a ``srcset`` is a data URI of an image."""
    return all(
        re.fullmatch(r"[0-9.]+[wxh],?", part) or is_inline_image(part.rstrip(","), svg_is_harmless)
        for part in value.split()
    )


def is_harmless_css(css: str, svg_is_harmless: SvgCheck) -> bool:
    """Whether a style sheet or a style attribute neither runs nor fetches anything.

    Comments are looked into as well, since what one program takes for a comment may be a string to another.
    """
    if _CSS_SUSPECT.search(css) is None:
        return True
    variants = {_unescaped(css)}
    if "/*" in css:
        variants.add(_unescaped(_CSS_COMMENT.sub("", css)))
    return all(_harmless_plain_css(variant, svg_is_harmless) for variant in variants)


def _harmless_plain_css(css: str, svg_is_harmless: SvgCheck) -> bool:
    starts = [match.end() for match in _CSS_URL.finditer(css)]
    if _CSS_ACTIVE.search(css) or len(starts) > MAX_CSS_ADDRESSES:
        return False
    return all(_harmless_css_url(css, start, svg_is_harmless) for start in starts)


def _harmless_css_url(css: str, start: int, svg_is_harmless: SvgCheck) -> bool:
    quote = css[start : start + 1]
    if quote in ("'", '"'):
        start += 1
        end = css.find(quote, start)
    else:
        end = css.find(")", start)
    longest = start + MAX_SVG + _LONGEST_MEDIA_TYPE
    address = css[start : min(end if end >= 0 else len(css), longest)]
    # The second form is what fill='url(#a)' becomes inside an SVG image in a data URI.
    return is_local(address) or address.startswith("%23") or is_inline_image(address, svg_is_harmless)


def _unescaped(css: str) -> str:
    css = css.replace("\x00", "")
    return _CSS_ESCAPE.sub(_character, css) if "\\" in css else css


def _character(escape: re.Match[str]) -> str:
    digits, newline, literal = escape.groups()
    if digits:
        code = int(digits, 16)
        return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
    return "" if newline else str(literal)
