"""What is left of an HTML body for reading, and what is said of the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.message.html import find_active_content
from mm_soap.web.inbox.safe_html import clean, clean_text


@pytest.mark.parametrize(
    ("html", "removed"),
    [
        ("<p>Hej <b>du</b></p>", ()),
        ('<p style="color: red">Hej</p><table border="1"><tr><td colspan="2">x</td></tr></table>', ()),
        ('<a href="https://example.se/">x</a><img src="data:image/png;base64,AAAA" alt="x">', ()),
        ("<p>Hej</p><script>alert(1)</script>", ("scripts",)),
        ('<p onclick="x()">Hej</p>', ("scripts",)),
        ('<form action="https://e.example"><input name="a"></form>', ("forms",)),
        ('<img src="https://e.example/pixel.png">', ("pictures",)),
        ('<a href="javascript:alert(1)">x</a>', ("links",)),
        ('<a href="data:text/html,x">x</a>', ("links",)),
        ('<iframe src="https://e.example"></iframe>', ("embedded",)),
        ('<link rel="stylesheet" href="https://e.example">', ("orders",)),
        ("<style>p { color: red }</style><p>x</p>", ("styles",)),
        ('<p style="background-color: url(https://e.example)">x</p>', ("styles",)),
        ("<div>" * 300, ("too_complex",)),
        ("<p>Betala till \u202e4321-5678\u202c</p>", ("directions",)),
        ("<p>Betala till &#x202e;4321-5678</p>", ("directions",)),
        ('<p>Betala till <bdo dir="rtl">4321-5678</bdo></p>', ("directions",)),
        ('<p dir="rtl">\u05e9\u05dc\u05d5\u05dd</p>', ()),
    ],
)
def test_what_was_removed_is_said(html: str, removed: tuple[str, ...]) -> None:
    assert clean(html).removed == removed


def test_nothing_that_turns_letters_round_is_left() -> None:
    turned = "\u202e4321\u202d-&#8238;5678<bdo dir='rtl'>9</bdo>"
    assert clean(f"<p>{turned}</p>").html == "<p>4321-56789</p>"
    assert clean_text("\u202e4321").html == "4321"
    assert clean_text("4321", "\u202eBeslut").removed == ("directions",)
    assert clean_text("4321", "Beslut").removed == ()


PIECES = [
    *("<script>", "</script>", "<svg onload=x>", "<math>", "<style>", "</style>", "<a href='javascript:x'>", "</a>"),
    *("<img src=https://e.example onerror=x>", "<form action=//e>", "<!--", "-->", "<noscript>", "<template>", "</p>"),
    *("<p style='background:url(//e.example)'>", "<table>", "<td>", "text", "&lt;", "<iframe srcdoc='<p>'>", '"', "'>"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_nothing_active_is_left(pieces: list[str]) -> None:
    made = clean("".join(pieces)).html
    assert find_active_content(made) is None
    assert re.search(r"<(script|form|iframe|svg|style)|\son\w+=", made) is None
