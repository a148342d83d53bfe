"""Parse HTML that someone else wrote, in bounded time and memory.

The HTML standard's own algorithm is quadratic in several ways: open elements are searched for every block, attributes
are compared with each other, and unclosed formatting elements are opened again in each paragraph. A message of two
megabytes could thus keep a processor busy for many minutes. Ordinary mail needs none of that, so it is bounded.
"""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

MAX_TAGS: Final = 20_000
MAX_DEPTH: Final = 200
MAX_ATTRIBUTES: Final = 100
_MAX_ROOT_TAGS: Final = 10
_STEP: Final = 500  # tags; so many more cost at most some tenths of a second and some tens of megabytes
_MAX_ELEMENTS_PER_TAG: Final = 20  # unclosed formatting elements are opened again in each paragraph

_SPACE: Final = r"[\t\n\f\r /]"
# A tag as the HTML tokeniser reads it, tried at every place where one could begin.
_ATTRIBUTE: Final = (
    rf"{_SPACE}*+[^\t\n\f\r />][^\t\n\f\r />=]*+"
    r"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)?+)?+"""
)
_TOO_MANY_ATTRIBUTES: Final = re.compile(rf"<[a-zA-Z][^\t\n\f\r />]*+(?:{_ATTRIBUTE}){{{MAX_ATTRIBUTES + 1}}}")
_ROOT_TAG: Final = re.compile(r"<(?:html|body)[\t\n\f\r />]", re.IGNORECASE)


def parse_html(text: str, *, scripting: bool = False) -> LexborHTMLParser | None:
    """Parse an HTML document or fragment as a browser would.

    Args:
        text: the document.
        scripting: as a browser that runs scripts reads it, which makes the content of ``noscript`` a text.

    Returns:
        The tree, or None if the document is too large or too deeply nested to be looked through: more than 20 000
        tags, 200 levels, or 100 attributes in one tag.
    """
    tags = text.count("<")
    if tags > MAX_TAGS or _TOO_MANY_ATTRIBUTES.search(text) or _too_many_root_tags(text):
        return None
    try:
        # What is open after a beginning of the text is open at that point of the whole text too. So parse longer and
        # longer beginnings, and stop before the depth or the number of elements gets out of hand.
        end = 0
        for begun in range(_STEP, tags, _STEP):
            for _ in range(_STEP):
                end = text.index("<", end) + 1
            if not _is_modest(LexborHTMLParser(text[: end - 1], scripting=scripting), begun):
                return None
        tree = LexborHTMLParser(text, scripting=scripting)
    except (SelectolaxError, ValueError):
        return None
    # With so few tags nothing can be deep, and most letters are short.
    return tree if tags <= MAX_DEPTH or _is_modest(tree, tags) else None


def _too_many_root_tags(text: str) -> bool:
    # Each of these adds its attributes to one and the same element.
    return len(_ROOT_TAG.findall(text)) > _MAX_ROOT_TAGS


def document_node(tree: LexborHTMLParser) -> LexborNode | None:
    """Return the document, above the ``html`` element: comments may stand beside that."""
    root = tree.root
    return root if root is None or root.parent is None else root.parent


def _is_modest(tree: LexborHTMLParser, tags: int) -> bool:
    """Whether depth and number of elements stay within the bounds."""
    top = document_node(tree)
    if top is None:
        return True
    budget = _MAX_ELEMENTS_PER_TAG * tags + 10
    pending: list[tuple[LexborNode | None, int]] = [(top.first_child, 1)]
    while pending:
        node, depth = pending.pop()
        while node is not None:
            if node.is_element_node:
                budget -= 1
                if depth > MAX_DEPTH or budget < 0:
                    return False
                pending.append((node.first_child, depth + 1))
                if node.tag == "template":
                    pending.extend((content.first_child, depth + 1) for content in node.template_fragments())
            node = node.next
    return True
