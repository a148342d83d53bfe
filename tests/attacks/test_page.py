"""The page of attacks says what is tried."""

from __future__ import annotations

from tests.attacks.page import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.attacks.page"
