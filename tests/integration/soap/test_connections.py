"""What clients do with their connections, well or badly, over HTTP and TLS; and that others are served meanwhile."""

from __future__ import annotations

import contextlib
import resource
import select
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

S = "http://minameddelanden.gov.se/schema"
ANYBODY = "191212121212"
MANY_IDS = 1000
PROMPT = 1.5
"""Seconds; less than the two after which this server ends what is slow."""
GET = b"GET /Recipient/v3?wsdl HTTP/1.1\r\nHost: x\r\n\r\n"


def body(*recipients: str) -> bytes:
    rows = "".join(f"<r:recipientId>{recipient}</r:recipientId>" for recipient in recipients)
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<r:isRegistered xmlns:r="{S}/Recipient/v3">{rows}</r:isRegistered>'
        "</e:Body></e:Envelope>"
    ).encode()


def request(content: bytes, *more: str) -> bytes:
    head = [
        "POST /Recipient/v3 HTTP/1.1",
        "Host: x",
        "Content-Type: text/xml",
        f"Content-Length: {len(content)}",
        *more,
    ]
    return "\r\n".join([*head, "", ""]).encode() + content


ONE = request(body(ANYBODY))


def answer(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        assert more, received
        received += more
    head, _, rest = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(rest) < length:
        rest += connection.recv(65536)
    assert len(rest) == length
    return head + rest


def is_prompt(server) -> None:
    for _ in range(3):
        started = time.monotonic()
        with server.connect() as connection:
            connection.sendall(ONE)
            assert answer(connection).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - started < PROMPT


def test_an_answer_comes_in_one_piece(server) -> None:
    """Else the caller would wake up for its head, and again for its body."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for _ in range(20):
            connection.sendall(ONE)
            whole = connection.recv(65536)
            assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
            assert whole.endswith(b"Envelope>"), whole


def test_connections_are_kept(each_server):
    with each_server.connect() as connection:
        for _ in range(3):
            connection.sendall(ONE)
            assert answer(connection).startswith(b"HTTP/1.1 200")
            time.sleep(0.15)  # longer than a thread waits for the next one


def test_requests_at_once(each_server):
    with each_server.connect() as connection:
        connection.sendall(ONE * 5)
        received = b""
        while received.count(b"</soap:Envelope>") < 5:
            received += connection.recv(65536)
        assert received.count(b"HTTP/1.1 200") == 5


def flood(connection: socket.socket, ended: threading.Event) -> None:
    """Send requests and take what comes, by one thread: OpenSSL lets no two use a connection at once."""
    connection.setblocking(False)
    rest = b""
    with contextlib.suppress(OSError):
        while not ended.is_set():
            rest = rest or GET * 20
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                rest = rest[connection.send(rest) :]
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while connection.recv(1_000_000):
                    pass
                return
            select.select([connection], [connection], [], 0.1)


def test_those_who_send_without_an_end_hold_nobody_up(each_server):
    """Each thread has one of them, who sends the next request before the last one is answered."""
    ended = threading.Event()
    with contextlib.ExitStack() as open_now:
        connections = [open_now.enter_context(each_server.connect()) for _ in range(12)]
        sending = [threading.Thread(target=flood, args=(one, ended)) for one in connections]
        try:
            for one in sending:
                one.start()
            for _ in range(3):
                with each_server.connect() as connection:
                    connection.sendall(ONE)
                    assert answer(connection).startswith(b"HTTP/1.1 200")
        finally:
            ended.set()
            for one in sending:
                one.join()


def test_a_large_body(each_server):
    whole = request(body(*[ANYBODY] * 900) + b" " * 1_900_000)
    with each_server.connect() as connection:
        for _ in range(3):
            connection.sendall(whole)
            got = answer(connection)
            assert got.startswith(b"HTTP/1.1 200")
            assert got.count(ANYBODY.encode()) == 900


def test_what_follows_a_body_that_is_too_large_is_no_request(each_server):
    """Its body is not read, so what stands in it must not be taken for requests."""
    head = request(b"").replace(b"Content-Length: 0", b"Content-Length: 9000000")
    with each_server.connect() as connection:
        connection.sendall(head + ONE * 3)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while more := connection.recv(65536):
                received += more
    assert received.startswith(b"HTTP/1.1 413")
    assert b"Connection: close" in received
    assert received.count(b"HTTP/1.1") == 1


def test_a_head_without_end(each_server):
    with each_server.connect() as connection:
        connection.sendall(b"POST /Recipient/v3 HTTP/1.1\r\n" + b"X-More: 1\r\n" * 10_000)
        assert connection.recv(12) == b"HTTP/1.1 431"


def chunks_that_look_ended() -> bytes:
    head = b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"40\r\n" + b"<e:Envelope>\r\n0\r\n\r\n"


SLOW = {
    "nothing": b"",
    "half a head": ONE[:60],
    "all but the last byte": ONE[:-1],
    "chunks that look ended": chunks_that_look_ended(),
    "a body that is never sent": request(b"").replace(b"Content-Length: 0", b"Content-Length: 9000000"),
    "an answer that is not closed": request(body(ANYBODY), "Connection: close"),
    "http/1.0": b"GET /healthz HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_slow_clients_hold_nobody_up(each_server, sent):
    with contextlib.ExitStack() as open_now:
        for _ in range(20):
            open_now.enter_context(each_server.connect()).sendall(sent)
        is_prompt(each_server)


def test_a_client_that_takes_no_answer_holds_a_thread_for_a_time_only(each_server):
    with contextlib.ExitStack() as open_now:
        for _ in range(8):
            deaf = open_now.enter_context(each_server.connect())
            deaf.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(3000):
                    deaf.send(GET)
        with each_server.connect(30) as connection:
            connection.sendall(ONE)
            assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("sent", [b"", ONE[:60]], ids=["nothing", "half a head"])
def test_two_thousand_slow_clients_hold_nobody_up(each_server, sent):
    """Over TLS they are slow in the handshake."""
    with contextlib.ExitStack() as open_now:
        for number in range(2000):
            slow = open_now.enter_context(socket.create_connection(("127.0.0.1", each_server.port), timeout=20))
            slow.sendall(sent if each_server.pki is None else b"\x16\x03\x01\x02\x00\x01" if sent else b"")
            if number % 500 == 499:
                is_prompt(each_server)


def test_no_connection_is_counted_for_ever(own_tls_server):
    """What ends in each way the connections can end leaves the count where it was: the stop waits for none."""
    for sent in (*SLOW.values(), ONE, b"\r\n\r\n", b"no HTTP\r\n\r\n"):
        with own_tls_server.connect() as connection:
            connection.sendall(sent)
    for sent in (b"", b"\x16\x03\x01", ONE, b"\x15\x03\x01\x00\x02\x02\x28"):
        with socket.create_connection(("127.0.0.1", own_tls_server.port), timeout=20) as plain:
            plain.sendall(sent)
    is_prompt(own_tls_server)
    started = time.monotonic()
    own_tls_server.process.send_signal(signal.SIGTERM)
    assert own_tls_server.process.communicate(timeout=20) == (b"", b"")
    assert time.monotonic() - started < 4.5, "it waited for a connection that is not there"


def test_silent_connections_do_not_hold_the_stop(own_server):
    with contextlib.ExitStack() as open_now:
        for _ in range(20):
            open_now.enter_context(own_server.connect())
        is_prompt(own_server)
        started = time.monotonic()
        own_server.process.send_signal(signal.SIGTERM)
        own_server.process.communicate(timeout=20)
    assert time.monotonic() - started < 4.5


def test_a_request_that_arrives_during_the_stop_is_answered(own_server):
    with own_server.connect() as connection:
        connection.sendall(ONE[:-1])
        time.sleep(0.3)
        own_server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(ONE[-1:])
        got = answer(connection)
    assert got.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in got
    own_server.process.communicate(timeout=20)
