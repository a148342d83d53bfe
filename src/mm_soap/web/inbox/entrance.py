"""Signing in and out, and whose mailbox is open."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from flask import Blueprint, abort, g, redirect, render_template, request, session, url_for

from mm_soap.account_client import AccountClient, OpenMailbox, signatory_of
from mm_soap.message.identifiers import is_identifier
from mm_soap.web.inbox.provider import NotSignedIn, Person, Provider
from mm_soap.web.inbox.sessions import Sessions, Visit

_WANTED: Final = "wanted"


class Entrance:
    """Lets people in, and into which mailboxes.

    Args:
        sessions: who is signed in.
        accounts: asked for the rights to others' mailboxes.
    """

    def __init__(self, sessions: Sessions, accounts: AccountClient) -> None:
        self.sessions = sessions
        self._accounts = accounts

    def guard(self) -> Any:
        """Find out who is signed in before a page; return the way to sign in, or None for the page itself.

        A direct link names a recipient in its URL. The number is taken into the session and out of the URL at once.
        """
        g.visit = self.sessions.visit()
        wanted = request.args.get("recipientId")
        if wanted is not None and request.method == "GET":
            session[_WANTED] = wanted if is_identifier(wanted) else ""
            return redirect(url_for(request.endpoint or "messages.listed"))
        if g.visit is None:
            return render_template("inbox/start.html"), 200 if request.method == "GET" else 403
        followed = session.pop(_WANTED, None)
        if followed is not None and followed != g.visit.mailbox and not self.open(g.visit, followed):
            return render_template("inbox/closed.html"), 403
        if not g.visit.own and not self.sessions.asked_lately() and not self.open(g.visit, g.visit.mailbox):
            return render_template("inbox/closed.html"), 403
        g.visit = self.sessions.visit()
        return None

    def others(self, visit: Visit) -> list[OpenMailbox]:
        """Return the mailboxes of others that a person may open now."""
        return self._accounts.open_to(visit.person)

    def open(self, visit: Visit, number: str) -> bool:
        """Open a mailbox from now on if the person may; else the person's own."""
        self.sessions.choose(None)
        if number == visit.person:
            return True
        found = next((one for one in self.others(visit) if one.recipient == number), None)
        if found is None and number.startswith("16"):
            # Also where no account was begun yet: it is the way to register a company.
            name = self._accounts.company_of(number, visit.person)
            found = signatory_of(number, name) if name is not None else None
        if found is not None:
            self.sessions.choose(found)
        return found is not None


def entrance_pages(provider: Provider, entrance: Entrance, signed: Callable[[Visit, Person], Any]) -> Blueprint:
    """Return the pages by which one comes in and goes out.

    Args:
        provider: says who somebody is.
        entrance: lets them in.
        signed: answers a person who comes back from signing a text.
    """
    pages = Blueprint("entrance", __name__)
    sessions = entrance.sessions

    @pages.get("/Inbox/sign-in")
    def sign_in() -> Any:
        session.pop("signing", None)
        try:
            return provider.sign_in(g.language)
        except NotSignedIn as error:
            return _not_signed_in(error, 503)

    @pages.get("/Inbox/signed-in")
    def signed_in() -> Any:
        g.visit = sessions.visit()
        try:
            person = provider.answered()
            if g.visit is not None and "signing" in session:
                return signed(g.visit, person)
        except NotSignedIn as error:
            return _not_signed_in(error, 403)
        sessions.begin(person)
        return redirect(url_for("messages.listed"))

    @pages.post("/Inbox/sign-out")
    def sign_out() -> Any:
        sessions.end()
        return redirect(url_for("entrance.signed_out"))

    @pages.get("/Inbox/signed-out")
    def signed_out() -> str:
        return render_template("inbox/start.html", gone=True)

    return pages


def mailbox_pages(entrance: Entrance) -> Blueprint:
    """Return the pages by which one goes from one mailbox to another."""
    pages = Blueprint("mailboxes", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox/mailboxes")
    @shown
    def listed(visit: Visit) -> Any:
        return render_template("inbox/mailboxes.html", others=entrance.others(visit))

    @pages.post("/Inbox/mailboxes")
    @shown
    def chosen(visit: Visit) -> Any:
        if not entrance.open(visit, request.form.get("mailbox", "")):
            return render_template("inbox/closed.html"), 403
        waiting = request.form.get("next") == "waiting"
        return redirect(url_for("waiting.listed" if waiting else "messages.listed"))

    return pages


def _not_signed_in(error: NotSignedIn, status: int) -> tuple[str, int]:
    if session.pop("signing", None) is not None and g.get("visit") is not None:
        return render_template("inbox/unsigned.html", key=error.key), status
    return render_template("inbox/start.html", failed=error.key), status


def shown(page: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a page so that its visit is the first argument."""

    @wraps(page)
    def with_visit(*args: Any, **kwargs: Any) -> Any:
        return page(g.visit, *args, **kwargs)

    return with_visit


def manager_alone(page: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a page so that only those see it who may change the settings of the mailbox that is open."""

    @wraps(page)
    def checked(visit: Visit, *args: Any, **kwargs: Any) -> Any:
        if not visit.manages:
            abort(403)
        return page(visit, *args, **kwargs)

    return checked
