"""How the parties of an installation are called, know who calls, and call others."""

from __future__ import annotations

import ssl
import threading
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from lxml import etree

from mm_soap.clock import Clock
from mm_soap.config import DispatcherSettings, OperatorSettings, SenderSettings, Settings
from mm_soap.contract import ports
from mm_soap.errors import TransportError
from mm_soap.pki import CallerCertificates, TrustStore
from mm_soap.register_client import RegisterClient
from mm_soap.soap import Identify, SoapClient, TlsFiles, anonymous, by_connection, by_proxy, client_context

Own = DispatcherSettings | OperatorSettings | SenderSettings
"""A party, or a sender, of the settings: who calls."""


def identify_by(settings: Settings, clock: Clock) -> Identify:
    """Return what tells who calls: by the client certificate where the settings have authorities for it."""
    if settings.tls is None or not settings.tls.client_anchors:
        return anonymous
    trust = TrustStore.load(settings.tls.client_anchors, clock)
    certificates = CallerCertificates(trust, clock)
    return (by_proxy if settings.tls.proxies else by_connection)(certificates.organisation)


def tls_files(settings: Settings) -> TlsFiles | None:
    """Return what the server speaks TLS by; None where it does not, or a proxy does it."""
    tls = settings.tls
    return TlsFiles(Path(tls.certificate), Path(tls.key), tls.client_anchors) if tls and tls.certificate else None


def soap_client(settings: Settings, own: Own, url: str, timeout: float, pool: int = 8) -> SoapClient:
    """Return what calls a service, with the party's own certificate where the address is one of TLS."""
    return SoapClient(url, timeout=timeout, pool=pool, tls=tls_of(settings, own) if url.startswith("https:") else None)


def register_client(
    settings: Settings, own: Own, clock: Clock, *, timeout: float, max_age: timedelta
) -> RegisterClient:
    """Return what asks the register for a party."""
    base = settings.register_url(own)
    return RegisterClient(
        soap_client(settings, own, base + ports()["recipient"].path, timeout),
        soap_client(settings, own, base + ports()["authority"].path, timeout),
        max_age=max_age,
        clock=clock,
    )


class Operators:
    """A client for each operator's address; addresses come from the register."""

    def __init__(self, settings: Settings, own: Own, timeout: float, pool: int) -> None:
        self._settings = settings
        self._own = own
        self._timeout = timeout
        self._pool = pool
        self._lock = threading.Lock()
        self._clients: dict[str, SoapClient] = {}

    def call(self, address: str, body: bytes, *, expected: str) -> etree._Element:
        """Call the service at an address."""
        with self._lock:
            client = self._clients.get(address)
            if client is None:
                if self._settings.profile == "production" and not address.startswith("https://"):
                    raise TransportError("the operator's address in the register does not begin with https://")
                client = soap_client(self._settings, self._own, address, self._timeout, self._pool)
                self._clients[address] = client
        return client.call(body, expected=expected)


def tls_of(settings: Settings, own: Own) -> ssl.SSLContext:
    """Return what a party speaks TLS by when it calls."""
    return _context(own.certificate, own.key, settings.tls.server_anchors if settings.tls else ())


@lru_cache
def _context(certificate: Path, key: Path, anchors: tuple[Path, ...]) -> ssl.SSLContext:
    return client_context(certificate, key, anchors)
