"""How much of a request has come, told by its framing alone: so that no thread waits for the rest.

The server's own parser decides what a request is and what it says. Here is only told when it may begin: when all that
it will read is there, or when it will refuse what is there. It never reads from the connection itself.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum, auto
from typing import Any, Final

from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)
_DIGITS: Final = re.compile(rb"[0-9]{1,15}")
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,32}")
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding[ \t]*:[^\r\n]*chunked", re.IGNORECASE)
_EXPECT: Final = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_LONGEST_HEAD: Final = 65_536
_LONGEST_LINE: Final = 8190
"""Of a chunk's size, as the server's parser allows."""
_LONGEST_TRAILER: Final = 65_536
_MOST_CHUNKS: Final = 50_000
"""A body within any sensible limit comes in fewer; each costs processor time."""
_FIRST: Final = 16_384
_MOST_AT_ONCE: Final = 1024 * 1024


class _Stand(Enum):
    HEAD = auto()
    BODY = auto()
    WHOLE = auto()
    """All of the request is there."""
    ENOUGH = auto()
    """What is there will be refused; where the request ends is not known."""


class Arrival:
    """The bytes of one request as they come.

    Args:
        deadline: when it must be there, on the monotonic clock.
        limit: a longer body is not waited for: the application refuses it by its length.
    """

    __slots__ = ("_chunks", "_first", "_head", "_limit", "_pieces", "_stand", "_wanted", "deadline", "held", "size")

    def __init__(self, deadline: float, limit: int) -> None:
        self.deadline = deadline
        self.size = 0
        """Bytes that have come."""
        self.held = 0
        """Bytes that were counted as held while the connection was put aside."""
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._head = bytearray()
        self._first = b""
        self._stand = _Stand.HEAD
        self._wanted = 0
        self._chunks: _Chunks | None = None

    def add(self, piece: bytes) -> None:
        """Take in what came."""
        self.size += len(piece)
        if self._stand is _Stand.HEAD:
            self._add_to_head(piece)
            return
        self._pieces.append(piece)
        if self._stand is _Stand.BODY:
            self._look_at_body(piece)

    @property
    def whole(self) -> bool:
        """Whether nothing more has to be waited for."""
        return self._stand in (_Stand.WHOLE, _Stand.ENOUGH)

    @property
    def complete(self) -> bool:
        """Whether all of the request is there, so that another may follow it."""
        return self._stand is _Stand.WHOLE

    @property
    def endless_head(self) -> bool:
        """Whether the head is longer than any that is read."""
        return self._stand is _Stand.ENOUGH and not self._first

    @property
    def next_size(self) -> int:
        """How many bytes to ask for next."""
        return max(_FIRST, min(_MOST_AT_ONCE, self._wanted - self.size))

    def takes_continue(self) -> bool:
        """Tell whether the sender waits for ``100 Continue``; from then on it is as if it had not said so."""
        found = _EXPECT.search(self._first)
        if found is None or self._stand is not _Stand.BODY:
            return False
        removed = found.end() - found.start()
        self._first = self._first[: found.start()] + self._first[found.end() :]
        self.size -= removed
        self._wanted -= removed
        return True

    def take(self) -> deque[bytes]:
        """Give the bytes away."""
        pieces = self._pieces
        beginning = self._first or bytes(self._head)
        if beginning:
            pieces.appendleft(beginning)
        return pieces

    def _add_to_head(self, piece: bytes) -> None:
        searched = max(0, len(self._head) - len(_END) + 1)
        if self._head:
            self._head += piece
            end = self._head.find(_END, searched)
        else:
            end = piece.find(_END)
            if end < 0:
                self._head += piece
        if end < 0:
            if self.size > _LONGEST_HEAD:
                self._stand = _Stand.ENOUGH
            return
        came = bytes(self._head) or piece
        self._head.clear()
        start = end + len(_END)
        self._first, rest = came[:start], came[start:]
        if rest:
            self._pieces.append(rest)
        self._begin_body(start)
        if self._stand is _Stand.BODY:
            self._look_at_body(rest)

    def _begin_body(self, start: int) -> None:
        self._stand = _Stand.BODY
        if _CHUNKED.search(self._first):
            self._chunks = _Chunks(self._limit)
            return
        length = _LENGTH.search(self._first)
        if length is None:
            # Of a POST this says nothing of where the next one begins: it is refused, and the connection ends.
            self._stand = _Stand.ENOUGH if self._first.startswith(b"POST ") else _Stand.WHOLE
            return
        digits = length[1].strip(b" \t")
        if not _DIGITS.fullmatch(digits) or int(digits) > self._limit:
            self._stand = _Stand.ENOUGH
            return
        self._wanted = start + int(digits)

    def _look_at_body(self, piece: bytes) -> None:
        if self._chunks is None:
            if self.size >= self._wanted:
                self._stand = _Stand.WHOLE
            return
        self._chunks.add(piece)
        if self._chunks.ended:
            self._stand = _Stand.WHOLE if self._chunks.good else _Stand.ENOUGH


class _Chunks:
    """Looks for the end of a body in chunks. Source: RFC 9112, section 7.1."""

    __slots__ = ("_count", "_in_trailer", "_left", "_limit", "_line", "_trailer", "ended", "good")

    def __init__(self, limit: int) -> None:
        self.ended = False
        self.good = False
        self._limit = limit
        self._left = 0
        self._count = 0
        self._line = b""
        self._in_trailer = False
        self._trailer = 0

    def add(self, piece: bytes) -> None:
        """Take in what came."""
        position = 0
        while position < len(piece) and not self.ended:
            if self._left:
                step = min(self._left, len(piece) - position)
                self._left -= step
                position += step
                continue
            end = piece.find(b"\n", position)
            stop = end + 1 if end >= 0 else len(piece)
            line = self._line + piece[position:stop]
            position = stop
            self._line = b"" if end >= 0 else line
            if len(line) > (_LONGEST_TRAILER if self._in_trailer else _LONGEST_LINE):
                self.ended = True
            elif end >= 0:
                self._read(line)

    def _read(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            self.ended = True
        elif self._in_trailer:
            self._trailer += len(line)
            self.good = line == b"\r\n"
            self.ended = self.good or self._trailer > _LONGEST_TRAILER
        else:
            self._begin_chunk(line[:-2].partition(b";")[0].rstrip(b" \t"))

    def _begin_chunk(self, digits: bytes) -> None:
        if not _SIZE.fullmatch(digits):
            self.ended = True
            return
        size = int(digits, 16)
        self._count += 1
        self._limit -= size
        if size == 0:
            self._in_trailer = True
        elif self._limit < 0 or self._count > _MOST_CHUNKS:
            self.ended = True
        else:
            self._left = size + 2


class Arrived(SocketUnreader):  # type: ignore[misc]
    """What the server's parser reads from: the bytes that have come. What has not come is not there."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.pieces: deque[bytes] = deque()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, at most as many as the parser wants or a few thousand; none at the end."""
        if not self.pieces:
            return b""
        piece = self.pieces.popleft()
        most = max(size_hint or 0, self.mxchunk)
        if len(piece) > most:
            self.pieces.appendleft(piece[most:])
            piece = piece[:most]
        return piece
