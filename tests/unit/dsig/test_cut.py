"""An element is cut from the bytes it came in, whatever stands in and around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mm_soap.dsig.cut import cut, has_markup

NAMES = ("a", "ab", "p:a", "p:ab")
BETWEEN = (
    "",
    " ",
    "x > y",
    "&lt;a>&amp;",
    "<!-- </a> </p:a> <a> -->",
    "<![CDATA[</a><a></ab>]]>",
    "<?a </a> ?>",
    "\n\t",
)
ATTRIBUTES = ("", ' n="1"', " n='/>' m=\"a>b\"", ' n = "/"', "\n n='p:a'")
SPACES = ("", " ", "\n", "\t ")


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name, attributes, space = (
        draw(st.sampled_from(NAMES)),
        draw(st.sampled_from(ATTRIBUTES)),
        draw(st.sampled_from(SPACES)),
    )
    if draw(st.integers(0, 3)) == 0:
        return f"<{name}{attributes}{space}/>"
    parts = [draw(st.sampled_from(BETWEEN))]
    for _ in range(draw(st.integers(0, 3 if depth < 3 else 0))):
        parts += [draw(elements(depth + 1)), draw(st.sampled_from(BETWEEN))]
    return f"<{name}{attributes}>{''.join(parts)}</{name}{space}>"


def same(one: etree._Element, other: etree._Element) -> bool:
    return etree.tostring(one, method="c14n", with_tail=False) == etree.tostring(other, method="c14n", with_tail=False)


@given(elements())
def test_each_element_is_cut_from_its_start_to_its_end(inner: str) -> None:
    raw = f"<r xmlns:p='urn:p'>{inner}</r>".encode()
    root = etree.fromstring(raw)
    for element in root.iter("*"):
        piece = cut(raw, element)
        alone = piece.document() if element is root else b"<r xmlns:p='urn:p'>%s</r>" % piece.document()
        found = etree.fromstring(alone)
        assert same(found if element is root else found[0], element)
        assert piece.content in raw


LONG = "A" * 40_000


@pytest.mark.parametrize(
    ("inside", "content"),
    [
        ("<d>x</d >", "x"),
        ("<d>x<dd/></d>", "x<dd/>"),
        ("<d>x<dd></dd></d><d/>", "x<dd></dd>"),
        ("<d><d>x</d></d>", "<d>x</d>"),
        ("<d><d/>x</d>", "<d/>x"),
        ("<d><!--</d>-->x</d>", "<!--</d>-->x"),
        ("<d><![CDATA[</d>]]>x</d>", "<![CDATA[</d>]]>x"),
        ("<d><?p </d>?>x</d>", "<?p </d>?>x"),
        (f"<d>{LONG}</d>", LONG),
        ("<d/>", ""),
    ],
)
def test_the_end_is_its_own(inside: str, content: str) -> None:
    raw = f"<r>{inside}</r>".encode()
    assert cut(raw, etree.fromstring(raw)[0]).content == content.encode()


@given(
    st.text("<!-?a >", max_size=30).map(str.encode),
    st.sampled_from([b"!--", b"!", b"a"]),
    st.sampled_from([b"", b"A" * 40_000]),
)
def test_what_stands_after_a_less_than_is_found(content: bytes, beginning: bytes, long: bytes) -> None:
    assert has_markup(long + content, beginning) == (b"<" + beginning in long + content)
