"""Connections that send a small request in one piece.

Python's client sends the head by itself, and then the body: the other side wakes up twice, and looks at half a request.
"""

from __future__ import annotations

from typing import Any, Final

_MOST_JOINED: Final = 65_536
"""Bytes of a body that is copied to stand behind its head; a larger one comes in several pieces anyhow."""


class OnePiece:
    """Goes before a connection class of urllib3."""

    _holding = False
    _head = b""

    def endheaders(self, *args: Any, **options: Any) -> None:
        """End the head, and keep it until the body comes."""
        self._head, self._holding = b"", True
        try:
            super().endheaders(*args, **options)  # type: ignore[misc]
        finally:
            self._holding = False

    def send(self, data: Any) -> None:
        """Send bytes, after the head if that is still here."""
        if self._holding:
            self._head += data
            return
        head, self._head = self._head, b""
        if head and isinstance(data, bytes) and len(data) <= _MOST_JOINED:
            data, head = head + data, b""
        for piece in (head, data):
            if piece:
                super().send(piece)  # type: ignore[misc]

    def getresponse(self) -> Any:
        """Return the response; a request without a body is sent now."""
        if self._head:
            self.send(b"")
        return super().getresponse()  # type: ignore[misc]
