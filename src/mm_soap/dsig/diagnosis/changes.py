"""Undoing what software does to a document after, or while, it signs: each change gives what may have been signed."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from lxml import etree

from mm_soap.dsig.diagnosis.model import Cause
from mm_soap.dsig.diagnosis.reading import SIGNATURE
from mm_soap.dsig.signature import take_out
from mm_soap.xml import DSIG, XSI

_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]{60,}={0,2}\s*")
_WIDTHS: Final = (64, 76)
_XSD: Final = "http://www.w3.org/2001/XMLSchema"
PREFIXES_OF_DSIG: Final = (None, "ds", "dsig")
"""What signers call the namespace of XML-DSig."""


@dataclass(frozen=True)
class Change:
    """One kind of change. ``apply`` yields each document that may have been there before; none where all is alike."""

    cause: Cause
    apply: Callable[[etree._Element], Iterator[etree._Element]]


def _rewritten(root: etree._Element, rule: Callable[[str], str]) -> Iterator[etree._Element]:
    """Yield a copy whose texts in leaves are rewritten, unless the rule leaves all of them as they are."""
    if all(not one.text or len(one) or rule(one.text) == one.text for one in root.iter("*")):
        return
    copy = deepcopy(root)
    for one in copy.iter("*"):
        if one.text and not len(one):
            with suppress(ValueError):  # XML has no place for the character that comes out
                one.text = rule(one.text)
    yield copy


def _texts(*rules: Callable[[str], str]) -> Callable[[etree._Element], Iterator[etree._Element]]:
    def apply(root: etree._Element) -> Iterator[etree._Element]:
        for rule in rules:
            yield from _rewritten(root, rule)

    return apply


def without_white_space(root: etree._Element) -> Iterator[etree._Element]:
    """Yield the document without the white space that stands between elements."""
    copy = deepcopy(root)
    if strip_blanks(copy):
        yield copy


def strip_blanks(root: etree._Element) -> bool:
    """Take the white space between elements away, in place; tell whether there was any."""
    found = False
    for one in root.iter("*"):
        if len(one) and one.text and not one.text.strip():
            one.text, found = None, True
        if one is not root and one.tail and not one.tail.strip():
            one.tail, found = None, True
    return found


def _line_ends_between(root: etree._Element) -> Iterator[etree._Element]:
    """Yield the document with the line ends of Windows, and of Unix, also in the white space between elements."""
    for end in ("\r\n", "\n"):
        copy, found = deepcopy(root), False
        for one in copy.iter("*"):
            for name in ("text", "tail"):
                text = getattr(one, name) or ""
                other = text.replace("\r", "").replace("\n", end)
                if other != text:
                    setattr(one, name, other)
                    found = found or bool(len(one)) or name == "tail"
        if found:
            yield copy


def _padded(root: etree._Element) -> Iterator[etree._Element]:
    for copy in _rewritten(root, str.strip):
        strip_blanks(copy)
        yield copy


def _indented(root: etree._Element) -> Iterator[etree._Element]:
    for space in ("  ", "    ", "\t", ""):
        copy = deepcopy(root)
        strip_blanks(copy)
        etree.indent(copy, space)
        yield copy


def _unbroken(text: str) -> str:
    return "".join(text.split()) if _BASE64.fullmatch(text) else text


def _broken(width: int, end: str, last: str) -> Callable[[str], str]:
    def rule(text: str) -> str:
        if not _BASE64.fullmatch(text):
            return text
        whole = "".join(text.split())
        return end.join(whole[start : start + width] for start in range(0, len(whole), width)) + last

    return rule


def _recoded(write: str, read: str) -> Callable[[str], str]:
    def rule(text: str) -> str:
        try:
            return text.encode(write).decode(read)
        except UnicodeError:
            return text

    return rule


def _without_signatures(root: etree._Element) -> Iterator[etree._Element]:
    copy = deepcopy(root)
    if found := list(copy.iter(SIGNATURE)):
        for one in found:
            take_out(one)
        yield copy


def _signature_prefixes(root: etree._Element) -> Iterator[etree._Element]:
    if next(root.iter(SIGNATURE), None) is not None:
        for prefix in PREFIXES_OF_DSIG:
            yield with_prefix(root, DSIG, prefix)


def _without_id(root: etree._Element) -> Iterator[etree._Element]:
    copy = deepcopy(root)
    for name in ("Id", "ID", "id"):
        if copy.get(name) is not None:
            del copy.attrib[name]
            yield copy
            return


def _more_declarations(root: etree._Element) -> Iterator[etree._Element]:
    for more in ({"xsi": XSI, "xsd": _XSD}, {"xsi": XSI}, {"xsd": _XSD}):
        if not root.nsmap.items() >= more.items():
            yield declaring(root, more)


def _fewer_declarations(root: etree._Element) -> Iterator[etree._Element]:
    copy = deepcopy(root)
    etree.cleanup_namespaces(copy)
    yield copy


def declaring(root: etree._Element, more: dict[str, str]) -> etree._Element:
    """Return a copy whose root declares more namespaces than it did."""
    made = etree.Element(root.tag, nsmap={**more, **root.nsmap})  # type: ignore[dict-item]
    made.attrib.update(root.attrib)
    made.text = root.text
    made.extend([deepcopy(child) for child in root])
    return made


def with_prefix(root: etree._Element, namespace: str, prefix: str | None) -> etree._Element:
    """Return a copy in which the elements of one namespace have this prefix, or none."""
    start = root if etree.QName(root).namespace == namespace else None
    copy = deepcopy(root)
    if start is not None:
        return _prefixed(copy, namespace, prefix)
    for one in [each for each in copy.iter(f"{{{namespace}}}*") if _begins(each, namespace)]:
        made = _prefixed(one, namespace, prefix)
        made.tail = one.tail
        one.getparent().replace(one, made)  # type: ignore[union-attr]  # it is not the root
    return copy


def _begins(element: etree._Element, namespace: str) -> bool:
    above = element.getparent()
    return above is None or etree.QName(above).namespace != namespace


def _prefixed(element: etree._Element, namespace: str, prefix: str | None) -> etree._Element:
    own = etree.QName(element).namespace
    nsmap = {prefix: namespace} if own == namespace else {None: own}
    made = etree.Element(element.tag, nsmap=nsmap)  # type: ignore[arg-type]
    made.attrib.update(element.attrib)
    made.text = element.text
    for child in element:
        new = _prefixed(child, namespace, prefix) if isinstance(child.tag, str) else deepcopy(child)
        new.tail = child.tail
        made.append(new)
    return made


WHITE_SPACE: Final = (
    Change(Cause.WHITE_SPACE_ADDED, without_white_space),
    Change(Cause.WHITE_SPACE_ADDED, _padded),
    Change(Cause.WHITE_SPACE_REMOVED, _indented),
)
TEXTS: Final = (
    Change(Cause.LINE_ENDS, _line_ends_between),
    Change(
        Cause.BASE64_LINES,
        _texts(
            _unbroken,
            *(_broken(width, end, last) for width in _WIDTHS for end in ("\n", "\r\n") for last in ("", end)),
        ),
    ),
    Change(
        Cause.LINE_ENDS,
        _texts(
            lambda text: text.replace("\r", ""),
            lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
            lambda text: text.replace("\r\n", "\n").replace("\r", "\n"),
            lambda text: text.rstrip("\r\n"),
            lambda text: text + "\n",
        ),
    ),
    Change(
        Cause.ENCODED_TWICE,
        _texts(
            _recoded("latin-1", "utf-8"),
            _recoded("cp1252", "utf-8"),
            _recoded("utf-8", "latin-1"),
            _recoded("utf-8", "cp1252"),
        ),
    ),
    Change(
        Cause.UNICODE_FORM,
        _texts(lambda text: unicodedata.normalize("NFC", text), lambda text: unicodedata.normalize("NFD", text)),
    ),
    Change(Cause.ESCAPED_TWICE, _texts(html.unescape, lambda text: html.escape(text, quote=False), html.escape)),
)
SIGNATURES: Final = (
    Change(Cause.INNER_SIGNATURE_REMOVED, _without_signatures),
    Change(Cause.PREFIXES, _signature_prefixes),
    Change(Cause.ID_ADDED, _without_id),
    Change(Cause.LOST_DECLARATIONS, _more_declarations),
    Change(Cause.ADDED_DECLARATIONS, _fewer_declarations),
)
