"""The client side: one operation's element goes out, the answer's element comes back."""

from __future__ import annotations

import ssl
from typing import Any, Final

import urllib3
from lxml import etree

from mm_soap.contract import validate
from mm_soap.errors import Refused, RemoteFault, TransportError
from mm_soap.soap._spyne import silence_libraries
from mm_soap.soap.envelope import payload_of, wrap
from mm_soap.soap.known_server import SERVER_REASONS, KnownServer, ServerStatus
from mm_soap.soap.one_piece import OnePiece
from mm_soap.soap.request import check_markup
from mm_soap.soap.tls import client_context, tls_error, tls_reason
from mm_soap.soap.whole_answer import WholeAnswer
from mm_soap.xml import SOAP_ENVELOPE, parse_untrusted

_HEADERS: Final = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "Accept": "text/xml"}
_FAULT: Final = f"{{{SOAP_ENVELOPE}}}Fault"
_MOST_BYTES: Final = 10 * 1024 * 1024
# A register with ten thousand senders answers with less.
_MOST_MARKUP: Final = 100_000
_MOST_DESCRIPTION: Final = 300
_NOT_SENT: Final = urllib3.exceptions.ConnectTimeoutError
"""No connection came, for whatever reason: nothing of the request went out. After no other error is that certain."""


class SoapClient:
    """Calls one service of another party. Safe for threads; connections are kept and used again.

    It repeats nothing and follows no redirect: whether a call may be repeated is for its caller to know.

    Args:
        url: the service's address.
        timeout: in seconds, from the end of the request to the end of the answer; and as long for sending the request.
        connect_timeout: in seconds, for the connection; ``timeout`` if that is shorter.
        pool: how many connections are kept.
        tls: what an https address is spoken to by, from `client_context`; the system's authorities without it.
        server: tells of the revocation of the server's certificates; it is looked at before each request.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        connect_timeout: float = 5.0,
        pool: int = 8,
        tls: ssl.SSLContext | None = None,
        server: ServerStatus | None = None,
    ) -> None:
        silence_libraries()
        self.url = url
        self._timeout = urllib3.Timeout(connect=min(connect_timeout, timeout), read=timeout)
        address = urllib3.util.parse_url(url)
        self._target = address.request_uri
        self._host = f"{address.scheme}://{address.host}" + (f":{address.port}" if address.port else "")
        # The pool of one host, not the manager of all: that would take the address apart again at every call.
        options = {"ssl_context": tls or client_context(None, None, ())} if address.scheme == "https" else {}
        self._pool = urllib3.connection_from_url(url, maxsize=pool, block=False, **options)
        kinds: tuple[type, ...] = (WholeAnswer, OnePiece, self._pool.ConnectionCls)
        members: dict[str, Any] = {"send_seconds": timeout}
        if server is not None and address.scheme == "https":
            kinds, members = (KnownServer, *kinds), {**members, "server": staticmethod(server)}
        self._pool.ConnectionCls = type("Connection", kinds, members)

    def call(self, body: bytes | etree._Element, *, expected: str) -> etree._Element:
        """Send one request and return the element in the answer's Body, which follows the schema.

        Args:
            body: the operation's element. Bytes go out as they are, so a signature in them survives: UTF-8, without a
                declaration.
            expected: the qualified name of the answer's element.

        Raises:
            TransportError: no answer, an answer that is not SOAP 1.1, or one that breaks the contract.
            RemoteFault: the other party answered with a fault, whatever the HTTP status.
        """
        status, raw = self._exchange(wrap(body))
        try:
            check_markup(raw, _MOST_MARKUP)
            payload = payload_of(parse_untrusted(raw))
        except Refused as refused:
            raise TransportError(f"HTTP {status}, and the answer is not SOAP ({refused.refusal.name})") from None
        if payload.tag == _FAULT:
            raise _remote_fault(payload)
        if status != 200:
            raise TransportError(f"HTTP {status} with an answer that is no fault")
        if payload.tag != expected:
            raise TransportError("the answer is another element than the contract says")
        try:
            validate(payload)
        except Refused as refused:
            raise TransportError(f"the answer breaks the schema: {refused.where}") from None
        return payload

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.close()

    def _exchange(self, body: bytes) -> tuple[int, bytes]:
        try:
            response = self._pool.urlopen(
                "POST",
                self._target,
                body=body,
                headers=_HEADERS,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                raw = response.read(_MOST_BYTES + 1)
                if len(raw) > _MOST_BYTES:
                    response.close()
                    raise TransportError("the answer is too large")
            finally:
                response.release_conn()
        except Refused as refused:
            reason = SERVER_REASONS.get(refused.refusal, "its certificate is not accepted")
            raise TransportError(f"no answer from {self._host}: {reason}", perhaps_received=False) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The text of these may hold the address with what is in it; the class says what happened.
            tls = tls_error(error)
            reason = tls_reason(tls) if tls else type(error).__name__
            unsent = isinstance(error, _NOT_SENT) or isinstance(tls, ssl.SSLCertVerificationError)
            raise TransportError(f"no answer from {self._host}: {reason}", perhaps_received=not unsent) from None
        kind = (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind not in ("text/xml", "application/xml", "application/soap+xml"):
            raise TransportError(f"HTTP {response.status} without SOAP")
        return response.status, raw


def _remote_fault(fault: etree._Element) -> RemoteFault:
    # Foreign software differs in namespaces, prefixes and what it leaves out: local names are enough here.
    faultstring = _text(fault, "faultstring") or "The answer is a fault without a description."
    detail = next((child for child in fault.iterchildren("*") if etree.QName(child).localname == "detail"), None)
    information = next(iter(detail.iterchildren("*")), None) if detail is not None else None
    if information is None:
        return RemoteFault(None, faultstring[:_MOST_DESCRIPTION], None)
    code = _text(information, "ErrorCode")
    known = int(code) if code.isascii() and code.isdigit() and len(code) < 6 else None
    description = _text(information, "Description") or faultstring
    call_id = _text(information, "CallId")
    return RemoteFault(known, description[:_MOST_DESCRIPTION], call_id[:50] or None)


def _text(parent: etree._Element, name: str) -> str:
    for child in parent.iterchildren("*"):
        if etree.QName(child).localname == name:
            return (child.text or "").strip()
    return ""
