"""gunicorn's threaded worker, with threads for requests that are there, and none for those that still arrive."""

from __future__ import annotations

import logging
import select
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.http.errors import LimitRequestHeaders, ParseException  # type: ignore[import-untyped]
from gunicorn.sock import ssl_wrap_socket  # type: ignore[import-untyped]
from gunicorn.util import write_error  # type: ignore[import-untyped]

from mm_soap.contract import prepare
from mm_soap.soap.arrival import Arrival, Arrived
from mm_soap.soap.connections import TO_BE_WATCHED, ConnectionsWorker, left_over

_log = logging.getLogger(__name__)

_LINGER_MS: Final = 100
_FIRST_WAIT_MS: Final = 20
"""How long a thread waits for the rest of a request before it turns to another."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_PAGES: Final = {
    "ExpectationFailed": (417, "Expectation Failed"),
    "ForbiddenProxyRequest": (403, "Forbidden"),
    "LimitRequestHeaders": (431, "Request Header Fields Too Large"),
    "LimitRequestLine": (414, "URI Too Long"),
    "UnsupportedTransferCoding": (501, "Not Implemented"),
}
"""How the server answers what never becomes a request, by the name of gunicorn's exception; anything else with 400."""


def _hold_back(sock: Any, held: bool) -> None:
    """Let the system send full packets alone, for at most a fifth of a second; or, again, what is there."""
    with suppress(OSError):  # closed by now
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, held)


class ArrivalWorker(ConnectionsWorker):
    """gunicorn's threaded worker, which by itself waits in a thread for a request that arrives in drips.

    Here a thread takes what has come; if more is to come, the connection goes back to the main loop, which watches any
    number of them and ends those that are late. The parser begins when all that it will read is there, so no thread
    ever waits for a client to send. One that does not take its answer holds a thread for `answer_seconds`.
    """

    arrival_seconds = 30.0
    answer_seconds = 30.0
    body_limit = 8 * 1024 * 1024

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting = 0

    def get_thread_pool(self) -> Any:
        """Return the threads; each compiles its schema before its first call."""
        return ThreadPoolExecutor(max_workers=self.cfg.threads, initializer=prepare)

    def handle(self, conn: Any) -> Any:
        """Handle the requests of a connection that follow one another closely, unless others wait for a thread.

        Else a few that send without an end would have all of the threads.
        """
        with self.lock:
            self.queued -= 1
        kept = self._handle_one(conn)
        while kept is True and not self.queued and (left_over(conn) or (self.alive and self._next_is_near(conn))):
            kept = self._handle_one(conn)
        return kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request."""
        conn.sock.settimeout(self.answer_seconds)
        if not conn.complete:
            req.force_close()  # where the next request would begin is not known
        # gunicorn sends the head of an answer and its body apart; the other side would wake up for each.
        _hold_back(conn.sock, True)
        try:
            return super().handle_request(req, conn)
        finally:
            _hold_back(conn.sock, False)

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

    def _next_is_near(self, conn: Any) -> bool:
        """Wait a moment for the next request of a connection, in the thread that answered the last one.

        To give the connection back to the main loop and to get it again costs as much as a small request.
        """
        return self._readable(conn.sock, _LINGER_MS)

    def _readable(self, sock: Any, milliseconds: int) -> bool:
        """Wait for bytes; at most half of the threads wait so."""
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        with self.lock:
            if self.waiting >= self.cfg.threads // 2:
                milliseconds = 0
            self.waiting += 1
        try:
            waiting = select.poll()
            waiting.register(sock, select.POLLIN)
            return bool(waiting.poll(milliseconds))
        finally:
            with self.lock:
                self.waiting -= 1

    def _handle_one(self, conn: Any) -> Any:
        """Handle one request if it has arrived; else let the main loop watch the connection."""
        arrival: Arrival | None = getattr(conn, "arrival", None)
        if arrival is None:
            arrival = conn.arrival = Arrival(time.monotonic() + self.arrival_seconds, self.body_limit)
            conn.data_ready = False
        self.hold(arrival, 0)
        try:
            conn.sock.setblocking(False)
            if not self._open(conn) or not self._take(conn, arrival):
                return self._put_aside(conn, arrival)
        except (OSError, ValueError):  # ssl.SSLError is an OSError; a bad handshake that leaves no file, a ValueError
            return False
        conn.arrival = None
        if not arrival.size:
            return False  # the client closed an idle connection
        if arrival.endless_head:
            self.handle_error(None, conn.sock, conn.client, LimitRequestHeaders("head"))
            return False
        conn.complete = arrival.complete
        conn.parser.unreader.pieces = arrival.take()
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
                    if conn.data_ready or not self._readable(conn.sock, _FIRST_WAIT_MS):
                        return False
        conn.parser = get_parser(self.cfg, conn.sock, conn.client)
        conn.parser.unreader = Arrived(conn.sock)
        conn.initialized = True
        return True

    def _take(self, conn: Any, arrival: Arrival) -> bool:
        """Take what has come of a request; tell whether nothing more is to be waited for."""
        unreader = conn.parser.unreader
        if not arrival.size:
            left = unreader.take_buffered()
            for piece in ([left] if left else []) + list(unreader.pieces):
                arrival.add(piece)
            unreader.pieces.clear()
        while not arrival.whole:
            try:
                piece = conn.sock.recv(arrival.next_size)
            except (BlockingIOError, ssl.SSLWantReadError):
                if arrival.takes_continue():
                    conn.sock.settimeout(self.answer_seconds)
                    conn.sock.sendall(_CONTINUE)
                    conn.sock.setblocking(False)
                if conn.data_ready or not self._readable(conn.sock, _FIRST_WAIT_MS):
                    return False
                continue
            if not piece:
                return True  # an end: the parser finds what is there
            arrival.add(piece)
        return True

    def _put_aside(self, conn: Any, arrival: Arrival) -> Any:
        if self.hold(arrival, arrival.size):
            return TO_BE_WATCHED
        with suppress(OSError):
            write_error(conn.sock, 503, "Service Unavailable", "")
        return False
