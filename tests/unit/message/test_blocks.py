"""Bodies as blocks: what stands in the text comes out, in its order."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.message import (
    NOT_SENSITIVE,
    Block,
    Grid,
    Metadata,
    Paragraph,
    Picture,
    Run,
    blocks_of,
    is_marked_sensitive,
    language_tag,
    new_message,
    text_of_blocks,
)

PIXEL = base64.b64encode(b"\x89PNG").decode()


def blocks(html: str) -> list[Block]:
    return blocks_of(new_message("A", html=html))


def text(html: str) -> str:
    return text_of_blocks(blocks(html))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_plain_text_comes_out_as_it_is(body: str) -> None:
    assert text_of_blocks(blocks_of(new_message("A", text=body))) == body


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>Ett  <b>två</b>\n tre</p>fyra", "Ett två tre\n\nfyra"),
        ("Rad ett <br> Rad två<br><br>Rad tre", "Rad ett\nRad två\n\nRad tre"),
        ("<div><div>Ett</div>två<div>tre</div></div>", "Ett\n\ntvå\n\ntre"),
        ("<ul><li>Ett<li><p>Två</p><p>mer</p><ol start=3><li>Inre</ol></ul>", "• Ett\n\n• Två\n\nmer\n\n  1. Inre"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<head><title>T</title><style>p{}</style></head><p>Syns<!-- inte --></p>", "Syns"),
        ('<p style="DISPLAY : none">dolt</p><p hidden>dolt</p><p>Syns</p>', "Syns"),
        ("&lt;b&gt; &amp; &nbsp;å", "<b> & \xa0å"),
        ("<table><tr><th>År<th>Kr<tr><td>2026<td>12<br>13</table>", "År\tKr\n2026\t12 13"),
        ("<table><tr><td>en kolumn<tr><td>till</table>", "en kolumn\n\ntill"),
        ("<table><tr><td><table><tr><td>a<td>b</table><td>utanför</table>", "a\tb\n\nutanför"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a\tb\nc\t"),
        ("<table><caption>Om</caption><tr><td>a<td>b</table>", "Om\n\na\tb"),
        ("<ul>utan<li>med</ul>", "utan\n\n• med"),
        ('<a href="https://a.se/x">Läs <b>mer</b></a> och', "Läs mer <https://a.se/x> och"),
        ('<a href="https://a.se/">https://a.se/</a> <a href="mailto:a@b.se">skriv</a>', "https://a.se/ skriv"),
        ('<a href="#här">ner</a>', "ner"),
        ('<img alt="Logga" src="data:image/png;base64,AAAA">', "[Logga]"),
        ('<img alt="Karta" src="cid:1">', "[Karta]"),
        ('<img src="cid:1">', ""),
        ("", ""),
    ],
)
def test_html(html: str, expected: str) -> None:
    assert text(html) == expected


def test_styles_headings_and_levels() -> None:
    heading, quoted = blocks("<h2>Rubrik</h2><blockquote><p><em>Citat</em> <strong>fet</strong></p></blockquote>")
    assert heading == Paragraph((Run("Rubrik"),), heading=2)
    assert quoted == Paragraph((Run("Citat", italic=True), Run(" "), Run("fet", bold=True)), indent=1)


def test_tables_and_pictures() -> None:
    grid, picture = blocks(
        f'<table><tr><th>År<td>2026</table><img alt="x" src="data:image/png;base64,{PIXEL[:4]}\n{PIXEL[4:]}">'
    )
    assert grid == Grid((((Run("År", bold=True),), (Run("2026"),)),))
    assert picture == Picture("png", b"\x89PNG", "x")


def test_a_picture_in_plain_data() -> None:
    assert blocks("<img src='data:image/svg+xml,%3Csvg/%3E'>") == [Picture("svg", b"<svg/>")]


MARKUP = "<p> <b> <table> <tr> <td> <th> <caption> <li> <ul> <ol> <pre> <h1> <a> <blockquote> </p> </td> </table> </ul>"


@pytest.mark.parametrize("tag", ["div", "ul><li", "b", "table><tr><td"])
def test_what_is_nested_as_deep_as_is_accepted_is_read(tag: str) -> None:
    levels = 195 // (tag.count("<") + 1 + (tag.startswith("table")))  # a table gets a tbody of itself
    assert "x" in text(f"<{tag}>" * levels + "x")


@given(st.lists(st.sampled_from([*MARKUP.split(), "x", " ", "x", "<br>"])))
def test_no_markup_stops_it_and_no_text_is_lost(parts: list[str]) -> None:
    assert text("".join(parts)).count("x") == parts.count("x")


@pytest.mark.parametrize(
    ("values", "marked"), [([], None), (["false"], False), (["true"], True), (["nej"], True), (["false", "true"], True)]
)
def test_the_mark_for_what_is_not_sensitive(values: list[str], marked: bool | None) -> None:
    metadata = [Metadata("SENSITIVE", value) for value in values] + [Metadata("Other", "false")]
    assert is_marked_sensitive(new_message("A", text="b", metadata=metadata)) is marked
    assert is_marked_sensitive(new_message("A", text="b", metadata=[NOT_SENSITIVE])) is False


@pytest.mark.parametrize(
    ("language", "tag"), [("svSE", "sv-SE"), ("en", "en"), ("fi-FI", "fi-FI"), ("x-klingon", "sv")]
)
def test_languages(language: str, tag: str) -> None:
    assert language_tag(language) == tag
