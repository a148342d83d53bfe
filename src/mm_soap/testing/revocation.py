"""An issuer's revocation lists and its OCSP responder, over real HTTP, right and wrong, for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from mm_soap.clock import Clock
from mm_soap.testing.certificates import ISSUING, SIGNING, distinguished_name, kept_key, sign
from mm_soap.testing.pki import Authority

Mode = Literal[
    "good",
    "stale",
    "future",
    "another key",
    "delegate",
    "unauthorised delegate",
    "other nonce",
    "no nonce",
    "unknown",
    "garbage",
    "huge",
    "slow",
    "redirect",
    "away",
]
"""How a `StatusServer` answers; what fits one kind of answer alone leaves the other as it is."""

_LASTS: Final = timedelta(days=7)
_HUGE: Final = 64 * 1024 * 1024


class RevocationAuthority:
    """What an authority says of its certificates: lists and OCSP answers.

    Args:
        authority: whose.
        clock: the time that they are of.
    """

    def __init__(self, authority: Authority, clock: Clock) -> None:
        self.authority = authority
        self.revoked: dict[int, datetime] = {}
        self.entries: Sequence[x509.RevokedCertificate] = ()
        """More entries of the list."""
        self.lasts = _LASTS
        """Between thisUpdate and nextUpdate."""
        self._clock = clock
        self._number = 0

    def revoke(self, certificate: x509.Certificate, since: datetime | None = None) -> None:
        """Revoke a certificate, as of now unless said."""
        self.revoked[certificate.serial_number] = (since or self._clock()).replace(microsecond=0)

    def crl(self, mode: Mode = "good") -> bytes:
        """Return the list in DER."""
        begin, end = self._dates(mode)
        self._number += 1
        entries = [
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
            for serial, since in self.revoked.items()
        ]
        # One at a time, the builder copies all that it has.
        builder = x509.CertificateRevocationListBuilder(
            self.authority.certificate.subject, begin, end, [], [*entries, *self.entries]
        )
        key = self.authority.certificate.public_key()
        builder = builder.add_extension(x509.CRLNumber(self._number), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key),  # type: ignore[arg-type]
            critical=False,
        )
        return builder.sign(self._key(mode), SHA256()).public_bytes(Encoding.DER)

    def ocsp(self, request: bytes, mode: Mode = "good") -> bytes:
        """Return the answer to a request in DER."""
        asked = ocsp.load_der_ocsp_request(request)
        if mode == "unknown":
            status = ocsp.OCSPCertStatus.UNKNOWN
        else:
            known = asked.serial_number in self.revoked
            status = ocsp.OCSPCertStatus.REVOKED if known else ocsp.OCSPCertStatus.GOOD
        begin, end = self._dates(mode)
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            *(asked.issuer_name_hash, asked.issuer_key_hash, asked.serial_number, asked.hash_algorithm, status),
            this_update=begin,
            next_update=end,
            revocation_time=self.revoked.get(asked.serial_number) if status is ocsp.OCSPCertStatus.REVOKED else None,
            revocation_reason=None,
        )
        responder, key = self.authority.certificate, self._key(mode)
        if "delegate" in mode:
            key = kept_key("responder")
            responder = self._delegate(key, authorised=mode == "delegate")
        elif mode == "another key":
            responder = self._namesake(key)
        if responder is not self.authority.certificate:
            builder = builder.certificates([responder])
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
        nonce = [each.value for each in asked.extensions if isinstance(each.value, x509.OCSPNonce)]
        if nonce and mode != "no nonce":
            value = x509.OCSPNonce(b"another's" * 3) if mode == "other nonce" else nonce[0]
            builder = builder.add_extension(value, critical=False)
        return builder.sign(key, SHA256()).public_bytes(Encoding.DER)

    def _dates(self, mode: Mode) -> tuple[datetime, datetime]:
        now = self._clock().replace(microsecond=0)
        if mode == "stale":
            return now - 2 * self.lasts, now - self.lasts
        if mode == "future":
            return now + self.lasts, now + 2 * self.lasts
        return now, now + self.lasts

    def _key(self, mode: Mode) -> RSAPrivateKey:
        return kept_key("another authority") if mode == "another key" else self.authority.key

    def _namesake(self, key: RSAPrivateKey) -> x509.Certificate:
        genuine = self.authority.certificate
        begin, end = genuine.not_valid_before_utc, genuine.not_valid_after_utc
        return sign(genuine.subject, key.public_key(), genuine.subject, key, begin, end, [(ISSUING, True)])

    def _delegate(self, key: RSAPrivateKey, *, authorised: bool) -> x509.Certificate:
        now = self._clock().replace(microsecond=0)
        purpose = ExtendedKeyUsageOID.OCSP_SIGNING if authorised else ExtendedKeyUsageOID.CLIENT_AUTH
        return sign(
            distinguished_name(("SE", "mm-soap", "A responder")),
            key.public_key(),
            self.authority.certificate.subject,
            self.authority.key,
            now - timedelta(days=30),
            now + timedelta(days=30),
            [
                (SIGNING, True),
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (x509.ExtendedKeyUsage([purpose]), False),
                (x509.OCSPNoCheck(), False),
            ],
        )


class StatusServer:
    """Serves ``/ID.crl`` and ``/ID.ocsp`` of authorities on a port of 127.0.0.1, ID being `Authority.path`.

    ::

        with StatusServer(clock) as server:
            pki = TestPki(clock, crl_url=server.url)
            server.add(pki.issuing, pki.root)
            server.authority(pki.issuing).revoke(certificate)

    Args:
        clock: the time that its answers are of.
        port: where it listens; any free one unless said.
    """

    def __init__(self, clock: Clock, port: int = 0) -> None:
        self._clock = clock
        self._authorities: dict[str, RevocationAuthority] = {}
        self._ended = threading.Event()
        self.mode: Mode = "good"
        self.asked: list[str] = []
        """The paths of the requests that came."""
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self.answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The address before the paths."""
        return f"http://{self.host}"

    def add(self, *authorities: Authority) -> None:
        """Tell of the certificates of these authorities too."""
        for each in authorities:
            self._authorities[each.path] = RevocationAuthority(each, self._clock)

    def authority(self, authority: Authority) -> RevocationAuthority:
        """Return what one of them says."""
        return self._authorities[authority.path]

    def __enter__(self) -> StatusServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body for a request."""
        self.asked.append(path)
        name, _, kind = path.strip("/").partition(".")
        authority = self._authorities.get(name)
        if authority is None or kind not in ("crl", "ocsp"):
            return 404, {}, b""
        mode = self.mode
        if mode == "away":
            return 503, {}, b""
        if mode == "redirect":
            return 302, {"Location": f"{self.url}/elsewhere/{name}.{kind}"}, b""
        if mode == "garbage":
            return 200, {}, b"This is not what you want.\n" * 10
        if mode == "huge":
            return 200, {}, bytes(_HUGE)
        if mode == "slow":
            self._ended.wait(60)
        return 200, {}, authority.crl(mode) if kind == "crl" else authority.ocsp(body, mode)


def _handler(answer: Callable[[str, bytes], tuple[int, dict[str, str], bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing."""

        def _answer(self, body: bytes) -> None:
            status, headers, content = answer(self.path, body)
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # who asked did not wait
                self.close_connection = True

    return Handler
