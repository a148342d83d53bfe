"""Writing down each call of a sender, whatever became of it: a layer of WSGI around all applications."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.conformance.masking import masked_text
from mm_soap.contract import ports
from mm_soap.errors import MmSoapError, Refusal
from mm_soap.soap import Wsgi
from mm_soap.soap.model import StartResponse
from mm_soap.storage import Event, events_of, reading, writing
from mm_soap.testbed import store
from mm_soap.testbed.store import Arrival, Captured

_log = logging.getLogger(__name__)

ACCEPTED: Final = "accepted"
ANSWERED: Final = "answered"
HTTP: Final = "http"

_SMALL: Final = 65_536
"""Bytes of a body that the service did not read, and that are read here so that they can be shown."""

_TAG: Final = rb"<(?:[\w.-]+:)?"
_SENDER: Final = re.compile(
    _TAG + rb"(?:senderId\b[^<>]*>|Sender\b[^<>]*>.{0,2000}?" + _TAG + rb"Id\b[^<>]*>)\s*(16[0-9]{10})\s*</", re.DOTALL
)
_ASKED: Final = re.compile(_TAG + rb"distributionId\b[^<>]*>\s*([^<\s]{1,50})\s*</")
_GIVEN: Final = re.compile(_TAG + rb"return\b[^<>]*>\s*([^<\s]{1,50})\s*</")
_CALL_ID: Final = re.compile(_TAG + rb"CallId\b[^<>]*>\s*([^<\s]{1,50})\s*</")
_CODE: Final = re.compile(_TAG + rb"ErrorCode\b[^<>]*>\s*([0-9]{1,6})\s*</")


class Recorder:
    """Wraps an application and writes down calls to a dispatcher, and calls to addresses where nothing is.

    What is written down never changes an answer; a call whose writing fails is answered all the same.

    Args:
        application: all services.
        watched: the paths of the dispatcher's services.
        database: the test bed's own.
        dispatcher: the dispatcher's database, whose events tell what became of a call.
        clock: the time.
    """

    def __init__(
        self, application: Wsgi, watched: Collection[str], database: Engine, dispatcher: Engine, clock: Clock
    ) -> None:
        self._application = application
        self._watched = frozenset(watched)
        self._database = database
        self._dispatcher = dispatcher
        self._clock = clock

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does."""
        path, method = str(environ.get("PATH_INFO") or "/"), str(environ.get("REQUEST_METHOD"))
        watched = path in self._watched
        if not watched and method != "POST":
            return self._application(environ, start_response)
        at, began = self._clock(), time.perf_counter()
        body = environ["wsgi.input"] = _Copy(environ["wsgi.input"])
        status = 0

        def started(line: str, headers: Any, *more: Any) -> Any:
            nonlocal status
            status = int(line[:3])
            return start_response(line, headers, *more)

        answer = self._application(environ, started)
        seconds = time.perf_counter() - began
        # An address where something else is served is not ours to tell of, nor is the contract that somebody fetched.
        if (watched and not (method in ("GET", "HEAD") and status == 200)) or (not watched and status == 404):
            answer = _whole(answer)
            try:
                self._write(
                    environ,
                    Arrival(at, method[:20], masked_text(path)[:200], status, seconds, ""),
                    body,
                    b"".join(answer),
                )
            except MmSoapError as error:
                _log.error("A call was not written down: %s", error)
            except Exception as error:
                _log.error("A call was not written down: %s", type(error).__name__)
        return answer

    def _write(self, environ: dict[str, Any], seen: Arrival, body: _Copy, answer: bytes) -> None:
        declared = str(environ.get("CONTENT_LENGTH") or "")
        if not body.read_so_far and declared.isascii() and declared.isdigit() and 0 < int(declared) <= _SMALL:
            with suppress(Exception):  # each server has its own for a body that breaks off
                body.read(int(declared))
        request = bytes(body.read_so_far)
        call_id = environ.get("mm_soap.call_id") or _first(_CALL_ID, answer)
        with reading(self._dispatcher) as connection:
            events = events_of(connection, call_id=call_id) if call_id else ()
        arrival = _told(seen, call_id, request, answer, events[0] if events else None)
        with writing(self._database, durable=False) as connection:
            store.add(connection, arrival, Captured(_headers(environ), request, answer))


def _whole(answer: Iterable[bytes]) -> list[bytes]:
    """Return all of an answer, which may be an iterator that must be closed."""
    try:
        return list(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()


class _Copy:
    """The input of a request, keeping what was read of it."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.read_so_far = bytearray()

    def read(self, *size: int) -> bytes:
        part: bytes = self._source.read(*size)
        self.read_so_far += part
        return part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def _told(seen: Arrival, call_id: str | None, request: bytes, answer: bytes, event: Event | None) -> Arrival:
    """Return the line of the list, from the bytes and from what the dispatcher wrote down."""
    operation = _operation(request)
    distribution_id = _first(_ASKED, request) if operation == "checkDistributionStatus" else None
    code = _first(_CODE, answer)
    form, place = None, None
    if event is not None and event.kind == "refusal":
        verdict, place = event.outcome, str(event.detail.get("where") or "") or None
    elif seen.status == 200:
        verdict = ACCEPTED if operation == "distributeSecure" else ANSWERED
        if verdict == ACCEPTED:
            distribution_id = _first(_GIVEN, answer)
            form = str(event.detail.get("form")) if event is not None else None
    else:
        verdict = Refusal.UNEXPECTED.name if seen.status == 500 else HTTP
    return Arrival(
        seen.at,
        seen.method,
        seen.path,
        seen.status,
        seen.seconds,
        verdict,
        int(code) if code else None,
        place[:400] if place else None,
        call_id,
        operation,
        _first(_SENDER, request),
        form,
        distribution_id,
    )


def _operation(request: bytes) -> str | None:
    """Return the operation that a request names, also where the rest of it is broken."""
    names = [name for name in ("message", "notification") for name in ports()[name].operations]
    found = re.search(_TAG + b"(" + "|".join(names).encode() + rb")[\s/>]", request[:_SMALL])
    return found[1].decode() if found else None


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    wanted = {
        "Content-Type": "CONTENT_TYPE",
        "Content-Length": "CONTENT_LENGTH",
        "SOAPAction": "HTTP_SOAPACTION",
        "Content-Encoding": "HTTP_CONTENT_ENCODING",
        "Transfer-Encoding": "HTTP_TRANSFER_ENCODING",
        "User-Agent": "HTTP_USER_AGENT",
    }
    return {name: str(environ[key])[:300] for name, key in wanted.items() if environ.get(key)}


def _first(pattern: re.Pattern[bytes], content: bytes) -> str | None:
    found = pattern.search(content)
    return found[1].decode("utf-8", "replace") if found else None
