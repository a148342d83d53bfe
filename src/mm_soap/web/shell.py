"""What all pages have in common: headers and limits."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from mm_soap.version import __version__

_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class DocumentSessions(SecureCookieSessionInterface):
    """Sessions in cookies that only documents prolong: pages, and what is downloaded.

    A browser asks for what belongs to a page beside the next page. Were the answer to that to bring the session along,
    as it was when it was asked for, it might come after the next page's and undo what that one changed: which mailbox
    is open.
    """

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Whether an answer brings the session."""
        # Browsers tell what a request is for. Of others no two requests are under way.
        document = request.headers.get("Sec-Fetch-Dest", "document") == "document" and request.endpoint != "static"
        return session.modified or (document and super().should_set_cookie(app, session))


def content_policy(*, form_action: str = "'self'", frames: str = "'none'") -> str:
    """Return the Content-Security-Policy of a page: its own style sheet and pictures, and no script."""
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'; frame-src {frames}; form-action {form_action}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def new_app(name: str, *, static: str, secret: bytes, cookie: str, path: str, base_url: str, most_bytes: int) -> Flask:
    """Return an application without pages yet.

    Args:
        name: of the application.
        static: the path of its style sheets.
        secret: signs sessions and forms; the same in every process.
        cookie: the name of its session's cookie.
        path: the path below which that cookie is sent.
        base_url: the URL by which others reach this server; no page trusts the Host header.
        most_bytes: the longest body of a request.
    """
    app = Flask("mm_soap.web", static_url_path=static)
    app.name = name
    app.session_interface = DocumentSessions()
    app.config.update(
        SECRET_KEY=secret,
        MAX_CONTENT_LENGTH=most_bytes,
        MAX_FORM_MEMORY_SIZE=most_bytes,
        SESSION_COOKIE_NAME=cookie,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=base_url.startswith("https://"),
        SESSION_COOKIE_PATH=path,
        # The tokens are bound to the session; behind a proxy the Referer is not this server's.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(version=__version__, base_url=base_url)
    return app


def add_headers(response: Response, policy: str) -> Response:
    """Add what every answer has, where a page did not set it otherwise."""
    for header, value in {**_HEADERS, "Content-Security-Policy": policy}.items():
        response.headers.setdefault(header, value)
    if not response.headers.get("Cache-Control") or response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response
