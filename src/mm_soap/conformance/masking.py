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
_NUMBER: Final = re.compile(r"(?<!\d)(?:(?:18|19|20)\d{6}[-+ ]?\d{4}(?!\d)|(?<![\w-])\d{6}[-+]\d{4}(?![\w-]))")
_LONG: Final = re.compile(r"[A-Za-z0-9+/=\s]{400,}")
_TAGS: Final = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[|\]\]>", re.DOTALL)


def mark(length: int) -> str:
    """Return what stands for so many hidden characters."""
    return f"…({length} characters)"


def masked_text(text: str) -> str:
    """Return a sentence or a value without personal numbers."""
    return _NUMBER.sub(lambda match: mark(len(match[0])), text)


def masked(text: str) -> str:
    """Return a message without what is personal."""
    text = _PERSON.sub(lambda match: f"{match[1]}{mark(len(match[2]))}{match[3]}", text)
    text = _LEAF.sub(_leaf, text)
    return masked_text(_LONG.sub(lambda match: mark(len(match[0])) if match[0].strip() else match[0], text))


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


def _leaf(match: re.Match[str]) -> str:
    content, name = match["content"], match["name"]
    if not content.strip() or content.startswith("…("):
        return match[0]
    # As a parser reads it: a number may be split by a comment, or written with character references.
    read = unescape(_TAGS.sub("", content))
    whole = name in _HIDDEN
    if whole or (read != content and _NUMBER.search(read)):
        return f"{match['open']}{mark(len(content))}{match['close']}"
    return match[0]
