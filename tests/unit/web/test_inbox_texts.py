"""The sentences of the inbox."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import mm_soap.web
from mm_soap.web.inbox.texts import LANGUAGES, TEXTS, told

WEB = Path(mm_soap.web.__file__).parent
SOURCES = [*(WEB / "inbox").glob("*.py"), *(WEB / "templates/inbox").glob("*.html")]
MADE = re.compile(
    r"^(kind|removed|account|agreement|done|folders|signed|closed|error|missing|old|away|place|turn|case\.turn|case\.then|waiting\.kind)\."
)
"""Keys that are put together where they are used."""


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_ask_for_the_same_words(key: str) -> None:
    wanted = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in TEXTS[key]]
    assert wanted[0] == wanted[1]
    assert all(text.strip() for text in TEXTS[key])


def test_each_language_has_its_own_sentence() -> None:
    assert [told(language, "inbox") for language in LANGUAGES] == ["Inkorg", "Inbox"]


def test_every_sentence_is_used_and_every_used_one_is_there() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in SOURCES if not file.name.startswith("texts"))
    assert [key for key in TEXTS if f'"{key}"' not in text and not MADE.match(key)] == []
    used = re.findall(r'\bt\("([a-z_.]+)"[,)]', text)
    assert [key for key in used if key not in TEXTS] == []


@pytest.mark.parametrize("file", sorted((WEB / "templates/inbox").glob("*.html")), ids=lambda file: file.name)
def test_templates_hold_no_words_of_their_own(file: Path) -> None:
    text = re.sub(r"<style>.*?</style>|{#.*?#}|{%.*?%}|{{.*?}}", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    outside = re.sub(r'<[^>]*>|[a-z-]+="[^"]*"', "", text)  # a macro may hold attributes alone
    inside = re.findall(r'(?:title|alt|aria-label|placeholder|content)="([^"]*[A-Za-zÅÄÖåäö][^"]*)"', text)
    assert re.findall(r"[A-Za-zÅÄÖåäö]+", outside) == []
    assert [each for each in inside if not each.startswith(("width=device-width", "light dark"))] == []
