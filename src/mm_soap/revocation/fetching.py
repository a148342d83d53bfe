"""Asking over HTTP: one answer, of bounded length, in bounded time, from the address itself."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

import urllib3

from mm_soap.revocation.model import Unusable
from mm_soap.soap.whole_answer import WholeAnswer

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PLAIN: Final = re.compile(r"[!-?A-\[\]-~]+")
"""Printable, without what lets two parsers see two hosts in one address: ``@`` and the backslash."""


def host_of(url: str) -> str:
    """Return ``host`` or, with another port than the scheme's, ``host:port``; empty for what is not asked here.

    Asked are addresses of http and https without a user name. Certificates may hold anything, such as ldap.
    """
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host or not _PLAIN.fullmatch(url):
        return ""
    name = f"[{host}]" if ":" in host else host
    return name if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{name}:{port}"


def may_ask(url: str, hosts: Collection[str]) -> bool:
    """Tell whether the host of an address is one of these."""
    host = host_of(url)
    return bool(host) and host in hosts


def fetch(url: str, timeout: float, most_bytes: int, *, request: bytes | None = None) -> bytes:
    """Return the body of an answer: to GET, or to POST of an OCSP request.

    No redirect is followed, nothing is repeated, no proxy of the environment is used.

    Args:
        url: the address.
        timeout: in seconds, for the connection and, from then on, for the whole answer.
        most_bytes: the longest body that is read.
        request: the OCSP request, in DER.

    Raises:
        Unusable: no such answer.
    """
    address = urllib3.util.parse_url(url)
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
    if request is not None:
        headers["Content-Type"] = "application/ocsp-request"
    try:
        with urllib3.connection_from_url(url, maxsize=1, block=False) as pool:
            pool.ConnectionCls = type("Connection", (WholeAnswer, pool.ConnectionCls), {"send_seconds": timeout})
            response = pool.urlopen(
                "GET" if request is None else "POST",
                address.request_uri,
                body=request,
                headers=headers,
                timeout=urllib3.Timeout(connect=timeout, read=timeout),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                if response.status != 200:
                    raise Unusable(f"HTTP {response.status}")
                raw: bytes = response.read(most_bytes + 1)
            finally:
                response.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Unusable(f"no answer: {type(error).__name__}") from None
    if len(raw) > most_bytes:
        raise Unusable(f"the answer has more than {most_bytes} bytes")
    return raw
