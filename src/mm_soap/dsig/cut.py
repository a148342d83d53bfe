"""Cutting one element out of the bytes it came in.

A signature holds for bytes. An element that is serialised again from a tree may get other prefixes and other namespace
declarations, so the element is cut from the raw bytes, from its start tag to its end tag, and nothing else is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

# The input is well-formed, has no DOCTYPE and is UTF-8: libxml2 has parsed it before. So every "<" outside of comments,
# CDATA and processing instructions begins a tag.
_MARKUP: Final = re.compile(
    rb"<(?:!--.*?-->|!\[CDATA\[.*?\]\]>|\?.*?\?>"
    rb"|(?P<close>/)[^>]*>"
    rb"|(?P<name>[^\s/>!?]+)(?P<attributes>[^>\"'/]*(?:(?:\"[^\"]*\"|'[^']*'|/(?!>))[^>\"'/]*)*)(?P<empty>/)?>)",
    re.DOTALL,
)
_SMALL: Final = 10_000
_MOST_COLONS: Final = 1000
_ATTRIBUTE: Final = re.compile(rb"([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")


@dataclass(frozen=True)
class Slice:
    """The bytes of one element, in the parts that a change of its name needs."""

    name: bytes
    """The name in the start tag, with its prefix."""
    attributes: tuple[tuple[bytes, bytes], ...]
    """Name and quoted value of each attribute and namespace declaration, in their order."""
    content: bytes
    """Everything between the start tag and the end tag."""

    @property
    def prefix(self) -> bytes:
        """The prefix of the name, or empty bytes."""
        return self.name.rpartition(b":")[0]

    def declarations(self) -> dict[str | None, str]:
        """Return the namespaces that the start tag itself declares, by prefix (None for the default)."""
        # The values are URIs; a reference such as &amp; in one would only make the comparison with a known URI fail.
        found: dict[str | None, str] = {}
        for name, value in self.attributes:
            if name == b"xmlns":
                found[None] = value[1:-1].decode()
            elif name.startswith(b"xmlns:"):
                found[name[6:].decode()] = value[1:-1].decode()
        return found

    def mentions(self, prefix: str) -> bool:
        """Tell whether a prefix stands anywhere in the bytes, be it in a name or in a text."""
        sought = prefix.encode() + b":"
        named = self.name.startswith(sought) or any(sought in name for name, _ in self.attributes)
        return named or mentions(self.content, prefix.encode())

    def document(self) -> bytes:
        """Return the element as a document of its own."""
        attributes = b"".join(b" %s=%s" % pair for pair in self.attributes)
        return b"<%s%s>%s</%s>" % (self.name, attributes, self.content, self.name)


def mentions(content: bytes, prefix: bytes) -> bool:
    """Tell whether a prefix with its colon stands anywhere in bytes.

    To look for one character is many times as fast as for two; and a large text in base64 has no colon.
    """
    end = 0
    for _ in range(_MOST_COLONS if len(content) > _SMALL else 0):
        end = content.find(b":", end) + 1
        if end == 0 or content.endswith(prefix, 0, end - 1):
            return end > 0
    return prefix + b":" in content


def has_markup(content: bytes, beginning: bytes) -> bool:
    """Tell whether ``<`` and a beginning stand anywhere in bytes. Of a large body one character is sought, as above."""
    if len(content) <= _SMALL:
        return b"<" + beginning in content
    position = content.find(b"<")
    while position >= 0 and not content.startswith(beginning, position + 1):
        position = content.find(b"<", position + 1)
    return position >= 0


def cut(raw: bytes, element: etree._Element) -> Slice:
    """Cut ``element`` from ``raw``, the bytes that its whole tree was parsed from.

    Args:
        raw: UTF-8, exactly what the parser got.
        element: an element of the resulting tree.
    """
    wanted = next(n for n, each in enumerate(element.getroottree().iter("*")) if each is element)
    count = -1
    start: re.Match[bytes] | None = None
    depth = 0
    for token in _MARKUP.finditer(raw):
        if token["name"] is not None:
            count += 1
            if start is None and count == wanted:
                start = token
                if token["empty"]:
                    return _slice(token, b"")
                end = _only_end(raw, token["name"])
                if end >= 0:
                    return _slice(token, raw[token.end() : end])
                depth = 1
            elif start is not None and not token["empty"]:
                depth += 1
        elif token["close"] is not None and start is not None:
            depth -= 1
            if depth == 0:
                return _slice(start, raw[start.end() : token.start()])
    raise ValueError("the bytes are not those of the tree")


def _only_end(raw: bytes, name: bytes) -> int:
    """Return where the end tag of an element of this name begins; -1 where other bytes could be taken for it.

    To look at all tags takes three times as long for a small message; in a large one they are few beside its text.
    """
    sought = b"</" + name
    end = raw.find(sought) if len(raw) <= _SMALL else -1
    return end if end == raw.rfind(sought) else -1


def _slice(start: re.Match[bytes], content: bytes) -> Slice:
    attributes = tuple((pair[1], pair[2]) for pair in _ATTRIBUTE.finditer(start["attributes"]))
    return Slice(start["name"], attributes, content)
