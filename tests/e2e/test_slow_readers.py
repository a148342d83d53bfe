"""People who take what they fetch slowly, or never: pages wait for them, deliveries do not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode, urlsplit

import pytest

from mm_soap.demonstration import RECIPIENT, RECIPIENT_AT_TWO
from mm_soap.message import new_message
from tests.e2e.inbox import put
from tests.e2e.suite import Demonstration, Server, a_message, distribute, final_status, letter, until
from tests.e2e.visitor import Visitor, token

pytestmark = pytest.mark.slow

LARGE = b"%PDF-1.4\n" + os.urandom(12_000_000) + b"\n%%EOF"
"""More than any buffer between the server and a client that reads nothing."""


@pytest.fixture(scope="module")
def demo(fresh_for_module: Demonstration) -> Demonstration:
    put(fresh_for_module, new_message("Stor", text="Hej.", attachments=[("stor.pdf", "application/pdf", LARGE)]))
    return fresh_for_module


@pytest.fixture(scope="module")
def served(demo: Demonstration) -> Server:
    return demo.serve(MM_SOAP_THREADS="4")  # three for pages, of which one for a whole mailbox


@pytest.fixture
def anna(served: Server) -> Iterator[Visitor]:
    with Visitor(served) as one:
        yield one


@contextmanager
def asked(visitor: Visitor, path: str, form: dict[str, str] | None = None) -> Iterator[socket.socket]:
    """Ask for something and take the beginning of the answer alone."""
    where = urlsplit(visitor.get("/Inbox").url)
    body = urlencode(form or {}).encode()
    cookies = "; ".join(f"{one.name}={one.value}" for one in visitor.session.cookies)
    head = (
        f"{'GET' if form is None else 'POST'} {path} HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: {cookies}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect((where.hostname or "", where.port or 80))
        client.sendall(head + body)
        yield client


def is_delivered(demo: Demonstration, served: Server) -> bool:
    sent = distribute(served.url, demo.signed(letter(RECIPIENT, a_message())))
    return final_status(served.url, sent) == ("Digital", "Delivered")


def test_one_who_fetches_a_mailbox_slowly_holds_up_those_alone_who_fetch_one(
    demo: Demonstration, served: Server, anna: Visitor
) -> None:
    form = {"csrf_token": token(anna.get("/Inbox/folders").text)}
    with Visitor(served, person=RECIPIENT_AT_TWO) as bertil:
        with asked(anna, "/Inbox/export", form) as slow:
            assert slow.recv(12) == b"HTTP/1.1 200"
            again = anna.post("/Inbox/export")
            assert (again.status_code, again.headers["Retry-After"]) == (503, "60")
            assert "As many as there is room for are fetching" in again.text
            assert bertil.post("/Inbox/mailboxes", mailbox="165599999934").status_code == 302
            assert bertil.post("/Inbox/export").status_code == 503
            assert anna.get("/Inbox").status_code == 200
            assert is_delivered(demo, served)
        # A mailbox that is not fetched to its end leaves its place to the next.
        until(lambda: anna.post("/Inbox/export").status_code == 200, 60, "the place of the one who left")


def test_however_many_take_an_attachment_slowly_a_delivery_finds_a_thread(
    demo: Demonstration, served: Server, anna: Visitor
) -> None:
    (line,) = [one for one in demo.mailbox() if one.subject == "Stor"]
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(asked(anna, f"/Inbox/message/{line.key}/file/0")).recv(1)
            busy = anna.get("/Inbox")
            if busy.status_code == 503:
                break
        assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")
        assert "Många använder sidorna just nu." in busy.text
        assert is_delivered(demo, served)
    until(lambda: anna.get("/Inbox").status_code == 200, 60, "room for pages")
