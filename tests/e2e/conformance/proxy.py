"""A party that is nearly right: what stands between the kit and a served demonstration changes one thing."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came: what is forwarded, unless it is changed."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def has(self, *words: str) -> bool:
        """Whether the body holds each of these."""
        return all(word.encode() in self.body for word in words)


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/xml; charset=utf-8"})


def _same(asked: Asked) -> Asked:
    return asked


def _unchanged(asked: Asked, said: Said) -> Said:
    return said


@dataclass(frozen=True)
class Wrong:
    """One mistake: in how a request is understood, or in what is answered."""

    asks: Callable[[Asked], Asked | Said] = _same
    """What goes on to the demonstration, or what is answered without it."""
    says: Callable[[Asked, Said], Said] = _unchanged


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: the other end would wait 40 ms for the second.
    wbufsize = -1
    disable_nagle_algorithm = True
    upstream: str
    wrong: Wrong

    def do_POST(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def _handle(self) -> None:
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, dict(self.headers.items()), body)
        forward = self.wrong.asks(asked)
        said = forward if isinstance(forward, Said) else self._forward(forward)
        said = self.wrong.says(asked, said)
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _forward(self, asked: Asked) -> Said:
        parts = urlsplit(self.upstream)
        own = ("host", "content-length", "transfer-encoding", "accept-encoding")
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in own}
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request(asked.method, asked.path, asked.body or None, headers)
            answer = connection.getresponse()
            kept = {
                name: value for name, value in answer.getheaders() if name.lower() in ("content-type", "connection")
            }
            if asked.headers.get("Connection", "").lower() != "close":
                kept.pop("Connection", None)
            return Said(answer.status, answer.read(), kept)
        finally:
            connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def standing_before(upstream: str, wrong: Wrong) -> Iterator[str]:
    """Serve what stands before a demonstration, and give its address."""

    def rewritten(asked: Asked, said: Said) -> Said:
        # What is served for reading names the address of the demonstration.
        said = replace(said, body=said.body.replace(upstream.encode(), url.encode())) if asked.method == "GET" else said
        return wrong.says(asked, said)

    handler = type("Handler", (_Handler,), {"upstream": upstream, "wrong": Wrong(wrong.asks, rewritten)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield url
        finally:
            server.shutdown()
            thread.join()
