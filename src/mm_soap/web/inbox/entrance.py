"""Signing in and out."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from flask import Blueprint, g, redirect, render_template, request, session, url_for

from mm_soap.message.identifiers import is_identifier
from mm_soap.web.inbox.provider import NotSignedIn, Provider
from mm_soap.web.inbox.sessions import Sessions

_WANTED: Final = "wanted"


def entrance_pages(provider: Provider, sessions: Sessions) -> Blueprint:
    """Return the pages by which one comes in and goes out.

    Args:
        provider: says who somebody is.
        sessions: who is signed in.
    """
    pages = Blueprint("entrance", __name__)

    @pages.get("/Inbox/sign-in")
    def sign_in() -> Any:
        try:
            return provider.sign_in(g.language)
        except NotSignedIn as error:
            return _not_signed_in(error, 503)

    @pages.get("/Inbox/signed-in")
    def signed_in() -> Any:
        try:
            sessions.begin(provider.answered())
        except NotSignedIn as error:
            return _not_signed_in(error, 403)
        return redirect(url_for("messages.listed"))

    @pages.post("/Inbox/sign-out")
    def sign_out() -> Any:
        sessions.end()
        return redirect(url_for("entrance.signed_out"))

    @pages.get("/Inbox/signed-out")
    def signed_out() -> str:
        return render_template("inbox/start.html", gone=True)

    return pages


def _not_signed_in(error: NotSignedIn, status: int) -> tuple[str, int]:
    return render_template("inbox/start.html", failed=error.key), status


def signed_in_alone(sessions: Sessions) -> Callable[[], Any]:
    """Return what a blueprint asks before each request: who is signed in, or else the way to sign in.

    A direct link names a recipient in its URL. The number is taken into the session and out of the URL at once.
    """

    def check() -> Any:
        g.visit = sessions.visit()
        wanted = request.args.get("recipientId")
        if wanted is not None:
            session[_WANTED] = wanted if is_identifier(wanted) else ""
            return redirect(url_for(request.endpoint or "messages.listed"))
        if g.visit is None:
            return render_template("inbox/start.html"), 200 if request.method == "GET" else 403
        return None

    return check


def wanted_mailbox() -> str | None:
    """Return the number of a direct link that was followed, once; None where there was none."""
    found: str | None = session.pop(_WANTED, None)
    return found


def shown(page: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a page so that its visit is the first argument."""

    @wraps(page)
    def with_visit(*args: Any, **kwargs: Any) -> Any:
        return page(g.visit, *args, **kwargs)

    return with_visit
