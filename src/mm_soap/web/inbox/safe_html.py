"""HTML bodies, cleaned for reading, and what was taken out of them.

The operator refuses active content when a message is delivered. This looks again with another program, since what was
let in must harm nobody even where the first look was wrong; the frame's policy and its sandbox stand behind both.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import nh3

from mm_soap.message.html_tree import document_node, parse_html

_SIDES: Final = ("bottom", "left", "right", "top")
_STYLES: Final = frozenset(
    {
        *("background-color", "color", "height", "letter-spacing", "line-height", "list-style-type", "max-width"),
        *("min-width", "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align"),
        *("white-space", "width", *(f"font-{what}" for what in ("family", "size", "style", "weight"))),
        *("border", *(f"border-{what}" for what in ("collapse", "color", "spacing", "style", "width", *_SIDES))),
        *(name for what in ("margin", "padding") for name in (what, *(f"{what}-{side}" for side in _SIDES))),
    }
)
_TAGS: Final = frozenset(nh3.ALLOWED_TAGS - {"map", "area", "bdo"}) | {"font", "main", "section", "address", "u", "big"}
_GONE_WHOLE: Final = {"script", "style", "title", "noscript", "template", "iframe", "object", "select", "svg", "math"}
_ATTRIBUTES: Final = {
    "*": {"style", "dir", "lang", "title", "align", "valign"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "width", "height", "bgcolor"},
    "th": {"colspan", "rowspan", "width", "height", "bgcolor", "scope"},
    "table": {"border", "cellpadding", "cellspacing", "width", "bgcolor", "summary"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type"},
}
_LINKS: Final = ("http:", "https:", "mailto:", "tel:")
_KINDS: Final = {
    **dict.fromkeys(("script", "noscript", "template"), "scripts"),
    **dict.fromkeys(("form", "input", "button", "select", "textarea", "option"), "forms"),
    **dict.fromkeys(("iframe", "frame", "frameset", "object", "embed", "applet", "portal"), "embedded"),
    **dict.fromkeys(("video", "audio", "source", "track", "picture", "svg", "math"), "media"),
    **dict.fromkeys(("base", "link", "meta"), "orders"),
    "style": "styles",
    "bdo": "directions",
}
_OVERRIDES: Final = {0x202D: None, 0x202E: None}
"""Characters by which letters and digits stand in another order than they are written in. No language needs them."""
_HARMLESS: Final = frozenset({"html", "head", "body", "title", "tbody"})
TOO_COMPLEX: Final = "too_complex"
"""What stands for a whole body that is not shown."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A body for reading, and the kinds of things that were taken out: the last parts of the keys of sentences."""

    html: str
    removed: tuple[str, ...]


def clean(text: str) -> Cleaned:
    """Return a body without anything that runs, sends or fetches.

    Args:
        text: the body as it came.
    """
    before = _seen(text)
    if before is None:
        return Cleaned("", (TOO_COMPLEX,))
    removed: dict[str, None] = {}

    def attribute(tag: str, name: str, value: str) -> str | None:
        if tag == "img" and name == "src" and not value.strip().lower().startswith("data:image/"):
            return None
        if tag == "a" and name == "href" and not value.strip().lower().startswith(_LINKS):
            return None
        if name == "style" and "(" in value and "rgb" not in value.lower():
            removed["styles"] = None
            return None
        return value

    made = nh3.clean(
        text,
        tags=set(_TAGS),
        clean_content_tags=_GONE_WHOLE,
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=attribute,
        url_schemes={"http", "https", "mailto", "tel", "data"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        filter_style_properties=set(_STYLES),
    )
    for name, count in (before - (_seen(made) or Counter())).items():
        if count and name not in _HARMLESS:
            removed[_kind(name)] = None
    if straight(made) != made:
        removed["directions"] = None
    return Cleaned(straight(made), tuple(sorted(removed)))


def clean_text(text: str, *others: str) -> Cleaned:
    """Return a text body for reading, without what turns its letters round.

    Args:
        text: the body as it came.
        others: what is shown with it by `straight`, such as the subject; what is taken out of them is told too.
    """
    turned = any(straight(one) != one for one in (text, *others))
    return Cleaned(straight(text), ("directions",) if turned else ())


def straight(text: str) -> str:
    """Return a text without the characters that turn letters and digits round: 4321 would look like 1234."""
    return text.translate(_OVERRIDES)


def _kind(name: str) -> str:
    if name.startswith("@"):
        return "scripts" if name.startswith("@on") else _ADDRESSES.get(name, "other")
    return _KINDS.get(name, "other")


_ADDRESSES: Final = {"@href": "links", **dict.fromkeys(("@src", "@srcset", "@background", "@poster"), "pictures")}
_NOT_MISSED: Final = frozenset({"@class", "@id", "@name", "@rel", "@target", "@style", "@type", "@content", "@charset"})


def _seen(text: str) -> Counter[str] | None:
    """Return how often each element, and each attribute that does something, is there; None for too complex."""
    tree = parse_html(text, scripting=False)
    top = document_node(tree) if tree is not None else None
    if tree is None:
        return None
    found: Counter[str] = Counter()
    for node in top.traverse() if top is not None else ():
        tag = (node.tag or "").lower()
        if not node.is_element_node:
            continue
        found[tag] += 1
        known = (_ATTRIBUTES["*"] | _ATTRIBUTES.get(tag, set())) - {"href", "src"}
        for name in node.attributes:
            if tag in _TAGS and name.lower() not in known and f"@{name.lower()}" not in _NOT_MISSED:
                found[f"@{name.lower()}"] += 1
    return found
