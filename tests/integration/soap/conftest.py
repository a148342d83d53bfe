"""The shell under a real gunicorn, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mm_soap.clock import system_clock
from mm_soap.testing import TestPki

CALLER = "162021004748"
_SUITE = Path(__file__).with_name("suite.py")


@dataclass
class Answer:
    status: int
    head: str
    body: bytes


@dataclass
class Server:
    port: int
    log: Path
    process: subprocess.Popen[bytes]
    pki: Path | None = None

    def connect(self, timeout: float = 20) -> socket.socket:
        """Open a connection: of TLS, with a certificate of one's own, where the server speaks it."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        if self.pki is None:
            return plain
        context = ssl.create_default_context(cafile=self.pki / "ca.pem")
        context.load_cert_chain(self.pki / f"{CALLER}.pem", self.pki / f"{CALLER}.key")
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def logged(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    @property
    def hooks(self) -> list[str]:
        note = self.log.with_suffix(".hooks")
        return note.read_text().split() if note.exists() else []

    def raw(self, request: bytes, *, close_writing: bool = False) -> bytes:
        """Send bytes and return everything that comes back until the connection ends."""
        with self.connect(10) as connection:
            connection.sendall(request)
            if close_writing:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := connection.recv(65536):
                    received += chunk
            return received

    def send(
        self,
        body: bytes,
        path: str = "/Recipient/v3",
        headers: dict[str, str | None] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Send one request; a header of None is left out."""
        sent: dict[str, str | None] = {
            "Host": "elsewhere.example",
            "Content-Type": "text/xml; charset=utf-8",
            "Content-Length": str(len(body)),
            "SOAPAction": '""',
            "Connection": "close",
            **(headers or {}),
        }
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in sent.items() if value is not None),
        ]
        return parse(self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body))


def parse(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), head.decode("latin-1"), body)


def start(folder: Path, pki: Path | None = None, environment: Mapping[str, str] | None = None) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "suite.log"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(_SUITE), str(port), str(log), *([str(pki)] if pki else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "", **(environment or {})},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if line != f"ready http{'s' if pki else ''}://127.0.0.1:{port}\n".encode():
        process.kill()
        raise AssertionError(f"no ready line: {line!r} {process.stderr.read() if process.stderr else b''!r}")
    return Server(port, log, process, pki)


def stop(server: Server) -> tuple[bytes, bytes]:
    server.process.send_signal(signal.SIGTERM)
    return server.process.communicate(timeout=20)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("soap"))
    yield running
    stop(running)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    made = TestPki(system_clock)
    made.organisation(CALLER, "Kommun A")
    made.write(folder)
    made.write_server(folder, ("127.0.0.1",))
    return folder


@pytest.fixture(scope="session", params=["plain", "tls"])
def each_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that speaks HTTP, then one that speaks TLS."""
    running = start(tmp_path_factory.mktemp("soap"), request.getfixturevalue("pki") if request.param == "tls" else None)
    yield running
    stop(running)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    yield from _own(start(tmp_path))


@pytest.fixture
def own_tls_server(tmp_path: Path, pki: Path) -> Iterator[Server]:
    yield from _own(start(tmp_path, pki))


def _own(running: Server) -> Iterator[Server]:
    yield running
    if running.process.poll() is None:
        stop(running)
    for pipe in (running.process.stdout, running.process.stderr):
        if pipe is not None:
            pipe.close()
