"""A TLS server before the served suite that asks each client for a certificate, as a real installation does."""

from __future__ import annotations

import http.client
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class TlsTerminator:
    """Serves while the context lasts, and passes on what it is asked. ``requests`` holds what came: method and path."""

    def __init__(self, behind: str, folder: Path) -> None:
        self.certificate, self.key, self.authority = (folder / f"tls-{name}.pem" for name in ("cert", "key", "ca"))
        _write_certificates(self.certificate, self.key, self.authority)
        self.requests: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _handler(urlsplit(behind).netloc, self.requests))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.authority))
        context.load_cert_chain(self.certificate, self.key)
        context.verify_mode = ssl.CERT_REQUIRED
        # The handshake belongs to the thread of its connection, not to the one that accepts.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> TlsTerminator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was turned away is what some tests want."""


def _handler(behind: str, requests: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on(None)

        def do_POST(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

        def _pass_on(self, body: bytes | None) -> None:
            requests.append(f"{self.command} {self.path}")
            connection = http.client.HTTPConnection(behind, timeout=30)
            try:
                connection.request(
                    self.command, self.path, body, {"Content-Type": self.headers.get("Content-Type", "")}
                )
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", str(answer.headers["Content-Type"]))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The tests look at ``requests``."""

    return Handler


def _write_certificates(certificate: Path, key: Path, authority: Path) -> None:
    """Write an authority, and one certificate for both ends of the connection."""
    ca_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name, own_name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("TLS test authority", "127.0.0.1")
    )

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        built = x509.CertificateBuilder(ca_name, name, public, x509.random_serial_number())
        return built.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))

    root = builder(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    subject_key = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    root = root.add_extension(subject_key, critical=False).add_extension(usage, critical=True)
    own = builder(own_name, own_key.public_key())
    own = own.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    own = own.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key), critical=False)
    authority.write_bytes(root.sign(ca_key, SHA256()).public_bytes(Encoding.PEM))
    certificate.write_bytes(own.sign(ca_key, SHA256()).public_bytes(Encoding.PEM))
    key.write_bytes(own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
