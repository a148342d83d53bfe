"""Does an HTML body hold scripts, remote references or other active content?

An HTML5 parser decides what is an element and what is text, so the answer does not hang on how the source is written.
Source: the contract's messages, "body": no scripts, no remote images or trackers, no active content; images may be
inlined as data URIs. A link is allowed, since nothing is fetched until the reader follows it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mm_soap.message.html_tree import document_node, parse_html
from mm_soap.message.references import (
    is_harmless_css,
    is_harmless_srcset,
    is_inline_image,
    is_link,
    is_local,
    is_script,
)


class Finding(StrEnum):
    """What was found in an HTML body. The value is fit for a fault: it names a kind and never quotes."""

    SCRIPT = "script"
    ELEMENT = "element that embeds, submits or redirects"
    ANIMATION = "animation that changes attributes"
    EVENT_ATTRIBUTE = "event attribute"
    SCRIPT_ADDRESS = "address that runs a script"
    LINK = "link of another kind than http, https, mailto or tel"
    REMOTE_REFERENCE = "reference to something that would be fetched"
    STYLE = "style that would fetch or run something"
    META = "meta element that gives the reader's program an order"
    PROCESSING = "XML processing instruction or entity"
    TOO_COMPLEX = "too many tags, levels or attributes"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ELEMENTS: Final = {
    **dict.fromkeys(("script", "handler", "listener"), Finding.SCRIPT),
    **dict.fromkeys(
        ("iframe", "object", "embed", "applet", "form", "base", "link", "portal", "fencedframe", "webview"),
        Finding.ELEMENT,
    ),
    # Programs differ in what they read inside these: text, elements, or nothing.
    **dict.fromkeys(
        ("frame", "frameset", "noframes", "noembed", "plaintext", "xmp", "select", "template"), Finding.ELEMENT
    ),
    **dict.fromkeys(("set", "animate", "animatemotion", "animatetransform", "discard"), Finding.ANIMATION),
}
_LINKS: Final = frozenset({"cite", "longdesc"})
_LINK_ELEMENTS: Final = frozenset({"a", "area"})
_FETCHED: Final = _words(
    "src background poster data lowsrc dynsrc manifest profile archive code codebase classid usemap icon"
)
_REFUSED_ATTRIBUTES: Final = _words("ping action formaction srcdoc attributionsrc xml:base shadowrootmode shadowroot")
_SRCSETS: Final = frozenset({"srcset", "imagesrcset"})
_TEXT_ATTRIBUTES: Final = _words(
    "alt title placeholder value content summary label abbr class id name lang dir href src srcset"
)
_META_ORDERS_ALLOWED: Final = frozenset({"content-type", "content-language", "x-ua-compatible"})
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]*)", re.IGNORECASE)
# A body is UTF-8 whatever it says of itself; these read its ASCII part alike, so that no tag can hide.
_CHARSETS_ALLOWED: Final = re.compile(r"(?:utf-?8|us-ascii|ascii|iso-?8859-?[0-9]{1,2}|latin-?1|windows-125[0-9])?")
# Tags that a parser leaves out in some places, whereas another shows them there.
_FRAME_TAG: Final = re.compile(r"<frame(?:set)?[\t\n\f\r />]", re.IGNORECASE)
_IMAGE_TAG: Final = re.compile(r"<image(?=[\t\n\f\r />])", re.IGNORECASE)
_NOSCRIPT_TAG: Final = re.compile(r"<noscript[\t\n\f\r />]", re.IGNORECASE)
# Where text would end for a program that reads the markup before it in another way.
_END_OF_TEXT: Final = re.compile(
    r"--!?>|\]\]>|</(?:style|script|title|xmp|textarea|noscript|iframe|noembed|noframes|template|select|svg|math|desc)",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<[a-zA-Z/!?]")
_TEXT_ELEMENTS: Final = frozenset({"style", "title", "textarea"})
_CONDITIONAL_COMMENT: Final = re.compile(r"\[\s*if\b", re.IGNORECASE)
_MAX_LEVELS: Final = 3  # SVG in a data URI in SVG, or conditional comments in each other
_MAX_SVGS: Final = 100


def find_active_content(text: str) -> Finding | None:
    """Look for active content in an HTML document or fragment.

    Args:
        text: the decoded body.

    Returns:
        What was found first, or None if the body is harmless. ``TOO_COMPLEX`` means that it was not looked through.
    """
    return _Examination().find(text)


class _Examination:
    """One look through a body and what is nested in it."""

    def __init__(self) -> None:
        self._levels = 0
        self._svgs = 0
        # Letters repeat the same few attributes.
        self._harmless: set[tuple[str, str, str | None]] = set()

    def find(self, text: str) -> Finding | None:
        """Look through a document, which may be nested in another one."""
        if self._levels > _MAX_LEVELS:
            return Finding.TOO_COMPLEX
        if _FRAME_TAG.search(text):
            return Finding.ELEMENT
        self._levels += 1
        finding = self._find(text)
        if finding is None and _NOSCRIPT_TAG.search(text):
            # A program that runs scripts takes what stands in noscript for text, so other elements may follow for it.
            finding = self._find(text, scripting=True)
        if finding is None and _IMAGE_TAG.search(text):
            # Browsers read image as img, also directly in a table, where the parser loses it.
            finding = self._find(_IMAGE_TAG.sub("<img", text))
        self._levels -= 1
        return finding

    def _find(self, text: str, *, scripting: bool = False) -> Finding | None:
        tree = parse_html(text, scripting=scripting)
        return Finding.TOO_COMPLEX if tree is None else self._examine(tree)

    def _examine(self, tree: LexborHTMLParser) -> Finding | None:
        top = document_node(tree)
        if top is None:
            return None
        for node in top.traverse(include_text=True):
            finding = None
            if node.is_element_node:
                finding = self._element(node)
            elif node.is_comment_node:
                finding = self._comment(node.comment_content or "")
            if finding is not None:
                return finding
        return None

    def _element(self, node: LexborNode) -> Finding | None:
        tag = (node.tag or "").lower()
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        if tag in _ELEMENTS:
            return _ELEMENTS[tag]
        if tag in _TEXT_ELEMENTS:
            finding = self._text_element(tag, node.text())
            if finding is not None:
                return finding
        attributes = node.attributes
        if not attributes:
            return None
        if tag == "meta" and _orders_something({name.lower(): value or "" for name, value in attributes.items()}):
            return Finding.META
        for name, value in attributes.items():
            seen = (tag, name, value)
            if seen not in self._harmless:
                finding = self._attribute(tag, name.lower(), value or "")
                if finding is not None:
                    return finding
                self._harmless.add(seen)
        return None

    def _text_element(self, tag: str, text: str) -> Finding | None:
        if tag == "style" and not is_harmless_css(text, self._svg_is_harmless):
            return Finding.STYLE
        # Whether such text is elements hangs on what stands before it, and not all programs agree on that.
        return self.find(text) if _TAG.search(text) else None

    def _hidden(self, text: str) -> Finding | None:
        end = _END_OF_TEXT.search(text)
        return self.find(text[end.end() :]) if end is not None and _TAG.search(text) else None

    def _attribute(self, tag: str, name: str, value: str) -> Finding | None:
        if name.startswith("on"):
            return Finding.EVENT_ATTRIBUTE
        if name in _REFUSED_ATTRIBUTES:
            return Finding.REMOTE_REFERENCE
        if is_script(value):
            return Finding.SCRIPT_ADDRESS
        if ">" in value or "</" in value:
            finding = self._hidden(value)
            if finding is not None:
                return finding
        is_href = name.rpartition(":")[2] == "href"
        if name in _LINKS or (is_href and tag in _LINK_ELEMENTS):
            return None if is_link(value) else Finding.LINK
        if is_href or name in _FETCHED:
            return None if self._is_inline(tag, name, value) else Finding.REMOTE_REFERENCE
        if name in _SRCSETS:
            return None if is_harmless_srcset(value, self._svg_is_harmless) else Finding.REMOTE_REFERENCE
        # Many attributes of SVG take a style value (fill, filter, mask and more), so look at all but texts.
        if name == "style" or (("(" in value or "\\" in value) and _takes_style(name)):
            return None if is_harmless_css(value, self._svg_is_harmless) else Finding.STYLE
        return None

    def _is_inline(self, tag: str, name: str, value: str) -> bool:
        if name in _FETCHED and name != "usemap":
            return is_inline_image(value, self._svg_is_harmless)
        # What use refers to becomes part of the document, so an image from elsewhere is not an image there.
        return is_local(value) or (tag != "use" and is_inline_image(value, self._svg_is_harmless))

    def _svg_is_harmless(self, svg: str) -> bool:
        self._svgs += 1
        lowered = svg.lower()
        if self._svgs > _MAX_SVGS or "<!entity" in lowered or "<?xml-stylesheet" in lowered:
            return False
        return self.find(svg) is None

    def _comment(self, comment: str) -> Finding | None:
        lowered = comment.lower()
        if lowered.startswith("?xml-stylesheet"):
            return Finding.PROCESSING
        # Some mail programs read what stands in a conditional comment.
        return self.find(comment) if _CONDITIONAL_COMMENT.search(comment) else self._hidden(comment)


def _takes_style(name: str) -> bool:
    return name not in _TEXT_ATTRIBUTES and not name.startswith(("aria-", "data-"))


def _orders_something(attributes: dict[str, str]) -> bool:
    order = attributes.get("http-equiv", "").strip().lower()
    if order and order not in _META_ORDERS_ALLOWED:
        return True
    charsets = [attributes.get("charset", "")]
    if order == "content-type":
        charsets += _CHARSET.findall(attributes.get("content", ""))
    return any(_CHARSETS_ALLOWED.fullmatch(charset.strip().lower()) is None for charset in charsets)
