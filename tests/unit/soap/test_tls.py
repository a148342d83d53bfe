"""TLS between a client and a server that do not agree, and what is said of it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mm_soap.clock import system_clock
from mm_soap.errors import ConfigurationError, TransportError
from mm_soap.soap import SoapClient, TlsFiles, client_context
from mm_soap.testing import TestPki

NUMBER = "162021004748"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """right/ and other/: two authorities, each with a server and an organisation; and more servers of the right one."""
    made = tmp_path_factory.mktemp("tls")
    pki = TestPki(system_clock)
    for name, each in (("right", pki), ("other", TestPki(system_clock, new_keys=True, name="Another authority"))):
        each.organisation(NUMBER, "Kommun A")
        each.write(made / name)
        each.write_server(made / name, ("127.0.0.1",))
    pki.write_server(made / "elsewhere", ("post.example.se",))
    pki.write_server(made / "expired", ("127.0.0.1",), expired=True)
    pki.write_server(made / "elliptic", ("127.0.0.1",), elliptic=True)
    (made / "bare").mkdir()
    server = (made / "right/server.pem").read_bytes()
    end = b"-----END CERTIFICATE-----\n"
    (made / "bare/server.pem").write_bytes(server[: server.index(end) + len(end)])
    (made / "bare/server.key").write_bytes((made / "right/server.key").read_bytes())
    (made / "root.pem").write_bytes(
        (lambda all_: all_[: all_.index(end) + len(end)])((made / "right/ca.pem").read_bytes())
    )
    return made


def files(folder: Path, name: str, anchors: str = "right") -> TlsFiles:
    return TlsFiles(folder / name / "server.pem", folder / name / "server.key", [folder / anchors / "ca.pem"])


def answer(connection: socket.socket) -> None:
    """Read a request to its end, and answer."""
    with connection:
        received = b""
        while not received.rstrip().endswith(b"Envelope>"):
            more = connection.recv(65536)
            if not more or b"HTTP" not in received + more:
                break
            received += more
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def drain(connection: socket.socket) -> None:
    """Let the client read why there is no connection."""
    with connection:
        connection.shutdown(socket.SHUT_WR)
        while socket.socket.recv(connection, 65536):
            pass


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[str]:
    """A server that answers each request with an empty HTTP 200; the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with suppress(OSError):
                    if context is not None:
                        connection = context.wrap_socket(connection, True, do_handshake_on_connect=False)
                        try:
                            connection.do_handshake()
                        except ssl.SSLError:
                            drain(connection)
                            continue
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/Service/v3"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def said(url: str, context: ssl.SSLContext) -> TransportError:
    client = SoapClient(url, timeout=10, tls=context)
    with pytest.raises(TransportError) as caught:
        client.call(b"<a/>", expected="b")
    client.close()
    return caught.value


def ours(folder: Path, name: str | None = "right", anchors: str = "right/ca.pem") -> ssl.SSLContext:
    if name is None:
        return client_context(None, None, [folder / anchors])
    return client_context(folder / name / f"{NUMBER}.pem", folder / name / f"{NUMBER}.key", [folder / anchors])


@pytest.mark.parametrize("server", ["right", "elliptic"])
def test_both_agree(folder: Path, server: str) -> None:
    with listening(files(folder, server).context()) as url:
        assert "HTTP 200 without SOAP" in str(said(url, ours(folder)))


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("elsewhere", "its certificate is for another name than the address"),
        ("expired", "its certificate has expired"),
        ("other", "its certificate was not issued by an authority that is trusted here"),
    ],
)
def test_a_server_that_is_not_believed_gets_nothing(folder: Path, server: str, reason: str) -> None:
    with listening(files(folder, server).context()) as url:
        error = said(url, ours(folder))
    assert reason in str(error)
    assert not error.perhaps_received


def test_a_server_that_leaves_out_its_issuer(folder: Path) -> None:
    # Of its own anchors OpenSSL would add what the file leaves out, so these are others.
    with listening(files(folder, "bare", "other").context()) as url:
        assert "or it leaves out an issuer" in str(said(url, ours(folder, "other", "root.pem")))
        assert "HTTP 200" in str(said(url, ours(folder, "other")))  # whoever trusts the issuer itself needs no more


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (None, "it wants a client certificate"),
        ("other", "it does not trust the authority that issued our client certificate"),
    ],
)
def test_a_server_that_does_not_believe_us(folder: Path, own: str | None, reason: str) -> None:
    with listening(files(folder, "right").context()) as url:
        assert reason in str(said(url, ours(folder, own)))


def test_plain_http_where_tls_was_expected(folder: Path) -> None:
    with listening(None) as url:
        assert "it does not speak TLS at this address" in str(said(url, ours(folder)))


def test_files_that_cannot_be_used(folder: Path, tmp_path: Path) -> None:
    key, certificate = folder / "right/server.key", folder / "right/server.pem"
    (tmp_path / "no.pem").write_text("nothing")
    for wrong, sentence in (
        (TlsFiles(certificate, folder / "other/server.key"), "belong together"),
        (TlsFiles(tmp_path / "none.pem", key), "cannot be read"),
        (TlsFiles(certificate, key, [tmp_path / "no.pem"]), "must hold certificates in PEM form"),
        (TlsFiles(certificate, key, [tmp_path / "none.pem"]), "cannot be read"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            wrong.context()
