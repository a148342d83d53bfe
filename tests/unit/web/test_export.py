"""A file that is sent while it is made, and what happens when it cannot be made to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from mm_soap.web.inbox.fetching import Places, whole_or_broken_off


def pieces(*, good: bool) -> Iterator[bytes]:
    yield b"1"
    yield b""
    yield b"2"
    if not good:
        raise ValueError("192705178354")


def test_pieces_come_in_order_and_none_is_empty() -> None:
    assert list(whole_or_broken_off(pieces(good=True))) == [b"1", b"2"]


def test_a_failure_breaks_the_connection_off_and_its_text_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectionResetError) as caught:
        list(whole_or_broken_off(pieces(good=False)))
    assert "ValueError" in caplog.text
    assert "192705178354" not in caplog.text + str(caught.value)


def taken(seconds_each: float) -> list[bytes]:
    """A hundred pieces of 20 kB, as far as they are handed on to somebody who needs so long for each."""
    moments = (seconds_each * (number // 2 + number % 2) for number in range(1000))
    found: list[bytes] = []
    with suppress(ConnectionResetError):
        found.extend(whole_or_broken_off((b"x" * 20_000 for _ in range(100)), lambda: next(moments)))
    return found


def test_who_takes_the_file_too_slowly_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    assert len(taken(20.0)) == 2
    assert "so slowly" in caplog.text


def test_a_poor_connection_is_not_broken_off_however_long_it_takes() -> None:
    assert len(taken(4.0)) == 100


def test_each_person_fetches_once_at_a_time_and_all_of_them_with_a_quarter_of_the_threads() -> None:
    places = Places(threads=8)
    assert places.take("anna")
    assert not places.take("anna")
    assert places.take("bertil")
    assert not places.take("cecilia")
    places.give_back("anna")
    assert places.take("cecilia")
    assert Places(threads=1).take("anna")
