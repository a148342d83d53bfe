"""Carrying the kit's calls as they are, right or wrong, and keeping what went and what came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import urllib3
from lxml import etree

from mm_soap.conformance.model import Broken, Exchange
from mm_soap.contract import validate
from mm_soap.errors import TECHNICAL_BELOW, Refused
from mm_soap.soap.envelope import payload_of, wrap
from mm_soap.xml import SOAP_ENVELOPE, parse_untrusted, text_of

_FAULT: Final = f"{{{SOAP_ENVELOPE}}}Fault"
_MOST_BYTES: Final = 20 * 1024 * 1024
HEADERS: Final = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "Accept": "text/xml"}
"""What goes with a call unless the case says otherwise."""


@dataclass(frozen=True)
class Fault:
    """A SOAP fault as it came."""

    faultcode: str
    """Its local name, such as ``Client``."""
    element: str | None
    """The qualified name of the element in ``detail``, or None."""
    code: int | None
    """ErrorCode."""
    description: str
    call_id: str


@dataclass(frozen=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    def payload(self) -> etree._Element:
        """Return the one element in the Body.

        Raises:
            Broken: the answer is no SOAP 1.1 envelope with one element in its Body.
        """
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/xml":
            raise Broken(
                f"The answer must be text/xml; it came as {kind or 'nothing'} with HTTP {self.status}.", "HTTP"
            )
        try:
            return payload_of(parse_untrusted(self.raw))
        except Refused as refused:
            raise Broken(f"The answer is not SOAP 1.1: {refused.refusal.name}.", "Envelope") from None

    def result(self, expected: str) -> etree._Element:
        """Return the answer's element.

        Args:
            expected: its qualified name.

        Raises:
            Broken: it is a fault, another element, not HTTP 200, or breaks the schema.
        """
        payload = self.payload()
        if payload.tag == _FAULT:
            fault = self.fault()
            raise Broken(f"An answer was expected; a fault came, code {fault.code}: {fault.description}", "Fault")
        if payload.tag != expected:
            raise Broken(f"The Body must hold {expected}; it holds {payload.tag}.", "Body")
        if self.status != 200:
            raise Broken(f"An answer must come with HTTP 200; it came with {self.status}.", "HTTP")
        try:
            validate(payload)
        except Refused as refused:
            raise Broken("The answer breaks the schema.", refused.where or "") from None
        return payload

    def fault(self) -> Fault:
        """Return the fault.

        Raises:
            Broken: it is none.
        """
        payload = self.payload()
        if payload.tag != _FAULT:
            raise Broken(f"A fault was expected; {payload.tag} came.", "Body")
        faultcode = text_of(payload.find("faultcode")).strip().rpartition(":")[2]
        detail = payload.find("detail")
        inner = next(detail.iterchildren("*"), None) if detail is not None else None
        if inner is None:
            return Fault(faultcode, None, None, text_of(payload.find("faultstring")), "")
        found = {etree.QName(child).localname: text_of(child).strip() for child in inner.iterchildren("*")}
        code = found.get("ErrorCode", "")
        known = int(code) if code.isascii() and code.isdigit() and len(code) < 6 else None
        return Fault(faultcode, str(inner.tag), known, found.get("Description", ""), found.get("CallId", ""))

    def refusal(self, element: str, *codes: int) -> Fault:
        """Return the fault of a request that must be refused, after checking its form.

        Args:
            element: the qualified name of the contract's fault element.
            codes: the error codes that fit; any from 5000 on without them.

        Raises:
            Broken: no fault, no HTTP 500, no typed detail, another code, or a technical one.
        """
        fault = self.fault()
        if self.status != 500:
            raise Broken(f"A fault must come with HTTP 500; it came with {self.status}.", "HTTP")
        if fault.element != element:
            raise Broken(f"The detail must hold {element}; it holds {fault.element or 'nothing'}.", "Fault/detail")
        if fault.code is None:
            raise Broken("ErrorCode must be a number.", "Fault/detail/ErrorCode")
        if not 20 <= len(fault.call_id) <= 50:
            raise Broken("CallId must have 20 to 50 characters.", "Fault/detail/CallId")
        if codes and fault.code not in codes:
            wanted = " or ".join(map(str, codes))
            raise Broken(f"The code must be {wanted}; it is {fault.code}.", "Fault/detail/ErrorCode")
        if not codes and fault.code < TECHNICAL_BELOW:
            raise Broken(
                f"The code {fault.code} is technical, so the caller would repeat the call for ever.",
                "Fault/detail/ErrorCode",
            )
        return fault


@dataclass
class Line:
    """Calls to one service of the other party.

    Args:
        url: its address.
        timeout: in seconds, for each wait for bytes of an answer.
        ca, cert, key: files for TLS, as for :class:`mm_soap.soap.SoapClient`.
    """

    url: str
    timeout: float = 30.0
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    """What went and came since the last `take`."""

    def __post_init__(self) -> None:
        files = {"ca_certs": self.ca, "cert_file": self.cert, "key_file": self.key}
        tls: dict[str, Any] = {name: str(file) for name, file in files.items() if file}
        self._pool = urllib3.PoolManager(**tls)

    def call(self, element: bytes) -> Answer:
        """Send one element in an envelope, byte for byte, and return what came back.

        Raises:
            Broken: nothing came back.
        """
        return self.post(wrap(element))

    def post(self, body: bytes, headers: Mapping[str, str] = HEADERS, *, chunked: bool = False) -> Answer:
        """Send any body, and return what came back.

        Args:
            body: the bytes.
            headers: all but Host and the length.
            chunked: send it in chunks, without Content-Length.

        Raises:
            Broken: nothing came back.
        """
        return self._request("POST", self.url, body, headers, chunked)

    def get(self, url: str) -> Answer:
        """Fetch what stands at an address.

        Raises:
            Broken: nothing came back.
        """
        return self._request("GET", url, b"", {}, False)

    def _request(self, method: str, url: str, body: bytes, headers: Mapping[str, str], chunked: bool) -> Answer:
        started = time.monotonic()
        answer = None
        try:
            response = self._pool.request(
                method,
                url,
                body=body or None if method == "GET" else body,
                headers=dict(headers),
                timeout=self.timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                chunked=chunked,
            )
            try:
                raw = response.read(_MOST_BYTES, decode_content=True)
                answer = Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, raw)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise Broken(f"No answer came: {type(error).__name__}.", "HTTP") from None
        finally:
            # A new connection for each call: some close one after an answer and do not say so.
            self._pool.clear()
            status, raw = (answer.status, answer.raw) if answer else (None, b"")
            came = tuple(answer.headers.items()) if answer else ()
            seconds = time.monotonic() - started
            self.exchanges.append(
                Exchange(url, body, status, raw, seconds, method, tuple(headers.items()), came, started)
            )
        return answer

    def take(self) -> tuple[Exchange, ...]:
        """Return what went and came since the last call of this, and forget it."""
        taken, self.exchanges = tuple(self.exchanges), []
        return taken
