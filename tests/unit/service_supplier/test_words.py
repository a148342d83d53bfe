"""The words of a message are what a slow and plain reading finds."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mm_soap.service_supplier.searching import MOST_TERMS, terms_of, words_in

LETTERS = "aAåÅéÉüß_ -/1²½Ⅷﬁ\n=<\u0301\u0338\u2013”…€ŒŠ\x85\x91µ"


def plainly(text: str) -> list[str]:
    folded = unicodedata.normalize("NFC", text.casefold())
    letters: list[str] = []
    for each in folded:
        parts = each if each in "åäö" else unicodedata.normalize("NFKD", each)
        letters += [part for part in parts if not unicodedata.combining(part)]
    words = "".join(each if each.isalnum() else " " for each in letters).split()
    return list(dict.fromkeys(word[:64] for word in words))


@given(st.text(st.sampled_from(LETTERS), max_size=200) | st.text(max_size=200))
def test_words_are_split_and_folded_as_a_plain_reading_does(text: str) -> None:
    assert terms_of(text) == plainly(text)[:MOST_TERMS]


@given(
    text=st.text(st.sampled_from(LETTERS), max_size=300) | st.text(max_size=300),
    most=st.integers(1, 200),
    piece=st.integers(1, 50),
)
def test_the_words_that_are_kept_are_the_first_of_a_plain_reading(text: str, most: int, piece: int) -> None:
    words = plainly(text)
    kept = " " + " ".join(words)
    while len(kept) > most:
        words.pop()
        kept = "".join(f" {word}" for word in words)
    assert words_in(text, most, piece) == kept
