"""From the body of a message, plain or HTML, to blocks.

Style sheets are not followed: what stands in the text comes out, in its order, with headings, lists, tables, bold and
italic text, links and inlined images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

import pybase64
from selectolax.lexbor import LexborNode

from mm_soap.errors import Refusal, Refused
from mm_soap.message.attachments import media_type
from mm_soap.message.blocks import Block, Grid, Paragraph, Picture, Run
from mm_soap.message.html_tree import document_node, parse_html
from mm_soap.message.model import Message

_SPACE: Final = re.compile(r"[ \t\r\n\f]+")
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_NOT_SHOWN: Final = frozenset(
    {"head", "style", "script", "title", "template", "noscript", "svg", "math", "area", "map", "datalist"}
)
_BLOCKS: Final = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "caption",
            "center",
            "dd",
            "details",
            "dir",
            "div",
            "dl",
        ),
        *(
            "dt",
            "fieldset",
            "figcaption",
            "figure",
            "footer",
            "form",
            "header",
            "hgroup",
            "html",
            "legend",
            "li",
            "main",
        ),
        *("menu", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
        *("ul", *_HEADINGS),
    }
)
_BOLD: Final = frozenset({"b", "strong", "th", "dt", "caption"})
_ITALIC: Final = frozenset({"i", "em", "cite", "var", "dfn"})
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_IMAGE: Final = re.compile(r"data:image/(png|jpeg|jpg|gif|webp|svg\+xml)((?:;[^,;]*)*),(.*)", re.IGNORECASE | re.DOTALL)
_FORMATS: Final[dict[str, Literal["png", "jpg", "gif", "webp", "svg"]]] = {
    "png": "png",
    "jpeg": "jpg",
    "jpg": "jpg",
    "gif": "gif",
    "webp": "webp",
    "svg+xml": "svg",
}
_MOST_COLUMNS: Final = 12
_NOT_IN_CELLS: Final = frozenset({"table", "img", "ul", "ol", "pre", "blockquote", *_HEADINGS})
"""What tables of data do not hold, and tables that place a letter's parts do."""
_LINE: Final = "\n"


def blocks_of(message: Message) -> list[Block]:
    """Return the body of a message that follows the rules, as blocks.

    Plain text is one paragraph, with its lines and spaces as they are.

    Raises:
        Refused: ``HTML_TOO_COMPLEX``; a body that was accepted is not.
    """
    text = message.body.decode("utf-8")
    if media_type(message.content_type) != "text/html":
        return [Paragraph((Run(text.replace("\r\n", _LINE).replace("\r", _LINE)),))]
    tree = parse_html(text)
    top = None if tree is None else document_node(tree)
    if tree is None:
        raise Refused(Refusal.HTML_TOO_COMPLEX)
    return [] if top is None else _Reading().all(top)


@dataclass(frozen=True, slots=True)
class _Style:
    bold: bool = False
    italic: bool = False
    link: str | None = None
    heading: int = 0
    indent: int = 0
    kept: bool = False  # white space as it is: pre


class _Reading:
    """One way through a document."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._runs: list[Run] = []
        self._marker = ""

    def all(self, top: LexborNode, style: _Style = _Style()) -> list[Block]:
        self._children(top, style)
        self._end(style)
        return self._blocks

    def _children(self, node: LexborNode, style: _Style) -> None:
        for child in _children_of(node):
            self._child(child, style)

    def _child(self, child: LexborNode, style: _Style) -> None:
        if child.is_text_node:
            self._text(child.text_content or "", style)
        elif child.is_element_node and not _hidden(child):
            self._element(child, (child.tag or "").lower(), style)

    def _element(self, node: LexborNode, tag: str, style: _Style) -> None:
        if tag == "br":
            self._runs.append(Run(_LINE))
        elif tag == "hr":
            self._end(style)
        elif tag == "img":
            self._image(node, style)
        elif tag in ("ul", "ol"):
            self._list(node, tag, style)
        elif tag == "table" and (grid := _grid(node)) is not None:
            self._end(style)
            for child in _children_of(node):
                if child.tag == "caption":
                    self._child(child, style)
            self._blocks.append(grid)
        elif tag in _BLOCKS:
            self._end(style)
            inner = _styled(node, tag, style)
            self._children(node, inner)
            self._end(inner)
        else:
            self._children(node, _styled(node, tag, style))

    def _list(self, node: LexborNode, tag: str, style: _Style) -> None:
        self._end(style)
        inner = replace(style, indent=style.indent + 1)
        number = 0
        for child in _children_of(node):
            if child.is_element_node and (child.tag or "").lower() == "li" and not _hidden(child):
                number += 1
                self._end(inner)
                self._marker = f"{number}." if tag == "ol" else "•"
                self._element(child, "li", inner)
                self._marker = ""
            else:
                self._child(child, inner)
        self._end(inner)

    def _image(self, node: LexborNode, style: _Style) -> None:
        alternative = (node.attributes.get("alt") or "").strip()
        picture = _picture(node.attributes.get("src") or "", alternative)
        if picture is None:
            if alternative:
                self._runs.append(Run(f"[{alternative}]", style.bold, style.italic))
            return
        self._end(style)
        self._blocks.append(picture)

    def _text(self, text: str, style: _Style) -> None:
        shown = text if style.kept else _SPACE.sub(" ", text)
        if shown:
            self._runs.append(Run(shown, style.bold, style.italic, style.link))

    def _end(self, style: _Style) -> None:
        runs = _tidy(self._runs, kept=style.kept)
        self._runs = []
        if runs:
            self._blocks.append(Paragraph(runs, style.heading, style.indent, self._marker))
            self._marker = ""


def _styled(node: LexborNode, tag: str, style: _Style) -> _Style:
    if tag == "a":
        address = (node.attributes.get("href") or "").strip()
        known = address.lower().startswith(("http:", "https:", "mailto:", "tel:"))
        return replace(style, link=address if known else None)
    return replace(
        style,
        bold=style.bold or tag in _BOLD,
        italic=style.italic or tag in _ITALIC,
        heading=_HEADINGS.get(tag, style.heading),
        indent=style.indent + (tag in ("blockquote", "dd")),
        kept=style.kept or tag in ("pre", "textarea"),
    )


def _hidden(node: LexborNode) -> bool:
    if (node.tag or "").lower() in _NOT_SHOWN:
        return True
    attributes = node.attributes
    return "hidden" in attributes or _HIDDEN.search(attributes.get("style") or "") is not None


def _tidy(runs: list[Run], *, kept: bool) -> tuple[Run, ...]:
    """Leave out the spaces at the edges of lines, and runs that are empty."""
    if kept:
        return tuple(runs) if any(run.text.strip() for run in runs) else ()
    tidied: list[Run] = []
    at_edge = True
    for run in runs:
        text = run.text.lstrip(" ") if at_edge else run.text
        if text == _LINE:
            while tidied and tidied[-1].text.endswith(" "):
                tidied[-1] = replace(tidied[-1], text=tidied[-1].text.rstrip(" "))
        if text:
            tidied.append(replace(run, text=text))
            at_edge = text.endswith((" ", _LINE))
    while tidied and not tidied[-1].text.strip():
        tidied.pop()
    while tidied and not tidied[0].text.strip():
        tidied.pop(0)
    if tidied:
        tidied[-1] = replace(tidied[-1], text=tidied[-1].text.rstrip(" "))
    return tuple(tidied)


def _picture(source: str, alternative: str) -> Picture | None:
    found = _IMAGE.fullmatch(source.strip())
    if found is None:
        return None
    kind, parameters, data = found.groups()
    content = unquote_to_bytes(data)
    if parameters.lower().rstrip().endswith(";base64"):
        try:
            content = pybase64.b64decode(content, ignorechars=b" \t\r\n", validate=True)
        except ValueError:
            return None
    return Picture(_FORMATS[kind.lower()], content, alternative) if content else None


def _children_of(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next


def _elements_below(node: LexborNode) -> Iterator[LexborNode]:
    for child in _children_of(node):
        if child.is_element_node:
            yield child
            yield from _elements_below(child)


def _grid(table: LexborNode) -> Grid | None:
    """Return a table of data; None for one that only places what stands in it: that is read cell by cell."""
    below = list(_elements_below(table))
    if any((each.tag or "").lower() in _NOT_IN_CELLS for each in below):
        return None
    rows = []
    for row in below:
        if row.tag == "tr" and not _hidden(row):
            cells = [_cell(each) for each in _children_of(row) if each.tag in ("td", "th") and not _hidden(each)]
            if any(cells):
                rows.append(cells)
    columns = max((len(row) for row in rows), default=0)
    if not 1 < columns <= _MOST_COLUMNS:
        return None
    return Grid(tuple((*row, *[()] * (columns - len(row))) for row in rows))


def _cell(cell: LexborNode) -> tuple[Run, ...]:
    found = _Reading().all(cell, _Style(bold=cell.tag == "th"))
    runs: list[Run] = []
    for block in found:
        if isinstance(block, Paragraph):
            runs += [Run(_LINE), *block.runs] if runs else block.runs
    return tuple(runs)
