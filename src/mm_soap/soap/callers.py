"""Who calls: by the client certificate of the connection, or as a trusted proxy tells it."""

from __future__ import annotations

import re
import ssl
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from mm_soap.errors import Refusal, Refused
from mm_soap.soap.model import Caller, StartResponse, Wsgi
from mm_soap.soap.request import HttpError

Identify = Callable[[dict[str, Any]], Caller]
"""Tells from the WSGI environment who calls. May raise `Refused`, which becomes a fault."""

CERTIFICATE_HEADER: Final = "X-Client-Certificate"
"""The header in which a proxy hands over the client certificate: PEM, percent-encoded, as nginx writes
``$ssl_client_escaped_cert``."""

_VARIABLE: Final = "HTTP_X_CLIENT_CERTIFICATE"
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*")
LONGEST_HEADER: Final = 32_768
"""In bytes: a certificate in that header is longer than other headers are."""


def anonymous(environ: dict[str, Any]) -> Caller:
    """Know the address alone: for a demonstration without TLS."""
    return Caller(None, address_of(environ))


def address_of(environ: dict[str, Any]) -> str:
    """Return the address that the connection comes from."""
    return str(environ.get("REMOTE_ADDR") or "")


def by_connection(organisation_of: Callable[[bytes], str]) -> Identify:
    """Go by the certificate that the caller proved to have when this connection was made.

    Args:
        organisation_of: tells the organisation of a certificate in DER, or raises `Refused`.
    """

    def identify(environ: dict[str, Any]) -> Caller:
        connection = environ.get("gunicorn.socket")
        der = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None
        if not der:
            raise Refused(Refusal.NOT_AUTHORISED, "no client certificate")
        return Caller(organisation_of(der), address_of(environ))

    return identify


def by_proxy(organisation_of: Callable[[bytes], str]) -> Identify:
    """Go by the certificate that a proxy hands over; whoever is no trusted proxy was turned away by `from_proxies`.

    Args:
        organisation_of: tells the organisation of a certificate in DER, or raises `Refused`.
    """

    def identify(environ: dict[str, Any]) -> Caller:
        header = str(environ.get(_VARIABLE) or "")
        if not header:
            raise Refused(Refusal.NOT_AUTHORISED, "no client certificate")
        return Caller(organisation_of(_der(header)), address_of(environ))

    return identify


def _der(header: str) -> bytes:
    # One certificate and nothing else. Where a proxy added its header to the caller's own instead of replacing it, the
    # server has joined the two, and the first is not to be believed.
    found = _PEM.fullmatch(unquote_to_bytes(header))
    if found is None:
        raise Refused(Refusal.CERTIFICATE_UNREADABLE)
    try:
        return b64decode(b"".join(found[1].split()), validate=True)
    except ValueError:
        raise Refused(Refusal.CERTIFICATE_UNREADABLE) from None


def from_proxies(application: Wsgi, proxies: Collection[str]) -> Wsgi:
    """Return an application that answers these addresses alone: nobody else may say whose the certificate is."""
    trusted = {_plain(address) for address in proxies}

    def guarded(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            known = _plain(address_of(environ)) in trusted
        except ValueError:
            known = False
        if not known:
            return HttpError(403, "Call through the proxy.").answer(start_response)
        return application(environ, start_response)

    return guarded


def _plain(address: str) -> IPv4Address | IPv6Address:
    # Where IPv6 listens for IPv4 too, an address of the latter comes as ::ffff:192.0.2.1.
    found = ip_address(address)
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
