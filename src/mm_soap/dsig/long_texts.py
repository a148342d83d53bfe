"""The canonical text of a document with long texts, without libxml2 having to look at each of their characters.

A long run of characters between two tags, none of them ``&``, ``<``, ``>`` or a carriage return, is what it is: the
parser reads it as it stands, and canonical XML writes it as it stands (section 2.3, "Text Nodes"). So it is put aside,
a mark stands in its place while libxml2 makes the canonical text of the small rest, and then it is put back. Whatever
is not so plain goes the whole way. A test holds the two ways equal.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from mm_soap.dsig.signature import take_out
from mm_soap.dsig.structure import Canonicalization, signature_of
from mm_soap.xml import parse_untrusted

_LONG: Final = 32_768
"""Bytes; for shorter ones it is not worth the second parse."""
_MARK: Final = b"(a-long-text)"
_NOT_PLAIN: Final = (b"\0", b"!", b"?")
"""What follows the first ``<`` where a document may say its encoding, or shows it: without, it is UTF-8."""


def canonical_text(
    document: bytes, root: etree._Element, canonicalization: Canonicalization, long: int = _LONG
) -> bytes:
    """Return the canonical text of a document without its signature.

    Args:
        document: well-formed, with its signature.
        root: parsed from it; comments and signature are taken out.
        canonicalization: the method.
        long: how many bytes a text has that is put aside, at least.

    Raises:
        Refused: as `Canonicalization.text`.
    """
    rest, texts = _put_aside(document, long) if len(document) > long else (b"", [])
    if texts:
        small = parse_untrusted(rest)
        signature = signature_of(small)
        take_out(signature)
        parts = canonicalization.text(small).split(_MARK)
        # Were a text from the signature put where the document itself has the mark, other bytes would be hashed than
        # are read. So no text may come from there, and there may be no more marks than texts.
        if len(parts) == len(texts) + 1 and _MARK.decode() not in "".join(map(str, signature.itertext())):
            return b"".join([piece for pair in zip(parts, [*texts, b""], strict=True) for piece in pair])
    return canonicalization.text(root)


def _put_aside(document: bytes, long: int) -> tuple[bytes, list[bytes]]:
    """Return a document with a mark in the place of each long and plain text, and these texts; none where one is not
    surely a text."""
    if document[:1] != b"<" or document[1:2] in _NOT_PLAIN:
        return b"", []  # perhaps another encoding than UTF-8, in which these bytes are other characters
    rest: list[bytes] = []
    texts: list[bytes] = []
    kept, after = 0, 0
    while (tag := document.find(b"<", after)) >= 0:
        if document[tag + 1 : tag + 2] in (b"!", b"?"):
            return b"", []  # a comment, CDATA or a processing instruction: what looks like a tag in it is none
        if tag - after >= long:
            # A tag ends before the next one begins, so what follows the last ">" before a "<" is text.
            begin = document.rfind(b">", after, tag) + 1
            text = document[begin:tag]
            if begin and len(text) >= long and b"&" not in text and b"\r" not in text:
                rest += (document[kept:begin], _MARK)
                texts.append(text)
                kept = tag
        after = tag + 1
    rest.append(document[kept:])
    return b"".join(rest), texts
