"""The Flask application that holds all pages: its headers, its limits, and what its templates may use."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from flask import Flask, Response, render_template
from flask_wtf import CSRFProtect
from werkzeug.exceptions import HTTPException

from mm_soap.errors import Refused
from mm_soap.soap import Wsgi
from mm_soap.soap.model import StartResponse
from mm_soap.testbed.authority import LONGEST_REQUEST
from mm_soap.testbed.enrolment import Enrolment
from mm_soap.testbed.service import TestbedService
from mm_soap.version import __version__
from mm_soap.web.testbed import testbed_pages

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_MOST_BYTES: Final = LONGEST_REQUEST * 4
"""The longest body of a request to any page; a form makes what is pasted into it longer."""


def create_app(testbed: TestbedService, enrolment: Enrolment, base_url: str, anchors: bytes, secret: bytes) -> Wsgi:
    """Return the pages as one WSGI application.

    Args:
        testbed: what arrived.
        enrolment: hands out certificates.
        base_url: the URL by which others reach this server; pages show it, and none trusts the Host header.
        anchors: PEM, the authorities that the test bed trusts.
        secret: signs forms against forgery; the same in every process.
    """
    app = Flask("mm_soap.web", static_url_path="/static")
    app.config.update(
        SECRET_KEY=secret,
        MAX_CONTENT_LENGTH=_MOST_BYTES,
        MAX_FORM_MEMORY_SIZE=_MOST_BYTES,
        SESSION_COOKIE_NAME="mm_soap",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=base_url.startswith("https://"),
        SESSION_COOKIE_PATH="/testbed",
        # The tokens are bound to the session; behind a proxy the Referer is not this server's.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(version=__version__, base_url=base_url)
    app.jinja_env.filters.update(clock=_clock, duration=_duration)
    csrf = CSRFProtect(app)
    app.register_blueprint(testbed_pages(testbed, enrolment, csrf, anchors), url_prefix="/testbed")
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Refused, _refused)
    return _whole(app)


def _with_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if not response.headers.get("Cache-Control") or response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


def _http_error(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    return render_template("error.html", title=error.name, told=_TOLD.get(code, "")), code


def _refused(refused: Refused) -> tuple[str, int]:
    return render_template("error.html", title="Not now", told=refused.description), 503


_TOLD: Final = {
    400: "The request could not be read, or the form is too old: load the page again.",
    404: "There is nothing at this address. What arrived is shown for a day, and then it is forgotten.",
    405: "This address cannot be called so.",
    413: "That is longer than any certificate request.",
    500: "A technical error occurred.",
}


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _whole(app: Flask) -> Wsgi:
    """Return an application whose answers are lists of bytes, as those of the services."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        answer = app(environ, start_response)
        try:
            return list(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    return application
