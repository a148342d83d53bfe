"""gunicorn under the shell: start, stop, requests that do not arrive, and what it says."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from tests.integration.soap.conftest import start, stop

S = "http://minameddelanden.gov.se/schema"


def body(recipient: str) -> bytes:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<r:isRegistered xmlns:r="{S}/Recipient/v3"><r:recipientId>{recipient}</r:recipientId></r:isRegistered>'
        "</e:Body></e:Envelope>"
    ).encode()


def test_it_is_ready_when_all_has_settled(own_server):
    assert own_server.hooks == ["start", "settle"]  # the ready line was read


def test_a_thread_that_waits_for_python_has_its_turn_soon(own_server):
    assert float(own_server.log.with_suffix(".turn").read_text()) < 0.001  # of the worker; Python's own is 0.005


def test_sigterm_lets_the_call_under_way_finish(own_server):
    answers = []
    caller = threading.Thread(target=lambda: answers.append(own_server.send(body("199001010002"))))
    caller.start()
    time.sleep(0.5)
    started = time.monotonic()
    own_server.process.send_signal(signal.SIGTERM)
    out, err = own_server.process.communicate(timeout=20)
    caller.join()
    assert answers[0].status == 200
    assert own_server.process.returncode == 0
    assert (out, err) == (b"", b"")  # the ready line was read before, and it was all
    assert time.monotonic() - started < 8
    assert own_server.hooks == ["start", "settle", "stop"]
    with pytest.raises(ConnectionRefusedError):
        own_server.send(b"")


def test_another_parser_of_requests_that_somebody_installs_is_not_taken(tmp_path):
    (tmp_path / "gunicorn_h1c.py").write_text("raise SystemError('asked')")
    server = start(tmp_path, environment={"PYTHONPATH": str(tmp_path)})
    try:
        assert server.send(body("199001010009")).status == 200
    finally:
        stop(server)


def test_an_idle_connection_does_not_hold_the_stop(own_server):
    with socket.create_connection(("127.0.0.1", own_server.port), timeout=5) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        started = time.monotonic()
        own_server.process.send_signal(signal.SIGTERM)
        own_server.process.communicate(timeout=20)
    assert time.monotonic() - started < 6


@pytest.mark.parametrize(
    "begun",
    [
        b"POST /Recipient/v3 HTT",
        b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 5000\r\n\r\n<soap:Env",
    ],
)
def test_a_request_that_does_not_arrive_is_ended(server, begun):
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=15) for _ in range(4)]
    started = time.monotonic()
    for connection in connections:
        connection.sendall(begun)
    for connection in connections:
        connection.recv(1000)
        connection.close()
    assert time.monotonic() - started < 6
    assert server.send(body("191212121212")).status == 200


def test_a_long_call_is_not_ended_once_its_request_is_there(own_server):
    # The arrival limit of this server is two seconds; the bytes are there at once and the handler takes 1.5.
    for _ in range(2):
        assert own_server.send(body("199001010002")).status == 200


def test_bad_http_leaves_nothing_in_the_output(own_server):
    mark = b"197802031234"
    for request in (
        b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nBad Header " + mark + b": x\r\n\r\n",
        mark + b"\r\n\r\n",
        b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nX-Long: " + mark * 2000 + b"\r\n\r\n",
        b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: text/xml\r\n\r\n"
        + mark
        + b"zz\r\n",
    ):
        assert b" 200 " not in own_server.raw(request, close_writing=True)[:20]
    own_server.process.send_signal(signal.SIGTERM)
    out, err = own_server.process.communicate(timeout=20)
    assert (out, err) == (b"", b"")
    assert mark.decode() not in own_server.logged


def request(recipient: str) -> bytes:
    content = body(recipient)
    head = f"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def answer(connection: socket.socket) -> bytes:
    """Read one answer, by its length: the connection stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, rest = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(rest) < length:
        rest += connection.recv(65536)
    assert len(rest) == length
    return head + rest


def test_more_kept_connections_than_threads(server):
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        connections = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(24)]
        for turn in range(3):
            for connection in connections[turn:]:  # some say nothing any more
                connection.sendall(request("191212121212"))
            for connection in connections[turn:]:
                assert answer(connection).startswith(b"HTTP/1.1 200")
        for _ in range(20):  # closely after each other, while 23 others are silent
            connections[-1].sendall(request("191212121212"))
            assert answer(connections[-1]).startswith(b"HTTP/1.1 200")


def test_two_requests_at_once_on_a_connection(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for _ in range(3):
            connection.sendall(request("191212121212") * 2)
            received = b""
            while received.count(b"</soap:Envelope>") < 2:
                received += connection.recv(65536)
            assert received.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    "begun",
    [b"", b"P", request("191212121212")[:60], request("191212121212")[:-1]],
    ids=["nothing", "one byte", "half a head", "all but the last byte"],
)
def test_slow_clients_hold_nobody_up(server, begun):
    """A hundred times more of them than threads, and long before they are ended."""
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            slow.sendall(begun)
        for _ in range(3):
            started = time.monotonic()
            assert server.send(body("191212121212")).status == 200
            assert time.monotonic() - started < 1.5, "it was served after the slow ones had been ended"


def test_a_request_in_drips_is_answered(server):
    whole = request("191212121212")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for part in (whole[:1], whole[1:70], whole[70:150], whole[150:-1], whole[-1:]):
            connection.sendall(part)
            time.sleep(0.1)
        assert answer(connection).startswith(b"HTTP/1.1 200")


def test_a_late_request_is_told_so(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request("191212121212")[:-1])
        assert connection.recv(12) == b"HTTP/1.1 408"


def test_100_continue(server):
    whole = request("191212121212").replace(b"Host: x\r\n", b"Host: x\r\nExpect: 100-continue\r\n")
    head, _, rest = whole.partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for _ in range(2):
            connection.sendall(head + b"\r\n\r\n")
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(rest)
            assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("trailer", [b"", b"X-Sum: 1\r\n"])
@pytest.mark.parametrize("sizes", [(7,), (1, 300, 5)])
def test_chunks_in_any_pieces(server, sizes, trailer):
    content = body("191212121212")
    whole = b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    position = 0
    while position < len(content):
        part = content[position : position + sizes[position % len(sizes)]]
        whole += b"%x\r\n%s\r\n" % (len(part), part)
        position += len(part)
    whole += b"0\r\n" + trailer + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for step in (1000, 3):
            connection.sendall(whole[:-9])
            for start in range(len(whole) - 9, len(whole), step):
                connection.sendall(whole[start : start + step])
                time.sleep(0.05)
            assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGKILL, "SIGKILL")])
def test_a_worker_that_dies_is_told_of_and_replaced(own_server, number, name):
    (worker,) = workers(own_server)
    os.kill(worker, number)
    while workers(own_server) in ([], [worker]):
        assert own_server.process.poll() is None
        time.sleep(0.05)
    assert own_server.send(body("199001010009")).status == 200
    assert f"Worker (pid:{worker}) was sent {name}" in own_server.logged
    own_server.process.send_signal(signal.SIGTERM)
    _, err = own_server.process.communicate(timeout=20)
    assert (b"Segmentation fault" in err) == (number == signal.SIGSEGV)
    assert b"199001010009" not in err


def workers(server):
    return [
        int(process)
        for process in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    ]
