"""The Flask application that holds the pages of the test bed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flask import Response, render_template
from flask_wtf import CSRFProtect
from werkzeug.exceptions import HTTPException

from mm_soap.errors import Refused
from mm_soap.soap import Wsgi
from mm_soap.testbed.authority import LONGEST_REQUEST
from mm_soap.testbed.enrolment import Enrolment
from mm_soap.testbed.service import TestbedService
from mm_soap.web.shell import add_headers, content_policy, new_app
from mm_soap.web.testbed import testbed_pages

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
    app = new_app(
        "testbed",
        static="/static",
        secret=secret,
        cookie="mm_soap",
        path="/testbed",
        base_url=base_url,
        most_bytes=_MOST_BYTES,
    )
    app.jinja_env.filters.update(clock=_clock, duration=_duration)
    csrf = CSRFProtect(app)
    app.register_blueprint(testbed_pages(testbed, enrolment, csrf, anchors), url_prefix="/testbed")
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Refused, _refused)
    return app


def _with_headers(response: Response) -> Response:
    return add_headers(response, content_policy())


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
