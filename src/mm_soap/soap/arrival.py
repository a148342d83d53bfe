"""Whether a request has arrived whole, without reading it: a guess by its head, so that no thread waits for the rest.

The server's own parser decides what a request is. Where the guess is wrong, the parser waits for what is missing, or
leaves what is too much; both end at the deadline of the arrival.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Final

from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_EXPECT: Final = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_LONGEST_HEAD: Final = 65_536
"""A head of more bytes is the parser's to refuse."""
_FIRST: Final = 16_384
_MOST_AT_ONCE: Final = 1024 * 1024


class Arrival:
    """The bytes of one request as they come.

    Args:
        deadline: when it must be there, on the monotonic clock.
        limit: a longer body is not waited for: the application refuses it by its length.
    """

    __slots__ = ("_after_head", "_limit", "_wanted", "deadline", "pieces", "size")

    def __init__(self, deadline: float, limit: int) -> None:
        self.deadline = deadline
        self.pieces: deque[bytes] = deque()
        self.size = 0
        """Bytes that have come."""
        self._limit = limit
        self._wanted: int | None = None
        self._after_head = False

    def add(self, piece: bytes) -> None:
        """Take in what came."""
        self.size += len(piece)
        self.pieces.append(piece)

    @property
    def whole(self) -> bool:
        """Whether nothing more has to be waited for."""
        if self._wanted is None and not self._after_head:
            self._look_at_head()
        if self._wanted is not None:
            return self.size >= self._wanted
        return self._after_head and (self.size > self._limit or self._tail().endswith(_END))

    @property
    def next_size(self) -> int:
        """How many bytes to ask for next."""
        if self._wanted is None:
            return _FIRST
        return max(_FIRST, min(_MOST_AT_ONCE, self._wanted - self.size))

    def takes_continue(self) -> bool:
        """Tell whether the sender waits for ``100 Continue``; from then on it is as if it had not said so."""
        head = self.pieces[0] if self.pieces else b""
        found = _EXPECT.search(head, 0, max(0, head.find(_END)) + 2)
        if found is None:
            return False
        self.pieces[0] = head[: found.start()] + head[found.end() :]
        removed = found.end() - found.start()
        self.size -= removed
        if self._wanted is not None:
            self._wanted -= removed
        return True

    def _look_at_head(self) -> None:
        if len(self.pieces) > 1:
            joined = b"".join(self.pieces)
            self.pieces.clear()
            self.pieces.append(joined)
        head = self.pieces[0] if self.pieces else b""
        end = head.find(_END)
        if end < 0:
            if self.size > _LONGEST_HEAD:
                self._wanted = 0
            return
        self._after_head = True
        start = end + len(_END)
        if _CHUNKED.search(head, 0, end):
            return  # whole when it ends as a last chunk does
        length = _LENGTH.search(head, 0, end + 2)
        body = int(length[1]) if length else 0
        self._wanted = start if body > self._limit else start + body

    def _tail(self) -> bytes:
        if len(self.pieces) == 1:
            # A chunked body of which nothing has come ends as its head does.
            head = self.pieces[0]
            return head[-5:] if head.find(_END) + len(_END) < len(head) else b""
        return (self.pieces[-2] + self.pieces[-1])[-5:] if len(self.pieces[-1]) < 5 else self.pieces[-1][-5:]


class Arrived(SocketUnreader):  # type: ignore[misc]
    """What the server's parser reads from: the bytes that have come, then the connection."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.pieces: deque[bytes] = deque()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, at most as many as the parser wants or a few thousand."""
        if not self.pieces:
            more: bytes = super().chunk(size_hint)
            return more
        piece = self.pieces.popleft()
        most = max(size_hint or 0, self.mxchunk)
        if len(piece) > most:
            self.pieces.appendleft(piece[most:])
            piece = piece[:most]
        return piece
