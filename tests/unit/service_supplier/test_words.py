"""The words of a message are what a slow and plain reading finds."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mm_soap.service_supplier.searching import MOST_TERMS, terms_of


def plainly(text: str) -> list[str]:
    folded = unicodedata.normalize("NFC", text.casefold())
    letters: list[str] = []
    for each in folded:
        parts = each if each in "åäö" else unicodedata.normalize("NFKD", each)
        letters += [part for part in parts if not unicodedata.combining(part)]
    words = "".join(each if each.isalnum() else " " for each in letters).split()
    return list(dict.fromkeys(word[:64] for word in words))[:MOST_TERMS]


@given(st.text(st.sampled_from("aAåÅéÉüß_ -/1²½Ⅷﬁ\n\u0301"), max_size=200) | st.text(max_size=200))
def test_words_are_split_and_folded_as_a_plain_reading_does(text: str) -> None:
    assert terms_of(text) == plainly(text)
