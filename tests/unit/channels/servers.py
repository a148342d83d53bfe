"""What stands at the other end of the channels in tests: a mail server, an SMS gateway, a print supplier."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors/46elks/exchanges.json").read_text(encoding="utf-8")
)


def exchange(name: str) -> dict[str, Any]:
    """One recorded exchange, with its request written out."""
    (found,) = [each for each in EXCHANGES if each["name"] == name]
    same = found["request"].get("same_as")
    return {**found, "request": exchange(same)["request"]} if same else found


@dataclass
class MailServer:
    """Keeps what it takes. ``answers`` are given to DATA, one after the other, then 250; ``refused`` to RCPT."""

    answers: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    taken: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.taken.append(envelope)
        return answer

    def login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, said: LoginPassword
    ) -> AuthResult:
        self.logins.append((said.login, said.password))
        return AuthResult(success=said.password == b"hemligt", handled=False)

    def emails(self) -> list[EmailMessage]:
        found = [message_from_bytes(bytes(each.content or b""), policy=default) for each in self.taken]
        return [each for each in found if isinstance(each, EmailMessage)]


def free_port() -> int:
    """Return a port that nobody has; aiosmtpd takes none that the system chooses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None, port: int = 0, **options: Any) -> Iterator[MailServer]:
    """Serve mail on the loopback. ``tls`` is for STARTTLS, ``ssl_context`` for TLS from the first byte."""
    server = MailServer(port=port or free_port())
    extra = {"tls_context": tls, "require_starttls": True} if tls else {}
    extra |= {"authenticator": server.login, "auth_require_tls": True} if tls else {}
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **extra, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class Gateway:
    """An SMS gateway that takes what the recorded exchanges say; ``next`` names the answers to come."""

    next: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    texts: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        recorded = exchange(self.next.pop(0) if self.next else "taken")
        expected = recorded["request"]
        form = parse_qs(request["body"])
        fits = (
            (request["method"], request["path"]) == (expected["method"], expected["path"])
            and request["headers"].items() >= expected["headers"].items()
            and form.keys() == parse_qs(expected["body"]).keys()
            and all(len(values) == 1 for values in form.values())
        )
        if not fits:
            return {"status": 400, "headers": {"Content-Type": "text/plain"}, "body": "not as recorded"}
        if recorded["response"]["status"] == 200:
            self.texts.append({name: values[0] for name, values in form.items()})
        found: dict[str, Any] = recorded["response"]
        return found


@contextmanager
def sms_gateway() -> Iterator[Gateway]:
    """Serve a gateway on a free port of the loopback."""
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = gateway.answer({"method": "POST", "path": self.path, "headers": headers, "body": body})
            self.send_response(answer["status"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            content = answer["body"].encode()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        gateway.url = f"http://127.0.0.1:{server.server_port}/a1"
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Supplier:
    """A print supplier on the folder that the dispatcher hands jobs over in."""

    folder: Path

    def jobs(self) -> list[Path]:
        return sorted((self.folder / "jobs").iterdir()) if (self.folder / "jobs").exists() else []

    def manifest(self, job: Path) -> dict[str, Any]:
        """Read a job's manifest, and hold each file of the job against it."""
        found: dict[str, Any] = json.loads((job / "manifest.json").read_text(encoding="utf-8"))
        there = {str(file.relative_to(job)) for file in job.rglob("*") if file.is_file()} - {"manifest.json"}
        assert {each["path"] for each in found["files"]} == there
        for each in found["files"]:
            content = (job / each["path"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (each["bytes"], each["sha256"])
        return found

    def acknowledge(self, job: str, result: str = "printed", **more: Any) -> None:
        said = {"version": 1, "job": job, "result": result, "at": "2026-11-03T08:00:00+01:00", **more}
        folder = self.folder / "acknowledgements"
        beside = folder / f".{job}.tmp"
        beside.write_text(json.dumps(said), encoding="utf-8")
        beside.replace(folder / f"{job}.json")
