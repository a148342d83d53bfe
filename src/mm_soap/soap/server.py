"""gunicorn, with threads, quiet, and with an end to requests that do not arrive."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import resource
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from mm_soap.errors import ConfigurationError, MmSoapError
from mm_soap.soap.model import Wsgi
from mm_soap.soap.server_log import ServerLog
from mm_soap.soap.tls import TlsFiles
from mm_soap.soap.worker import ArrivalWorker

_log = logging.getLogger(__name__)
_ARRIVAL_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 30.0
_HEADER_BYTES: Final = 8190
_BODY_LIMIT: Final = 8 * 1024 * 1024
_MOST_CONNECTIONS: Final = 8192
_FILES_BESIDE: Final = 256
"""Files that a worker has open besides its connections."""
_OBJECTS_BEFORE_COLLECTION: Final = 10_000
_SECONDS_OF_A_TURN: Final = 0.0005
"""How long a thread runs Python while another one wants to."""


@dataclass(frozen=True)
class ServerSettings:
    """How gunicorn serves.

    ``host`` and ``port`` are where it listens; port 0 takes a free one. ``url`` is what the ready line shows, by
    default the address. ``graceful_seconds`` is how long calls under way may take after SIGTERM;
    ``keepalive_seconds`` how long an idle connection is kept; ``arrival_seconds`` how long a request may take to
    arrive, headers and body; ``answer_seconds`` how long a client may take to take the answer; a body longer than
    ``body_limit``, in bytes, is not waited for; ``header_bytes`` is the longest header. ``tls`` is what it is known
    by; None for plain HTTP. ``processors`` are those of which each worker process runs on one; empty for any.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    url: str = ""
    threads: int = 8
    workers: int = 1
    graceful_seconds: int = 30
    keepalive_seconds: int = 75
    arrival_seconds: float = _ARRIVAL_SECONDS
    answer_seconds: float = _ANSWER_SECONDS
    body_limit: int = _BODY_LIMIT
    header_bytes: int = _HEADER_BYTES
    tls: TlsFiles | None = None
    processors: Sequence[int] = ()


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

    Raises:
        ConfigurationError: there is no such processor for this process.
    """
    _check_processors(settings.processors)
    # A library in C may end the process without a word: then files, lines and names of functions are shown.
    faulthandler.enable()
    _Gunicorn(app_factory, settings, start, settle, stop).run()


def _check_processors(wanted: Sequence[int]) -> None:
    there = os.sched_getaffinity(0)
    if missing := sorted(set(wanted) - there):
        names = [", ".join(map(str, sorted(each))) for each in (missing, there)]
        raise ConfigurationError(f"processors: this process may not run on {names[0]}; it may on {names[1]}.")


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
            "worker_connections": _connections(),
            "timeout": 60,
            "graceful_timeout": settings.graceful_seconds,
            "keepalive": settings.keepalive_seconds,
            "logger_class": ServerLog,
            "loglevel": "critical",
            "accesslog": None,
            "control_socket_disable": True,
            "limit_request_field_size": settings.header_bytes,
            # Else a package that somebody installs beside us would read requests; none was attacked here but this one.
            "http_parser": "python",
            # No header but the one with the client certificate is believed, whoever sends it.
            "forwarded_allow_ips": "",
            "header_map": "drop",
            "pre_fork": self.choose_processor,
            "post_fork": self.stay_on_processor,
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

    def choose_processor(self, server: Any, worker: Any) -> None:
        # In the process that starts workers: it alone knows which others there are.
        taken = Counter(one.processor for one in server.WORKERS.values())
        worker.processor = min(self.settings.processors, key=lambda each: taken[each], default=None)

    def stay_on_processor(self, server: Any, worker: Any) -> None:
        # Of the threads of a process one at a time runs Python. Where the system spreads them over processors, handing
        # over from one to the next costs about a tenth of the processor time of a small call.
        if worker.processor is not None:
            os.sched_setaffinity(0, {worker.processor})

    def worker_ready(self, worker: Any) -> None:
        worker.arrival_seconds = self.settings.arrival_seconds
        worker.answer_seconds = self.settings.answer_seconds
        worker.body_limit = self.settings.body_limit
        # What was made up to now stays; and a call makes many objects that live as long as it does, none in a cycle.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
        # A call wakes up some ten times, as its request and the answers of the database arrive. With Python's own 5 ms
        # it may wait so long each time for a thread that is at work, and the slowest calls are those that did.
        sys.setswitchinterval(_SECONDS_OF_A_TURN)
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


def _connections() -> int:
    """Return how many connections a worker may have open: idle and slow clients cost a file each, and no thread."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(_MOST_CONNECTIONS, soft - _FILES_BESIDE))
    )


def _address(scheme: str, listener: Any) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
