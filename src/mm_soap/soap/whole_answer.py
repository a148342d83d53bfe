"""Connections whose time limit holds for the whole of an answer, and not only for each wait for some bytes of it."""

from __future__ import annotations

import http.client
import io
import socket
import time
from functools import partial
from typing import Any


class WholeAnswer:
    """Goes before a connection class of urllib3.

    The connection's time limit for reading then counts from the end of the request to the last byte of the answer. A
    request may take as long to send, however little the connection itself may take.
    """

    sock: Any
    timeout: Any
    response_class: Any
    send_seconds: float
    """How long the sending of one request may take, in seconds."""

    def connect(self) -> None:
        """Connect, then allow for sending what it may take."""
        super().connect()  # type: ignore[misc]
        if self.sock is not None:
            self.sock.settimeout(self.send_seconds)

    def getresponse(self) -> Any:
        """Return the response, whose every read knows when it must be there."""
        self.response_class = partial(_Response, deadline=time.monotonic() + self.timeout)
        return super().getresponse()  # type: ignore[misc]


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Stream(sock, deadline))


class _Stream(io.RawIOBase):
    """What comes from a socket, until a moment."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # it keeps the socket open until it is closed itself
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
