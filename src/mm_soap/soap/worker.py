"""gunicorn's threaded worker, with threads for requests that are there, and none for those that still arrive."""

from __future__ import annotations

import logging
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.sock import ssl_wrap_socket  # type: ignore[import-untyped]
from gunicorn.util import write_error  # type: ignore[import-untyped]
from gunicorn.workers.gthread import _DEFER, ThreadWorker  # type: ignore[import-untyped]

from mm_soap.contract import prepare
from mm_soap.soap.arrival import Arrival, Arrived
from mm_soap.soap.model import StartResponse, Wsgi

_log = logging.getLogger(__name__)

_LINGER_MS: Final = 100
_FIRST_WAIT_MS: Final = 20
"""How long a thread waits for the rest of a request before it turns to another."""
_MOST_HELD: Final = 256 * 1024 * 1024
"""Bytes of requests that have not arrived whole, over all connections."""
_SEND_SECONDS: Final = 30
"""How long a client may take to take the next bytes of an answer."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_PAGES: Final = {
    "ExpectationFailed": (417, "Expectation Failed"),
    "ForbiddenProxyRequest": (403, "Forbidden"),
    "LimitRequestHeaders": (431, "Request Header Fields Too Large"),
    "LimitRequestLine": (414, "URI Too Long"),
    "UnsupportedTransferCoding": (501, "Not Implemented"),
}
"""How the server answers what never becomes a request, by the name of gunicorn's exception; anything else with 400."""


class ArrivalWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, which by itself waits without end for a request that arrives in drips.

    Here a thread takes what has come; if more is to come, the connection goes back to the main loop, which watches any
    number of them. A request that is late is ended there, and one that the parser waits for too, once a second.
    """

    arrival_seconds = 30.0
    body_limit = 8 * 1024 * 1024

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arriving: dict[int, tuple[float, Any]] = {}
        self.arriving_lock = threading.Lock()
        self.waiting = 0
        self.held = 0

    def get_thread_pool(self) -> Any:
        """Return the threads; each compiles its schema before its first call."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads, initializer=prepare)

    def load_wsgi(self) -> None:
        """Load the application, and let it tell when it has read a request."""
        super().load_wsgi()
        loaded: Wsgi = self.wsgi
        self.wsgi: Wsgi = self._with_arrival(loaded)

    def _with_arrival(self, application: Wsgi) -> Wsgi:
        def noted(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
            environ["mm_soap.received"] = self._arrived
            return application(environ, start_response)

        return noted

    def handle(self, conn: Any) -> Any:
        """Handle the requests of a connection that follow one another closely."""
        kept = self._handle_one(conn)
        while kept is True and self.alive and (_left_over(conn) or self._next_is_near(conn)):
            kept = self._handle_one(conn)
        return kept

    def _next_is_near(self, conn: Any) -> bool:
        """Wait a moment for the next request of a connection, in the thread that answered the last one.

        To give the connection back to the main loop and to get it again costs as much as a small request.
        """
        return self._readable(conn.sock, _LINGER_MS)

    def _readable(self, sock: Any, milliseconds: int) -> bool:
        """Wait for bytes; at most half of the threads wait so."""
        with self.arriving_lock:
            if self.waiting >= self.cfg.threads // 2:
                milliseconds = 0
            self.waiting += 1
        try:
            if isinstance(sock, ssl.SSLSocket) and sock.pending():
                return True
            waiting = select.poll()
            waiting.register(sock, select.POLLIN)
            return bool(waiting.poll(milliseconds))
        finally:
            with self.arriving_lock:
                self.waiting -= 1

    def _handle_one(self, conn: Any) -> Any:
        """Handle one request if it has arrived; else let the main loop watch the connection."""
        arrival: Arrival | None = getattr(conn, "arrival", None)
        if arrival is None:
            arrival = conn.arrival = Arrival(time.monotonic() + self.arrival_seconds, self.body_limit)
            conn.data_ready = False
        try:
            conn.sock.setblocking(False)
            if not self._open(conn) or not self._take(conn, arrival):
                return self._put_aside(conn, arrival)
            conn.arrival = None
            conn.parser.unreader.pieces.extend(arrival.pieces)
        except (OSError, ValueError):  # ssl.SSLError is one; a socket that the main loop closed raises the other
            return False
        with self._deadline(conn, arrival.deadline):
            return super().handle(conn)

    def _open(self, conn: Any) -> bool:
        """Make the parser of a new connection, after the handshake where it is one of TLS. False to wait for more."""
        if conn.initialized:
            return True
        if self.cfg.is_ssl:
            if not isinstance(conn.sock, ssl.SSLSocket):
                conn.sock = ssl_wrap_socket(conn.sock, self.cfg)
                conn.sock.setblocking(False)
            while True:
                try:
                    conn.sock.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    if not self._readable(conn.sock, _FIRST_WAIT_MS):
                        return False
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_SECONDS, 0))
        conn.parser = get_parser(self.cfg, conn.sock, conn.client)
        conn.parser.unreader = Arrived(conn.sock)
        conn.initialized = True
        return True

    def _take(self, conn: Any, arrival: Arrival) -> bool:
        """Take what has come of a request; tell whether it is there."""
        unreader = conn.parser.unreader
        if not arrival.size:
            left = unreader.take_buffered()
            for piece in ([left] if left else []) + list(unreader.pieces):
                arrival.add(piece)
            unreader.pieces.clear()
        patience = _FIRST_WAIT_MS
        while not arrival.whole:
            try:
                piece = conn.sock.recv(arrival.next_size)
            except (BlockingIOError, ssl.SSLWantReadError):
                if arrival.takes_continue():
                    with _blocking(conn.sock):
                        conn.sock.sendall(_CONTINUE)
                if conn.data_ready or not self._readable(conn.sock, patience):
                    return False
                continue
            if not piece:
                return True  # an end: the parser finds what is there
            arrival.add(piece)
        return True

    def _put_aside(self, conn: Any, arrival: Arrival) -> Any:
        with self.arriving_lock:
            held = self.held + arrival.size
        if held > _MOST_HELD:
            with suppress(OSError):
                write_error(conn.sock, 503, "Service Unavailable", "")
            return False
        return _DEFER

    @contextmanager
    def _deadline(self, conn: Any, deadline: float) -> Iterator[None]:
        """Let the main loop end the request if the parser waits for it beyond its deadline."""
        with self.arriving_lock:
            self.arriving[threading.get_ident()] = (deadline, conn)
        try:
            yield
        finally:
            self._arrived()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what cannot be read as a request; gunicorn's own page, and its log, would repeat what was sent."""
        if isinstance(exc, ssl.SSLError):
            return  # no handshake, so nothing that an answer could be read by
        code, reason = _PAGES.get(type(exc).__name__, (400, "Bad Request"))
        if not isinstance(exc, ParseException):
            code, reason = 500, "Internal Server Error"
            _log.error("unexpected in the server: %s", type(exc).__name__)
        with suppress(OSError):
            write_error(client, code, reason, "")

    def _arrived(self) -> None:
        with self.arriving_lock:
            self.arriving.pop(threading.get_ident(), None)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close what is idle for too long, and end requests that are late. The main loop calls this every second."""
        super().murder_keepalived(force)
        now = time.monotonic()
        with self.arriving_lock:
            for deadline, conn in self.arriving.values():
                if now > deadline:
                    try:
                        conn.sock.shutdown(socket.SHUT_RD)
                    except OSError:
                        continue
        self._end_late(now)

    def _end_late(self, now: float) -> None:
        """Close the connections that were put aside and whose requests are late."""
        held = 0
        kept: deque[Any] = deque()
        while self.pending_conns:
            conn = self.pending_conns.popleft()
            arrival: Arrival | None = getattr(conn, "arrival", None)
            if arrival is None or now <= arrival.deadline:
                held += arrival.size if arrival is not None else 0
                kept.append(conn)
                continue
            with suppress(OSError, KeyError, ValueError):
                self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            if arrival.size:
                with suppress(OSError):
                    write_error(conn.sock, 408, "Request Timeout", "")
            conn.close()
        self.pending_conns.extend(kept)
        with self.arriving_lock:
            self.held = held


def _left_over(conn: Any) -> bool:
    """Whether bytes of a further request came with the last one."""
    return bool(conn.parser.unreader.pieces or conn.parser.unreader.buf.getvalue())


@contextmanager
def _blocking(sock: Any) -> Iterator[None]:
    sock.setblocking(True)
    try:
        yield
    finally:
        sock.setblocking(False)
