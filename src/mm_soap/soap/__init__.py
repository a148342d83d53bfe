"""The SOAP shell: ports of the contract as WSGI applications, the client side, and the server that runs them."""

from __future__ import annotations

from mm_soap.soap.callers import Identify, anonymous, by_connection, by_proxy, from_proxies
from mm_soap.soap.client import SoapClient
from mm_soap.soap.compose import compose
from mm_soap.soap.metrics import Metrics
from mm_soap.soap.model import Call, Caller, Handler, Precheck, RefusedHook, SentHook, Wsgi
from mm_soap.soap.room import leaving_room
from mm_soap.soap.server import ServerSettings, serve
from mm_soap.soap.shell import soap_application
from mm_soap.soap.tls import TlsFiles, client_context

__all__ = [
    "Call",
    "Caller",
    "Handler",
    "Identify",
    "Metrics",
    "Precheck",
    "RefusedHook",
    "SentHook",
    "ServerSettings",
    "SoapClient",
    "TlsFiles",
    "Wsgi",
    "anonymous",
    "by_connection",
    "by_proxy",
    "client_context",
    "compose",
    "from_proxies",
    "leaving_room",
    "serve",
    "soap_application",
]
