"""A file that is sent while it is made, and what happens when it cannot be made to its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mm_soap.web.inbox.export import whole_or_broken_off


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
