"""Threads that pages leave to services: however many people fetch however slowly, a delivery finds one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mm_soap.soap.model import StartResponse, Wsgi

_SHARE: Final = 4
"""One of so many threads is left to services."""
_PAGE: Final = """\
<!doctype html><html lang="sv"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\
<title>Försök igen om en stund</title></head><body>\
<p>Många använder sidorna just nu. Ladda om sidan om en stund.</p>\
<p lang="en">Many use these pages just now. Load this one again in a while.</p></body></html>
""".encode()
_HEADERS: Final = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", str(len(_PAGE))),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Retry-After", "5"),
]


def leaving_room(pages: Mapping[str, Wsgi], threads: int) -> dict[str, Wsgi]:
    """Return applications of pages that together answer at most three quarters of the threads' requests at once.

    A request counts until its answer is sent: a client that takes it slowly holds a thread. Whoever comes when there is
    no room gets HTTP 503 at once. To wait for room would take a thread too.

    Args:
        pages: applications by path.
        threads: how many requests the server answers at once.
    """
    room = threading.BoundedSemaphore(max(1, threads - max(1, threads // _SHARE)))
    return {path: _within(room, page) for path, page in pages.items()}


def _within(room: threading.BoundedSemaphore, page: Wsgi) -> Wsgi:
    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if not room.acquire(blocking=False):
            start_response("503 Service Unavailable", _HEADERS)
            return [_PAGE]
        try:
            return _Answer(page(environ, start_response), room)
        except BaseException:
            room.release()
            raise

    return application


class _Answer:
    """What an application answers; its room is free again when the server closes it, as every server must."""

    def __init__(self, pieces: Iterable[bytes], room: threading.BoundedSemaphore) -> None:
        self._pieces = pieces
        self._room: threading.BoundedSemaphore | None = room

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        room, self._room = self._room, None
        try:
            if hasattr(self._pieces, "close"):
                self._pieces.close()
        finally:
            if room is not None:
                room.release()
