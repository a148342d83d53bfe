"""What becomes of connections between requests: the main loop of the server.

A connection is in one place at a time: with a thread, or in one of the main loop's sets. Only the main loop moves it
from set to set, counts it and closes it.
"""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from gunicorn.util import write_error  # type: ignore[import-untyped]
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker  # type: ignore[import-untyped]

from mm_soap.soap.arrival import Arrival

_log = logging.getLogger(__name__)

TO_BE_WATCHED: Final = object()
"""What a thread returns for a connection whose request has not arrived whole."""

_MOST_HELD: Final = 256 * 1024 * 1024
"""Bytes of requests that have not arrived whole, over all connections."""
_LAST_SECONDS: Final = 2.0
"""How long a connection that is done with waits for the client to close it: by then it has read the answer."""
_BETWEEN_LOOKS: Final = 0.5
"""Seconds."""
_MOST_DISCARDED: Final = 65_536
_NO_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class ConnectionsWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker with a main loop that never waits for a single client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arriving: dict[Any, Arrival] = {}
        """Connections whose requests have not arrived whole."""
        self.parting: dict[Any, float] = {}
        """Connections that are done with, and until when the client may close them itself."""
        self.lock = threading.Lock()
        self.held = 0
        self.queued = 0
        """Connections that wait for a thread."""
        self.next_look = 0.0

    def hold(self, arrival: Arrival, size: int) -> bool:
        """Count what a request that still arrives takes of the memory. False, and nothing, where that is too much."""
        with self.lock:
            self.held -= arrival.held
            arrival.held = size if self.held + size <= _MOST_HELD else 0
            self.held += arrival.held
        return arrival.held == size

    def accept(self, listener: Any) -> None:
        """Accept a connection. Without a file for it, it waits in the queue of the system."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in _NO_FILES:
                raise
            _log.error("no connection can be accepted: %s", error.strerror)
            time.sleep(0.1)  # the connection stays in the queue, so the loop would turn without a pause

    def enqueue_req(self, conn: Any) -> None:
        """Let a connection wait for a thread."""
        with self.lock:
            self.queued += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Decide where a connection goes that a thread has done with."""
        try:
            result = False if fs.cancelled() else fs.result()
            if result is TO_BE_WATCHED:
                self._watch(conn)
            elif not result:
                self._part(conn)
            elif left_over(conn):
                self.enqueue_req(conn)
            else:
                self._keep(conn)
        except Exception:
            self._drop(conn)

    def _watch(self, conn: Any) -> None:
        self.arriving[conn] = conn.arrival
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._arrives, conn))

    def _arrives(self, conn: Any, sock: Any) -> None:
        self.poller.unregister(sock)
        del self.arriving[conn]
        conn.data_ready = True
        self.enqueue_req(conn)

    def _keep(self, conn: Any) -> None:
        conn.sock.setblocking(False)
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))

    def _part(self, conn: Any) -> None:
        """Say that nothing more will be sent, and let the client close the connection.

        To close it while the client still sends would take the answer away from it. gunicorn would wait here, for two
        seconds, and with it every other connection.
        """
        sock = conn.sock
        sock.setblocking(False)
        if isinstance(sock, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                sock.unwrap()  # tells the client, and does not wait for its answer
        sock.shutdown(socket.SHUT_WR)
        conn.discarded = 0
        self.parting[conn] = time.monotonic() + _LAST_SECONDS
        self.poller.register(sock, selectors.EVENT_READ, partial(self._parts, conn))

    def _parts(self, conn: Any, sock: Any) -> None:
        try:
            # Not what the TLS socket would do: it reads the bytes of the connection as they are.
            more = len(socket.socket.recv(sock, 4096))
        except BlockingIOError:
            return
        except OSError:
            more = 0
        conn.discarded += more
        if not more or conn.discarded > _MOST_DISCARDED:
            self._drop(conn)

    def _drop(self, conn: Any) -> None:
        """Close a connection, and count it no longer. It may be called twice."""
        if getattr(conn, "dropped", False):
            return
        conn.dropped = True
        self.nr_conns -= 1
        self.parting.pop(conn, None)
        arrival = self.arriving.pop(conn, None)
        if arrival is not None:
            self.hold(arrival, 0)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close what is idle for too long, and end requests that are late.

        The main loop calls this after whatever happens, and at least every second; to look at thousands of connections
        each time would be all that it does.
        """
        super().murder_keepalived(force)
        now = time.monotonic()
        if now < self.next_look and self.alive and not force:
            return
        self.next_look = now + _BETWEEN_LOOKS
        for conn, arrival in list(self.arriving.items()):
            # A worker that stops waits for requests that have begun to arrive, and for no others.
            if now > arrival.deadline or force or not (self.alive or arrival.size):
                if arrival.size:
                    with suppress(OSError):
                        write_error(conn.sock, 408, "Request Timeout", "")
                self._drop(conn)
        for conn, until in list(self.parting.items()):
            if now > until or force:
                self._drop(conn)


def left_over(conn: Any) -> bool:
    """Whether bytes of a further request came with the last one."""
    return bool(conn.parser.unreader.pieces or conn.parser.unreader.buf.getvalue())
