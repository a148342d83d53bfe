"""One WSGI application of several services, the published contract, and what an operator of the machine asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from mm_soap.soap.metrics import Metrics
from mm_soap.soap.model import StartResponse, Wsgi
from mm_soap.soap.request import HttpError
from mm_soap.unexpected import places

_log = logging.getLogger(__name__)
_XML: Final = "text/xml; charset=utf-8"
_PLAIN: Final = "text/plain; charset=utf-8"


def compose(
    services: Mapping[str, Wsgi],
    published: Mapping[str, bytes],
    ready: Callable[[], bool],
    metrics: Metrics | None = None,
    notes: Callable[[], Sequence[str]] = tuple,
    pages: Mapping[str, Wsgi] | None = None,
) -> Wsgi:
    """Return one application that routes by the exact path.

    Args:
        services: the services by path, such as ``/Recipient/v3`` or ``/brevlada-b/Service/v3``.
        published: files for reading by path, from `mm_soap.contract.published`.
        ready: whether calls can be answered, for ``/readyz``. ``/healthz`` says that the process lives.
        metrics: what ``/metrics`` shows.
        notes: sentences that ``/readyz`` says after its answer, for whoever looks: nothing that decides it.
        pages: applications by path, such as ``/testbed`` for it and all that is below it.
    """

    def answer_ready() -> tuple[str, bytes]:
        status, word = ("200 OK", "ok") if ready() else ("503 Service Unavailable", "not ready")
        return status, "".join(f"{line}\n" for line in (word, *notes())).encode()

    probes: dict[str, Callable[[], tuple[str, bytes]]] = {
        "/healthz": lambda: ("200 OK", b"ok\n"),
        "/readyz": answer_ready,
        "/metrics": lambda: ("200 OK", metrics.render() if metrics is not None else b""),
    }

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO") or "/")
        service = services.get(path)
        if service is not None:
            return service(environ, start_response)
        kind, found = _PLAIN, None
        if path in published:
            kind, found = _XML, ("200 OK", published[path])
        elif (page := _page(pages or {}, path)) is not None:
            return page(environ, start_response)
        elif path not in probes:
            return HttpError(404, "There is nothing at this path.").answer(start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return HttpError(405, "Only GET is possible here.", (("Allow", "GET"),)).answer(start_response)
        status, body = found or probes[path]()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def guarded(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        # What escapes here would be logged by the server with its text.
        try:
            return application(environ, start_response)
        except Exception as error:
            _log.error("unexpected at the HTTP level: %s", places(error))
            body = b"A technical error occurred.\n"
            start_response("500 Internal Server Error", [("Content-Type", _PLAIN), ("Content-Length", str(len(body)))])
            return [body]

    return guarded


def _page(pages: Mapping[str, Wsgi], path: str) -> Wsgi | None:
    """Return the application at this path, or at the nearest above it."""
    while path and path not in pages:
        path = path.rpartition("/")[0]
    return pages.get(path)
