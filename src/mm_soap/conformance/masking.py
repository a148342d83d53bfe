"""Captured messages without what is personal: bodies, attachments, signed texts, names and numbers of persons.

What is masked leaves a mark with its length, such as ``…(123 characters)``. A message may be broken, so it is searched
as text and not parsed: all that is not masked stays as it was, byte for byte.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

_HIDDEN: Final = frozenset(
    {
        # Of messages: base64 of bodies and attachments, texts of notifications, what they are about.
        "Body",
        "Subject",
        "text",
        "Text",
        "Filename",
        "MatterSubject",
        "Attention",
        "Value",
        # Of accounts: what was signed, and by whom. A user's signature and certificate hold the personal number.
        "AgreementText",
        "Signature",
        "Certificate",
        "Nonce",
        "arg2",
    }
)
"""Local names of elements whose text is hidden."""
_PERSONS: Final = ("SignedBy", "PossibleSigners")

_NAME: Final = r"[^\s<>/!?:]+"
_MARKUP: Final = r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
_LEAF: Final = re.compile(
    rf"(?P<open><(?P<tag>(?:{_NAME}:)?(?P<name>{_NAME}))(?:\s[^<>]*)?(?<!/)>)"
    rf"(?P<content>(?:[^<]|{_MARKUP})*+)(?P<close></(?P=tag)\s*>)",
    re.DOTALL,
)
_PERSON: Final = re.compile(
    rf"(<(?:{_NAME}:)?(?:{'|'.join(_PERSONS)})[\s>].{{0,2000}}?<(?:{_NAME}:)?Name(?:\s[^<>]*)?>)([^<]+)(<)", re.DOTALL
)
# Also one that is too short or too long by a digit or two: the kit sends such.
_NUMBER: Final = re.compile(
    r"(?<!\d)(?:(?:18|19|20)\d{6}(?:[-+ ]\d{4}|\d{3,})(?!\d)|(?<![\w-])\d{6}[-+]\d{4}(?![\w-]))"
)
_LONG: Final = re.compile(r"[A-Za-z0-9+/=\s]{400,}")
_TAGS: Final = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[|\]\]>", re.DOTALL)


def mark(length: int) -> str:
    """Return what stands for so many hidden characters."""
    return f"…({length} characters)"


def masked_text(text: str) -> str:
    """Return a sentence or a value without personal numbers."""
    return _NUMBER.sub(lambda match: mark(len(match[0])), text)


class Masking:
    """Hides what is personal in messages that belong together, such as a request and its answer.

    A personal number gets the same letter wherever it comes again, so that it can be seen which row answers which id:
    ``…(12 characters, A)``.
    """

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def message(self, text: str) -> str:
        """Return a message without what is personal."""
        text = _PERSON.sub(lambda match: f"{match[1]}{mark(len(match[2]))}{match[3]}", text)
        text = _LEAF.sub(self._leaf, text)
        text = _LONG.sub(lambda match: mark(len(match[0])) if match[0].strip() else match[0], text)
        return _NUMBER.sub(lambda match: self._number(match[0], len(match[0])), text)

    def _number(self, number: str, length: int) -> str:
        letter = self._letters.setdefault(number, _letters(len(self._letters)))
        return f"…({length} characters, {letter})"

    def _leaf(self, match: re.Match[str]) -> str:
        content = match["content"]
        if not content.strip() or content.startswith("…("):
            return match[0]
        if match["name"] in _HIDDEN:
            return f"{match['open']}{mark(len(content))}{match['close']}"
        # As a parser reads it: a number may be split by a comment, or written with character references.
        read = unescape(_TAGS.sub("", content))
        if read != content and (found := _NUMBER.search(read)):
            return f"{match['open']}{self._number(found[0], len(content))}{match['close']}"
        return match[0]


def _letters(place: int) -> str:
    # A to Z, then AA, AB and so on.
    before, last = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def readable(raw: bytes) -> str:
    """Return a message's bytes as text, or what they are where they are none."""
    if raw.startswith(b"\x1f\x8b"):
        return f"({len(raw)} bytes, compressed)"
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8", "latin-1"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return f"({len(raw)} bytes that are no text)"
