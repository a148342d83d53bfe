"""A mailbox operator of other make: it answers as the test says, and keeps what it got."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from mm_soap.far import Account, Operator
from mm_soap.xml import MESSAGE_V2, SERVICE_V1, SERVICE_V3, SOAP_ENVELOPE
from tests.e2e.suite import Demonstration, company, person


@dataclass(frozen=True)
class Answer:
    """What goes back. With ``status`` None the connection is cut instead."""

    status: int | None
    body: bytes = b""
    after: float = 0.0
    """Seconds to wait before it."""
    content_type: str = "text/xml; charset=utf-8"
    drips: float = 0.0
    """Seconds between the bytes of the body; 0 sends all at once."""


Reply = Callable[[bytes], Answer]


def soap(content: str, status: int = 200) -> Answer:
    return Answer(status, f'<e:Envelope xmlns:e="{SOAP_ENVELOPE}"><e:Body>{content}</e:Body></e:Envelope>'.encode())


def result(request: bytes, *, delivered: str = "true", recipient: str | None = None) -> Answer:
    """The answer of deliverSecure for the recipient that the request names, or another."""
    (named,) = re.findall(rb'<Recipient xmlns="%s">(\d{12})<' % MESSAGE_V2.encode(), request)
    row = (
        f'<r:Status xmlns:r="{SERVICE_V1}"><r:RecipientId>{recipient or named.decode()}</r:RecipientId>'
        f"<r:Delivered>{delivered}</r:Delivered></r:Status>"
    )
    return soap(
        f'<a:deliverSecureResponse xmlns:a="{SERVICE_V3}"><a:return>'
        f'<r:TransId xmlns:r="{SERVICE_V1}">{uuid4()}</r:TransId>{row}</a:return></a:deliverSecureResponse>'
    )


def fault(code: int, description: str = "Nej.") -> Answer:
    return soap(
        "<e:Fault><faultcode>e:Server</faultcode><faultstring>fault</faultstring><detail>"
        '<applicationFault xmlns="http://minameddelanden.gov.se/schema/Common/v3">'
        f"<ErrorCode>{code}</ErrorCode><Description>{description}</Description>"
        "<CallId>12345678-1234-1234-1234-1234567890ab</CallId></applicationFault></detail></e:Fault>",
        status=500,
    )


@dataclass
class FakeOperator:
    """Answers each call with the next reply; the last one again and again."""

    replies: list[Reply] = field(default_factory=lambda: [result])
    bodies: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes) -> Answer:
        with self.lock:
            reply = self.replies[min(len(self.bodies), len(self.replies) - 1)]
            self.bodies.append(body)
        return reply(body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    operator: FakeOperator

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.operator.answer(body)
        time.sleep(answer.after)
        if answer.status is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        try:
            for piece in re.findall(rb"(?s).", answer.body) if answer.drips else [answer.body]:
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(answer.drips)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A client that gave up is no error here."""


@contextmanager
def serving(operator: FakeOperator, port: int = 0) -> Iterator[str]:
    """Serve an operator on a free port and give the address of its Service."""
    handler = type("Handler", (_Handler,), {"operator": operator})
    with _Server(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/Service/v3"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Numbers:
    """Gives each operator a number and recipients of its own."""

    operators: int = 50
    persons: int = 0

    def register(self, demonstration: Demonstration, address: str, recipients: int) -> list[str]:
        """Write an operator with so many recipients into the register, and return the recipients."""
        self.operators += 1
        number = company(self.operators)
        found = [person(self.persons + each) for each in range(recipients)]
        self.persons += recipients
        with demonstration.register() as register:
            register.add_operator(Operator(number, f"Brevlåda {number}", address, address))
            register.add_accounts(Account(each, number) for each in found)
        return found


def replies(*chosen: Answer | Reply) -> list[Reply]:
    return [each if callable(each) else (lambda _, answer=each: answer) for each in chosen]


def messages_in(bodies: Iterable[bytes]) -> list[str]:
    """The message ids in the requests."""
    return [each.decode() for body in bodies for each in re.findall(rb"<Header><Id>([^<]+)</Id>", body)]
