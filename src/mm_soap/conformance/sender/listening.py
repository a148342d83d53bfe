"""Listening: each request is read as it comes, judged, answered, and kept for the report."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from mm_soap.clock import Clock, system_clock
from mm_soap.conformance.model import Arrival, Exchange, Finding, Report, Verdict
from mm_soap.conformance.sender.answers import Reply, refusal
from mm_soap.conformance.sender.cases import CASES
from mm_soap.conformance.sender.envelopes import MOST_BYTES
from mm_soap.conformance.sender.judging import Judge
from mm_soap.conformance.sender.ledger import First, Ledger
from mm_soap.conformance.sender.model import Mark, Request, Sheet
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.contract import Port, ports, published, wsdl
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.pki import load_certificate, organisation_number

_log = logging.getLogger(__name__)

PORTS: Final = ("message", "notification", "service")
_ARRIVAL_SECONDS: Final = 60.0
_ENDING_SECONDS: Final = 10.0
_XML: Final = "text/xml; charset=utf-8"
_MOST_EXCHANGES: Final = 3


@dataclass
class Listener:
    """All that is known of a sender so far. Safe for threads.

    Args:
        plan: whose signatures hold.
        first: what becomes of the first delivery.
        unfinished: how many times a status is answered with 5004 before it is told.
        unmasked: whether what is said may repeat what was sent.
        clock: the time.
        told: is told of each request as soon as it is judged.
        answered: is told how many have come, when an answer is on its way.
    """

    plan: SenderPlan
    first: First = First.ANSWERED
    unfinished: int = 1
    unmasked: bool = False
    clock: Clock = system_clock
    told: Callable[[Arrival, Sheet], None] = lambda _, __: None
    answered: Callable[[int], None] = lambda _: None
    arrivals: list[Arrival] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._judge = Judge(self.plan, self.clock, self.unmasked)
        self._ledger = Ledger(self.plan, self.first, self.unfinished)
        self._marks: dict[str, list[tuple[int, Mark]]] = {}
        self._lock = threading.Lock()
        self._started = self.clock()

    def take(self, came: Came) -> Reply:
        """Judge a request and return its answer."""
        begun = time.monotonic()
        with self._lock:
            request = Request(
                len(self.arrivals) + 1,
                self.clock(),
                came.url,
                came.port,
                came.method,
                came.headers,
                came.body,
                came.broken_off,
                came.caller,
            )
            sheet, reply = self._judged(request)
            for name, marks in sheet.marks.items():
                self._marks.setdefault(name, []).extend((request.number, one) for one in marks)
            exchange = _exchange(request, reply, time.monotonic() - begun)
            arrival = Arrival(
                request.number,
                request.at,
                sheet.operation.name if sheet.operation is not None else "",
                exchange,
                tuple(CASES[name].id for name in sheet.wrong),
                len(sheet.marks),
                tuple(sheet.notes),
            )
            self.arrivals.append(arrival)
            self.told(arrival, sheet)
        return reply

    def _judged(self, request: Request) -> tuple[Sheet, Reply]:
        try:
            sheet = self._judge.judge(request)
            return sheet, self._ledger.answer(request, sheet)
        except Exception as error:
            # An error of the kit's own: it says nothing about the sender.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("request %d ended in %s\n%s", request.number, type(error).__name__, frames)
            sheet = Sheet(notes=[f"the kit itself failed: {type(error).__name__}"])
            return sheet, refusal(request, sheet, Refused(Refusal.UNEXPECTED))

    def report(self, endpoints: tuple[str, ...]) -> Report:
        """Return what was found, after the last request."""
        with self._lock:
            for number, name, mark in self._ledger.at_the_end():
                self._marks.setdefault(name, []).append((number, mark))
            findings = [self._finding(name) for name in CASES]
            return Report("sender", endpoints, self._started, findings, list(self.arrivals))

    def _finding(self, name: str) -> Finding:
        case: Any = CASES[name]
        marks = self._marks.get(name, [])
        wrong = [(number, mark) for number, mark in marks if not mark.kept]
        if not wrong:
            verdict = Verdict.PASSED if marks else Verdict.NOT_TRIED
            return Finding(case, verdict, "" if marks else f"Not seen. {case.attempt}")
        by_number = {one.number: one.exchange for one in self.arrivals}
        exchanges = [by_number[number] for number in dict.fromkeys(number for number, _ in wrong)]
        told = [(f"Request {number}: {mark.what}", mark.place) for number, mark in wrong]
        return Finding(
            case, Verdict.FAILED, *told[0], tuple(exchanges[:_MOST_EXCHANGES]), also=tuple(dict.fromkeys(told[1:]))
        )


@dataclass(frozen=True)
class Came:
    """What the server read of a request."""

    url: str
    port: Port | None
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    broken_off: bool
    caller: str | None


def _exchange(request: Request, reply: Reply, seconds: float) -> Exchange:
    return Exchange(
        request.url,
        request.body,
        None if reply.cut else reply.status,
        reply.body,
        seconds,
        request.method,
        request.headers,
        () if reply.cut else (("Content-Type", reply.kind), *reply.headers),
        number=request.number,
    )


class Server(ThreadingHTTPServer):
    """Serves the two parties until `close`. It listens from the moment it is made.

    Args:
        listener: gets what comes.

    Raises:
        ConfigurationError: the address cannot be listened at, or a file for TLS cannot be used.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: Listener) -> None:
        plan = listener.plan
        self.listener = listener
        self._tls = _tls(plan)
        self.address_family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
        try:
            super().__init__((plan.host, plan.port), _Handler)
        except OSError as error:
            raise ConfigurationError(f"{plan.host}:{plan.port} cannot be listened at: {error.strerror}.") from None
        host = f"[{plan.host}]" if ":" in plan.host else plan.host
        self.url = plan.url.rstrip("/") or f"{'https' if self._tls else 'http'}://{host}:{self.server_port}"
        self.paths: Mapping[str, Port] = {ports()[name].path: ports()[name] for name in PORTS}
        self.published: Mapping[str, bytes] = published(self.url)
        self._at_work = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses of the services."""
        return tuple(f"{self.url}{path}" for path in self.paths)

    def get_request(self) -> tuple[Any, Any]:
        """Return the next connection. With TLS, its handshake is for the thread that reads from it."""
        connection, address = super().get_request()
        connection.settimeout(_ARRIVAL_SECONDS)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a connection that breaks is the other side's to tell."""

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold `close` up, from the moment at which a request is there until it has its answer."""
        with self._changed:
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Stop listening, when the requests that are being judged have their answers."""
        self.shutdown()
        self._thread.join()
        with self._changed:
            self._changed.wait_for(lambda: not self._at_work, _ENDING_SECONDS)
        self.server_close()


def _tls(plan: SenderPlan) -> ssl.SSLContext | None:
    if plan.certificate is None or plan.key is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(plan.certificate, plan.key)
        if plan.client_trust is not None:
            context.load_verify_locations(plan.client_trust)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise ConfigurationError(f"The files for TLS cannot be used: {error.strerror or error}.") from None
    return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        # Any method is judged; the base class looks for one do_METHOD for each.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        port = self.server.paths.get(path)
        if self.command in ("GET", "HEAD") and (
            path in self.server.published or (port and query[:4].lower() == "wsdl")
        ):
            body = wsdl(port, self.server.url) if port is not None else self.server.published[path]
            self._send(Reply(200, body, _XML))
            return
        body, broken_off = self._body()
        url = f"{self.server.url}{self.path}"
        headers = tuple(self.headers.items())
        came = Came(url, port, self.command, headers, body, broken_off, self._caller())
        with self.server.working():
            reply = self.server.listener.take(came)
            if broken_off or len(body) > MOST_BYTES:
                self.close_connection = True
            if reply.cut:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._send(reply)
                self.wfile.flush()
        self.server.listener.answered(len(self.server.listener.arrivals))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _body(self) -> tuple[bytes, bool]:
        """Return the body, at most one byte more than is read, and whether it broke off."""
        if "chunked" in str(self.headers.get("Transfer-Encoding") or "").lower():
            return self._chunks()
        length = str(self.headers.get("Content-Length") or "0").strip()
        if not (length.isascii() and length.isdigit()):
            return b"", True
        wanted = min(int(length), MOST_BYTES + 1)
        body = self._read(wanted)
        return body, len(body) < wanted

    def _chunks(self) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        try:
            while size := int(self.rfile.readline(100).split(b";")[0], 16):
                if size < 0 or size + sum(map(len, parts)) > MOST_BYTES:
                    return b" " * (MOST_BYTES + 1), True
                parts.append(self._read(size))
                if len(parts[-1]) < size:
                    return b"".join(parts), True
                self.rfile.readline(100)
            while self.rfile.readline(1000).strip():
                continue
        except ValueError:
            return b"".join(parts), True
        return b"".join(parts), False

    def _read(self, size: int) -> bytes:
        try:
            return self.rfile.read(size)
        except OSError:
            return b""

    def _caller(self) -> str | None:
        if not isinstance(self.connection, ssl.SSLSocket):
            return None
        der = self.connection.getpeercert(binary_form=True)
        try:
            return organisation_number(load_certificate(der)) if der else None
        except Refused:
            return ""

    def version_string(self) -> str:
        """Return no version: it says nothing that a sender needs."""
        return "mm-soap"

    def log_message(self, *_: Any) -> None:
        """Say nothing: what came is told when it was judged."""
