"""How the parties of an installation are called, know who calls, and call others."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from mm_soap.account_client import AccountClient
from mm_soap.bootstrap_revocation import revocation_of, server_status
from mm_soap.clock import Clock, system_clock
from mm_soap.config import DispatcherSettings, OperatorSettings, SenderSettings, Settings
from mm_soap.contract import ports, wsdl
from mm_soap.errors import ConfigurationError
from mm_soap.pki import CallerCertificates, TrustStore
from mm_soap.pki.identity import is_token_key
from mm_soap.register_client import RegisterClient
from mm_soap.soap import (
    Handler,
    Identify,
    Metrics,
    Precheck,
    RefusedHook,
    SentHook,
    SoapClient,
    TlsFiles,
    Wsgi,
    anonymous,
    by_connection,
    by_proxy,
    client_context,
    soap_application,
)
from mm_soap.soap.model import Shorten

Own = DispatcherSettings | OperatorSettings | SenderSettings
"""A party, or a sender, of the settings: who calls."""


def identify_by(settings: Settings, clock: Clock) -> Identify:
    """Return what tells who calls: by the client certificate where the settings have authorities for it."""
    if settings.tls is None or not settings.tls.client_anchors:
        return anonymous
    trust = TrustStore.load(settings.tls.client_anchors, clock, revocation_of(settings, clock))
    certificates = CallerCertificates(trust, clock)
    return (by_proxy if settings.tls.proxies else by_connection)(certificates.organisation)


def port_of(
    settings: Settings,
    name: str,
    handlers: Mapping[str, Handler],
    prechecks: Mapping[str, Precheck],
    hooks: tuple[RefusedHook, SentHook],
    metrics: Metrics,
    clock: Clock,
    prefix: str = "",
    shorten: Shorten | None = None,
) -> dict[str, Wsgi]:
    """Return the application of one port by its path: what it answers, and how it knows who calls."""
    port = ports()[name]
    application = soap_application(
        port,
        handlers,
        published=wsdl(port, settings.base_url, prefix),
        body_limit=settings.body_limit,
        refused=hooks[0],
        as_sent=hooks[1],
        prechecks=prechecks,
        metrics=metrics,
        shorten=shorten,
        identify=identify_by(settings, clock),
    )
    return {prefix + port.path: application}


def tls_files(settings: Settings) -> TlsFiles | None:
    """Return what the server speaks TLS by; None where it does not, or a proxy does it."""
    tls = settings.tls
    return TlsFiles(Path(tls.certificate), Path(tls.key), tls.client_anchors) if tls and tls.certificate else None


def soap_client(
    settings: Settings, own: Own, url: str, timeout: float, *, connect_timeout: float = 5.0, pool: int = 8
) -> SoapClient:
    """Return what calls a service, with the party's own certificate where the address is one of TLS."""
    return SoapClient(
        url,
        timeout=timeout,
        connect_timeout=connect_timeout,
        pool=pool,
        tls=tls_of(settings, own, url),
        server=server_status(settings, system_clock),
    )


def register_client(
    settings: Settings, own: Own, *, timeout: float, max_age: float, grace: float = 0.0, ask_again: bool = False
) -> RegisterClient:
    """Return what asks the register for a party."""
    base = settings.register_url(own)
    return RegisterClient(
        soap_client(settings, own, base + ports()["recipient"].path, timeout),
        soap_client(settings, own, base + ports()["authority"].path, timeout),
        max_age=max_age,
        grace=grace,
        ask_again=ask_again,
    )


def account_client(settings: Settings, own: OperatorSettings) -> AccountClient:
    """Return what asks the register for an operator what its recipients decide."""
    return AccountClient(register_port(settings, own, "recipient"), register_port(settings, own, "authority"))


def register_port(settings: Settings, own: OperatorSettings, name: str) -> SoapClient:
    """Return what calls one of the register's services for an operator."""
    return soap_client(settings, own, settings.register_url(own) + ports()[name].path, own.register_timeout)


def tls_of(settings: Settings, own: Own, url: str) -> ssl.SSLContext | None:
    """Return what a party speaks TLS by when it calls an address; None for one that is not of TLS."""
    if not url.startswith("https:"):
        return None
    certificate, key = client_files(own)
    return _context(certificate, key, settings.tls.server_anchors if settings.tls else ())


def client_files(own: Own) -> tuple[Path, Path]:
    """Return the certificate and the key that a party, or a sender, shows in calls over TLS.

    Raises:
        ConfigurationError: it signs with a key in a token, which TLS cannot use, and the settings name no other.
    """
    if own.tls_certificate:
        return Path(own.tls_certificate), Path(own.tls_key)
    if is_token_key(own.key):
        raise ConfigurationError(
            f"Set tls_certificate and tls_key of {own.organisation}: calls over TLS need a key in a file."
        )
    return own.certificate, Path(own.key)


@lru_cache
def _context(certificate: Path, key: Path, anchors: tuple[Path, ...]) -> ssl.SSLContext:
    return client_context(certificate, key, anchors)
