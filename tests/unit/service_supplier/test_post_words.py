"""What a notice says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from mm_soap.service_supplier import NoticeRules
from mm_soap.service_supplier.post_words import words_for

from .notified import RULES

NAMING = replace(RULES, name_senders=True)


@pytest.mark.parametrize("channel", ["EMail", "SMS"])
@pytest.mark.parametrize("language", ["sv", "en"])
def test_senders_are_named_only_where_the_operator_says_so(channel: str, language: str) -> None:
    without = words_for(channel, language, ["Kommun <A>"], RULES)
    assert without == words_for(channel, language, [], RULES)
    named = words_for(channel, language, ["Kommun <A>", "Kommun <A>", "Region\nB\u202e"], NAMING)
    assert "Kommun <A>, Region B" in named.text
    assert "\u202e" not in named.text + named.html
    assert "<A>" not in named.html


def test_many_senders_and_long_names_are_cut() -> None:
    names = [f"Kommun {number} {'x' * 300}" for number in range(20)]
    for channel in ("EMail", "SMS"):
        words = words_for(channel, "sv", names, NAMING)
        assert "med flera" in words.text
        assert len(words.text) < 1000


@pytest.mark.parametrize("language", ["sv", "en"])
def test_the_html_says_what_the_text_says_and_fetches_nothing(language: str) -> None:
    words = words_for("EMail", language, [], RULES)
    page = LexborHTMLParser(words.html)
    assert page.root is not None
    assert page.root.attributes["lang"] == language
    assert {tag.tag for tag in page.css("body *")} == {"p", "a"}
    links = [tag.attributes["href"] for tag in page.css("a")]
    assert links == [RULES.inbox, RULES.settings]
    assert all(str(link) in words.text for link in links)
    assert "Brevlåda & Co" in words.text
    assert "Brevlåda &amp; Co" in words.html


@pytest.mark.parametrize("language", ["sv", "en"])
def test_without_pages_there_are_no_links(language: str) -> None:
    bare = NoticeRules(operator="Brevlåda")
    for channel in ("EMail", "SMS"):
        words = words_for(channel, language, [], bare)
        assert "http" not in words.text + words.html
        assert "\n\n\n" not in words.text


def test_an_sms_is_one_line_that_fits_one_message() -> None:
    words = words_for("SMS", "sv", [], RULES)
    assert (words.subject, words.html) == (None, "")
    assert words.text == ("Du har ny post i din digitala brevlåda hos Brevlåda & Co. https://brevlada.example/Inbox")
    assert len(words.text) <= 160


@given(st.lists(st.text(max_size=200), max_size=9), st.sampled_from(["EMail", "SMS"]), st.sampled_from(["sv", "en"]))
def test_a_name_is_never_markup_or_a_line_of_its_own(names: list[str], channel: str, language: str) -> None:
    words = words_for(channel, language, names, NAMING)
    if channel == "SMS":
        assert "\n" not in words.text
    else:
        plain = words_for(channel, language, [], RULES)
        tags = [tag.tag for tag in LexborHTMLParser(words.html).css("*")]
        assert tags == [tag.tag for tag in LexborHTMLParser(plain.html).css("*")]
        assert len(words.text.split("\n")) <= len(plain.text.split("\n")) + 1
