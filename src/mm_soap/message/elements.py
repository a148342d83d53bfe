"""Reading the children of an element by their names. Nothing is taken on trust that is not needed.

Text is taken whole, never up to the first comment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pybase64
from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.xml import qname

_XML_SPACE: Final = " \t\r\n"
_XML_SPACE_BYTES: Final = b" \t\r\n"


def names(namespace: str, *local: str) -> dict[str, str]:
    """Return local names by their qualified ones."""
    return {qname(namespace, name): name for name in local}


def violation(where: str) -> Refused:
    """Return the refusal of an element that does not follow the schema."""
    return Refused(Refusal.SCHEMA_VIOLATION, where)


class Children:
    """The child elements of one element, by name. Anything missing, repeated or unknown is refused."""

    __slots__ = ("_found", "_where")

    def __init__(self, element: etree._Element, names: Mapping[str, str], where: str, *, open_: bool = False) -> None:
        self._where = where
        self._found: dict[str, list[etree._Element]] = {}
        for child in element.iterchildren(etree.Element):
            name = names.get(child.tag)
            if name is not None:
                self._found.setdefault(name, []).append(child)
            elif not open_:
                raise violation(where)

    def _place(self, name: str) -> str:
        return f"{self._where}/{name}" if self._where else name

    def all(self, name: str) -> list[etree._Element]:
        """Return all children of a name, in order."""
        return self._found.get(name, [])

    def optional(self, name: str) -> etree._Element | None:
        """Return the child of a name, or None."""
        found = self._found.get(name)
        if found is None:
            return None
        if len(found) != 1:
            raise violation(self._place(name))
        return found[0]

    def one(self, name: str) -> etree._Element:
        """Return the one child of a name."""
        found = self.optional(name)
        if found is None:
            raise violation(self._place(name))
        return found

    def text(self, name: str) -> str:
        """Return the whole text of the one child of a name."""
        return _text(self.one(name), self._where, name)

    def optional_text(self, name: str) -> str | None:
        """Return the whole text of the child of a name, or None."""
        found = self.optional(name)
        return None if found is None else _text(found, self._where, name)

    def collapsed(self, name: str) -> str | None:
        """Return a text as the schema's types do whose white space is collapsed: xs:language, xs:anyURI, xs:date."""
        text = self.optional_text(name)
        return None if text is None else text.strip(_XML_SPACE)

    def binary(self, name: str) -> bytes:
        """Return the decoded bytes of the one child of a name."""
        content = decode_base64(self.text(name))
        if content is None:
            raise violation(self._place(name))
        return content


def _text(element: etree._Element, where: str, name: str) -> str:
    if len(element) == 0:
        return element.text or ""
    if next(element.iterchildren(etree.Element), None) is not None:
        raise violation(f"{where}/{name}" if where else name)
    return "".join(str(part) for part in element.itertext())


def decode_base64(text: str) -> bytes | None:
    """Decode an ``xs:base64Binary``: XML white space may stand anywhere. None for anything else that is wrong.

    Padding must be there, and the bits that it leaves over must be zero, as the type demands.
    """
    try:
        # Most senders write one line, and the plain decoder is several times faster than the one that skips.
        return pybase64.b64decode(text, validate=True, canonical=True)
    except ValueError:
        pass
    try:
        return pybase64.b64decode(text, validate=True, canonical=True, ignorechars=_XML_SPACE_BYTES)
    except ValueError:
        return None
