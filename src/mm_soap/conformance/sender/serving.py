"""The server under the listening: requests as they come, right or wrong, and answers, or none."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from mm_soap.conformance.sender.answers import Reply
from mm_soap.conformance.sender.envelopes import MOST_BYTES, PORTS
from mm_soap.conformance.sender.listening import Came, Listener
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.contract import Port, ports, published, wsdl
from mm_soap.errors import ConfigurationError, Refused
from mm_soap.pki import load_certificate, organisation_number

_ARRIVAL_SECONDS: Final = 60.0
_ENDING_SECONDS: Final = 10.0
_XML: Final = "text/xml; charset=utf-8"


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
