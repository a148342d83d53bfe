"""gunicorn, with threads, quiet, and with an end to requests that do not arrive."""

from __future__ import annotations

import gc
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.util import write_error  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from mm_soap.contract import prepare
from mm_soap.errors import MmSoapError
from mm_soap.soap.model import StartResponse, Wsgi
from mm_soap.soap.tls import TlsFiles

_log = logging.getLogger(__name__)
_ARRIVAL_SECONDS: Final = 60.0
_LINGER_MS: Final = 100
_OBJECTS_BEFORE_COLLECTION: Final = 10_000


@dataclass(frozen=True)
class ServerSettings:
    """How gunicorn serves.

    ``host`` and ``port`` are where it listens; port 0 takes a free one. ``url`` is what the ready line shows, by
    default the address. ``graceful_seconds`` is how long calls under way may take after SIGTERM;
    ``keepalive_seconds`` how long an idle connection is kept; ``arrival_seconds`` how long a request may take to
    arrive, headers and body. ``tls`` is what it is known by; None for plain HTTP.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    url: str = ""
    threads: int = 8
    workers: int = 1
    graceful_seconds: int = 30
    keepalive_seconds: int = 75
    arrival_seconds: float = _ARRIVAL_SECONDS
    tls: TlsFiles | None = None


def serve(
    app_factory: Callable[[], Wsgi],
    settings: ServerSettings,
    *,
    start: Callable[[], None] | None = None,
    settle: Callable[[], None] | None = None,
    stop: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then leave through SystemExit when the calls under way are answered.

    Prints ``ready URL`` on standard output once a call gets an answer. Nothing else is printed.

    Args:
        app_factory: makes the application, in each worker process, after the fork.
        settings: how to serve.
        start: called in each worker process after the application is made and before the first call; for the threads
            that work beside the calls.
        settle: called in the first worker process, in a thread of its own, while calls are answered already; ``ready``
            is printed when it returns.
        stop: called in each worker process after the last call.
    """
    _Gunicorn(app_factory, settings, start, settle, stop).run()


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(
        self,
        app_factory: Callable[[], Wsgi],
        settings: ServerSettings,
        start: Callable[[], None] | None,
        settle: Callable[[], None] | None,
        stop: Callable[[], None] | None,
    ) -> None:
        self.app_factory = app_factory
        self.settings = settings
        self.start = start
        self.settle = settle
        self.stop = stop
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        chosen: dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": ArrivalWorker,
            "threads": settings.threads,
            "timeout": 60,
            "graceful_timeout": settings.graceful_seconds,
            "keepalive": settings.keepalive_seconds,
            # Its log lines hold paths, header values and texts of exceptions; ours say what happened without them.
            "loglevel": "critical",
            "accesslog": None,
            "control_socket_disable": True,
            "post_worker_init": self.worker_ready,
            "worker_exit": self.worker_exit,
        }
        if settings.tls is not None:
            context = settings.tls.context()
            chosen |= {
                "certfile": str(settings.tls.certificate),
                "keyfile": str(settings.tls.key),
                # By itself gunicorn reads all files anew for each connection.
                "ssl_context": lambda config, make: context,
                # The handshake comes after the connection has its deadline: one that breaks off would hold a thread.
                "do_handshake_on_connect": False,
            }
        for name, value in chosen.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Wsgi:
        try:
            return self.app_factory()
        except MmSoapError as error:
            _log.critical("cannot start: %s", error)
            raise

    def worker_ready(self, worker: Any) -> None:
        worker.arrival_seconds = self.settings.arrival_seconds
        # What was made up to now stays; and a call makes many objects that live as long as it does, none in a cycle.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
        if self.start is not None:
            self.start()
        if worker.age == 1:
            # The socket listens since before the fork, so a call that is made on this line waits in its queue at most
            # until the worker's loop begins.
            scheme = "https" if self.settings.tls else "http"
            address = _address(scheme, worker.sockets[0])
            threading.Thread(target=self.tell_ready, args=(address,), daemon=True).start()

    def tell_ready(self, address: str) -> None:
        if self.settle is not None:
            self.settle()
        print(f"ready {self.settings.url or address}", flush=True)

    def worker_exit(self, server: Any, worker: Any) -> None:
        if self.stop is not None and worker.booted:
            self.stop()


def _address(scheme: str, listener: Any) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


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

    A request under way is noted with its deadline. The main loop passes once a second and shuts the reading side of a
    connection whose request is late; the thread that waits for it then reads an end.
    """

    arrival_seconds = _ARRIVAL_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arriving: dict[int, tuple[float, Any]] = {}
        self.arriving_lock = threading.Lock()
        self.lingering = 0

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
        while kept is True and self._next_is_near(conn):
            kept = self._handle_one(conn)
        return kept

    def _next_is_near(self, conn: Any) -> bool:
        """Wait a moment for the next request of a connection, in the thread that answered the last one.

        To give the connection back to the main loop and to get it again costs as much as a small request. At most half
        of the threads wait so.
        """
        if not self.alive or conn.parser.unreader.buf.getvalue():
            return False  # gunicorn has its own way for both
        with self.arriving_lock:
            if self.lingering >= self.cfg.threads // 2:
                return False
            self.lingering += 1
        try:
            if isinstance(conn.sock, ssl.SSLSocket) and conn.sock.pending():
                return True
            waiting = select.poll()
            waiting.register(conn.sock, select.POLLIN)
            return bool(waiting.poll(_LINGER_MS))
        finally:
            with self.arriving_lock:
                self.lingering -= 1

    def _handle_one(self, conn: Any) -> Any:
        """Handle one request, with a deadline for its arrival."""
        me = threading.get_ident()
        with self.arriving_lock:
            self.arriving[me] = (time.monotonic() + self.arrival_seconds, conn)
        try:
            return super().handle(conn)
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
