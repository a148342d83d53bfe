"""Parties that are wrong in one way: the suite's own, with something between it and the kit that changes one thing."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mm_soap.conformance import Report, Verdict
from mm_soap.errors import Refusal
from mm_soap.xml import SOAP_ENVELOPE
from tests.e2e.suite import post


@dataclass(frozen=True)
class Reply:
    """What the other party answers."""

    status: int
    body: bytes
    kind: str = "text/xml; charset=utf-8"

    @property
    def is_fault(self) -> bool:
        return b"<faultcode>" in self.body

    def says(self, refusal: Refusal) -> bool:
        return refusal.value.text.encode() in self.body

    def with_text(self, old: bytes, new: bytes) -> Reply:
        return replace(self, body=self.body.replace(old, new))


Change = Callable[[bytes, Reply], Reply]


def soap(content: str | bytes, status: int = 200) -> Reply:
    inside = content.encode() if isinstance(content, str) else content
    return Reply(
        status, b'<e:Envelope xmlns:e="%s"><e:Body>%s</e:Body></e:Envelope>' % (SOAP_ENVELOPE.encode(), inside)
    )


def fault(code: int, status: int = 500) -> Reply:
    side = "Client" if code >= 5000 else "Server"
    return soap(
        f"<e:Fault><faultcode>e:{side}</faultcode><faultstring>Nej.</faultstring><detail>"
        '<applicationFault xmlns="http://minameddelanden.gov.se/schema/Common/v3">'
        f"<ErrorCode>{code}</ErrorCode><Description>Nej.</Description>"
        "<CallId>12345678-1234-1234-1234-1234567890ab</CallId></applicationFault></detail></e:Fault>",
        status,
    )


def where(matches: Callable[[bytes], bool], then: Reply) -> Change:
    """Another reply to some requests."""
    return lambda request, reply: then if matches(request) else reply


def holds(*parts: bytes) -> Callable[[bytes], bool]:
    return lambda request: all(part in request for part in parts)


def instead_of(refusal: Refusal, then: Reply) -> Change:
    """Another reply where this was refused."""
    return lambda _, reply: then if reply.says(refusal) else reply


def last(pattern: bytes) -> Callable[[bytes], bytes]:
    """What stands in the first group of the last match: of the outer signature, where there are two."""

    def found(request: bytes) -> bytes:
        matches = re.findall(pattern, request)
        return matches[-1] if matches else b""

    return found


METHOD = rb'SignatureMethod Algorithm="([^"]*)"'


def outer(pattern: bytes, wanted: bytes, then: Reply) -> Change:
    value = last(pattern)
    return where(lambda request: value(request) == wanted, then)


def repeats_the_subject(_: bytes, reply: Reply) -> Reply:
    return reply.with_text(b"Description>", b"Description> Prov av meddelanden")


def forged_first(request: bytes) -> bool:
    return request.find(b"Nagot annat") < request.find(b"Prov av meddelanden")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; the second would wait for an acknowledgement
    answer: Callable[[str, str, bytes], Reply]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = type(self).answer(self.path, self.headers.get("Content-Type", ""), body)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def answering(answer: Callable[[str, str, bytes], Reply]) -> Iterator[str]:
    """Serve a party that answers so, by path, Content-Type and body; give its address before the path."""
    handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def changed(url: str, change: Change, asked: Callable[[bytes], bytes] = bytes) -> Iterator[str]:
    """Serve the party at ``url`` with its replies changed, and what it is asked too."""

    def answer(path: str, content_type: str, body: bytes) -> Reply:
        status, raw = post(f"{url}{path}", asked(body), content_type)
        kind = "text/xml; charset=utf-8" if raw.startswith(b"<soap:") else "text/plain"
        return change(body, Reply(status, raw, kind))

    with answering(answer) as address:
        yield address


def failed(report: Report) -> set[str]:
    return {finding.case.id for finding in report.findings if finding.verdict is Verdict.FAILED}
