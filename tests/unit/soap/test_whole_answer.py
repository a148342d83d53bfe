"""The time limit of a client holds for the whole answer, and it knows when nothing of a request went out."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mm_soap.errors import TransportError
from mm_soap.soap import SoapClient


@contextmanager
def dripping(first: bytes) -> Iterator[str]:
    """Serve one call: some bytes at once, then one each tenth of a second for as long as anybody reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                try:
                    connection.sendall(first)
                    while True:
                        connection.sendall(b" ")
                        time.sleep(0.1)
                except OSError:
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


def error_of(call: Callable[[], object]) -> TransportError:
    with pytest.raises(TransportError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["status line", "headers", "body"],
)
def test_an_answer_that_drips_ends_in_time(first: bytes) -> None:
    with dripping(first) as url:
        client = SoapClient(url, timeout=0.6)
        began = time.monotonic()
        error = error_of(lambda: client.call(b"<a/>", expected="a"))
        client.close()
        assert 0.5 < time.monotonic() - began < 5
    assert error.perhaps_received


def test_the_last_wait_is_for_what_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                ended.wait(1.8)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                ended.wait(20)

        thread = threading.Thread(target=answer)
        thread.start()
        client = SoapClient(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=2)
        began = time.monotonic()
        error_of(lambda: client.call(b"<a/>", expected="a"))
        assert time.monotonic() - began < 3.7  # two whole waits would be 3.8 at least
        ended.set()
        thread.join()


def test_without_a_connection_nothing_was_received() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = SoapClient(f"http://127.0.0.1:{port}/", timeout=1)
    assert not error_of(lambda: client.call(b"<a/>", expected="a")).perhaps_received


def test_a_connection_that_is_cut_may_have_brought_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        client = SoapClient(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=1)
        assert error_of(lambda: client.call(b"<a/>", expected="a")).perhaps_received
        thread.join()
