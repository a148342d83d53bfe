"""A request arrives the same, in as few pieces as may be."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from mm_soap.soap.one_piece import OnePiece

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Recording:
    """A socket that remembers what was sent at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(bytes(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Plain(HTTPConnection):
    pass


class Joined(OnePiece, HTTPConnection):
    pass


def sent_by(kind: type[HTTPConnection], *bodies: bytes | None) -> list[bytes]:
    here, there = socket.socketpair()
    with here, there:
        recording = Recording(here)
        connection = kind("127.0.0.1")
        connection.sock = recording  # type: ignore[assignment]
        for body in bodies:
            there.sendall(ANSWER)
            connection.request("POST" if body is not None else "GET", "/x", body=body, preload_content=False)
            assert connection.getresponse().read() == b"ok"
    return recording.sent


@pytest.mark.parametrize("size", [0, 1, 2000, 65_536, 65_537, 1_000_000, None])
def test_the_same_bytes_in_one_piece_where_they_are_few(size: int | None) -> None:
    body = None if size is None else b"x" * size
    sent = sent_by(Joined, body, body)
    assert b"".join(sent) == b"".join(sent_by(Plain, body, body))
    assert len(sent) == (2 if size is None or size <= 65_536 else 4)


def test_a_head_whose_body_never_went_out_is_forgotten() -> None:
    connection = Joined("127.0.0.1")
    sent: list[bytes] = []
    for path, body in (("/first", iter([])), ("/second", b"x")):
        here, there = socket.socketpair()
        with here, there:
            recording = Recording(here)
            connection.sock = recording  # type: ignore[assignment]
            connection.request("POST", path, body=body, headers={"Content-Length": "1"})
            connection.close()
        sent += recording.sent
    assert [piece[:12] for piece in sent] == [b"POST /second"]
