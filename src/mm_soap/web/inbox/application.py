"""The Flask application of one operator's inbox."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, g, render_template, request, session, url_for
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mm_soap.account_client import AccountClient
from mm_soap.errors import Refusal, Refused, RemoteFault, TransportError
from mm_soap.forwarding import VerifySeal
from mm_soap.message import language_tag
from mm_soap.service_supplier import Inbox, MailboxService, SignIns
from mm_soap.service_supplier.model import ARCHIVE, INBOX, TRASH, Folder
from mm_soap.soap import SoapClient, Wsgi
from mm_soap.unexpected import places
from mm_soap.waiting_requests import WaitingRequests
from mm_soap.web.inbox.cases import case_pages
from mm_soap.web.inbox.entrance import Entrance, entrance_pages, mailbox_pages
from mm_soap.web.inbox.export import export_pages
from mm_soap.web.inbox.forward import Way, forward_pages
from mm_soap.web.inbox.messages import content_pages, folder_pages, message_pages, moving_pages
from mm_soap.web.inbox.preferences import account_pages, preference_pages
from mm_soap.web.inbox.provider import Client, Provider
from mm_soap.web.inbox.safe_html import straight
from mm_soap.web.inbox.sessions import Sessions
from mm_soap.web.inbox.signing import Signing
from mm_soap.web.inbox.texts import LANGUAGES, told
from mm_soap.web.inbox.waiting import waiting_pages
from mm_soap.web.shell import add_headers, content_policy, new_app

_log = logging.getLogger(__name__)
_MOST_BYTES: Final = 200_000
_SWEDEN: Final = ZoneInfo("Europe/Stockholm")
PATHS: Final = ("/Inbox", "/AccountRequest")
"""Where its pages are, after the operator's own path."""
MENU: Final = (
    ("inbox", "messages.listed"),
    ("cases", "cases.listed"),
    ("senders", "preferences.senders"),
    ("contact", "preferences.contact"),
    ("account", "account.shown"),
)
"""The key of its name, and the endpoint, of each page that is in the menu."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operator's inbox is.

    Args:
        operator: the operator's name.
        organisation: its number.
        base_url: the URL by which others reach this server.
        path: what stands before ``/Inbox``.
        demonstration: whether pages say that they are for trials.
        closed_days: how long a closed mailbox stays; 0 for always.
        threads: how many requests the server answers at once.
    """

    operator: str
    organisation: str
    base_url: str
    path: str
    demonstration: bool
    closed_days: int
    threads: int


@dataclass(frozen=True, slots=True)
class Ends:
    """When sessions end: after so long without a request, and after so long in any case."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Behind:
    """What the pages stand on.

    Args:
        service: the mailboxes.
        inbox: what is in them.
        sign_ins: who is signed in.
        accounts: the register.
        waiting: what waits there for more signatures.
        verify: verifies a sealed delivery that is forwarded.
        call: returns what calls the Service at an address.
    """

    service: MailboxService
    inbox: Inbox
    sign_ins: SignIns
    accounts: AccountClient
    waiting: WaitingRequests
    verify: VerifySeal
    call: Callable[[str], SoapClient]


def create_inbox(
    place: Place, behind: Behind, client: Client, secret: bytes, ends: Ends, clock: Callable[[], datetime]
) -> Wsgi:
    """Return the pages of an operator as one WSGI application, for its path and each of `PATHS`.

    Args:
        place: where they are.
        behind: what they stand on.
        client: what the operator is to the provider that recipients sign in with.
        secret: signs sessions and forms; the same in every process, and another one for each operator.
        ends: when sessions end.
        clock: the time.
    """
    app = new_app(
        "inbox",
        static="/Inbox/static",
        secret=secret,
        cookie=f"mm_soap_{place.organisation}",
        path=place.path or "/",
        base_url=place.base_url,
        most_bytes=_MOST_BYTES,
    )
    # Lax: the provider's answer comes from its own site, and needs what the session holds.
    app.config.update(SESSION_COOKIE_SAMESITE="Lax", PERMANENT_SESSION_LIFETIME=ends.idle)
    app.jinja_env.globals.update(
        place=place,
        menu=MENU,
        languages=LANGUAGES,
        idle_minutes=int(ends.idle.total_seconds() // 60),
        timedelta=timedelta,
    )
    app.jinja_env.filters.update(day=_day, moment=_moment, size=_size, language_tag=language_tag)
    app.jinja_env.filters.update(straight=straight, removed_name=lambda kind: say(f"removed.{kind}"))
    app.before_request(_choose_language)  # first: a form that is refused is told of in it too
    CSRFProtect(app)
    provider = Provider(app, client, f"{place.base_url}{place.path}/Inbox/signed-in")
    entrance = Entrance(Sessions(behind.sign_ins, ends.longest, clock), behind.accounts)
    signing = Signing(place.operator, provider, behind.accounts, behind.service, clock)
    for pages in (
        entrance_pages(provider, entrance, signing.signed),
        mailbox_pages(entrance),
        message_pages(behind.service, behind.inbox, entrance),
        content_pages(behind.inbox, entrance),
        moving_pages(behind.inbox, entrance),
        case_pages(behind.inbox, entrance),
        folder_pages(behind.inbox, entrance),
        export_pages(behind.inbox, entrance, clock, _SWEDEN, place.threads),
        forward_pages(behind.inbox, behind.accounts, entrance, Way(behind.verify, behind.call), behind.service.limits),
        preference_pages(behind.service, behind.accounts, entrance, signing),
        account_pages(place.organisation, behind.service, behind.accounts, entrance, signing),
        waiting_pages(place.operator, behind.waiting, behind.accounts, entrance, signing),
    ):
        app.register_blueprint(pages)
    app.context_processor(lambda: {"t": say, "lang": g.get("language", "sv"), "visit": g.get("visit")})
    app.jinja_env.globals.update(place_name=_place_name, told_once=lambda: session.pop("told", None), here_in=_here_in)
    policy = content_policy(form_action=f"'self' {_origin(client.issuer)}", frames="'self'")
    app.after_request(lambda response: add_headers(response, policy))
    _handle_errors(app)
    return DispatcherMiddleware(app, {place.path: app}) if place.path else app


def say(key: str, **values: object) -> str:
    """Return a sentence in the language of the request."""
    return told(g.get("language", "sv"), key, **values)


def _choose_language() -> None:
    wanted = request.args.get("language")
    if wanted in LANGUAGES:
        session["language"] = wanted
    # What is wanted most comes first. A browser's best_match would take "en" of "sv-SE, en;q=0.5".
    asked = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    g.language = session.get("language") or next((tag for tag in asked if tag in LANGUAGES), "sv")


def _here_in(language: str) -> str:
    """Return the address of the page that is shown, in a language; where it cannot be asked for again, of the list."""
    rule, asked = request.url_rule, request.args.to_dict()
    if g.get("refused") or request.method != "GET" or rule is None or (request.endpoint or "").startswith("entrance."):
        return url_for("messages.listed", language=language)
    return f"{quote(request.script_root + request.path)}?{urlencode(asked | {'language': language})}"


def _handle_errors(app: Flask) -> None:
    def page(name: str, status: int) -> tuple[str, int]:
        g.refused = True  # what was asked for is not repeated, also not in the link to the other language
        return render_template("inbox/told.html", title=say(f"{name}.title"), lead=say(f"{name}.lead")), status

    def http_error(error: HTTPException) -> Any:
        if isinstance(error, CSRFError):
            return page("old", 400)
        if error.code == 403:
            return page("closed", 403)
        if error.code in (404, 405):
            return page("missing", error.code)
        return page("error", error.code or 500)

    def away(error: Exception) -> Any:
        code = error.refusal.code if isinstance(error, Refused) else getattr(error, "code", None)
        if code == Refusal.NOT_FOUND.code:
            # No mailbox here, or no account at the register: pages that look for anything else say so themselves.
            return render_template("inbox/none.html"), 404
        return render_template("inbox/told.html", title=say("away.title"), lead=say("error.lead")), 503

    def unexpected(error: Exception) -> Any:
        # Its text may hold what is in a message.
        _log.error("a page of the inbox failed: %s", places(error))
        return page("error", 500)

    app.register_error_handler(HTTPException, http_error)
    for kind in (Refused, RemoteFault, TransportError):
        app.register_error_handler(kind, away)
    app.register_error_handler(Exception, unexpected)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _place_name(one: Folder) -> str:
    names = {INBOX: "place.inbox", ARCHIVE: "place.archive", TRASH: "place.trash"}
    return one.name if one.id not in names else say(names[one.id])


def _day(moment: datetime) -> str:
    return moment.astimezone(_SWEDEN).strftime("%Y-%m-%d")


def _moment(moment: datetime) -> str:
    return moment.astimezone(_SWEDEN).strftime("%Y-%m-%d %H:%M")


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{max(1, count // 1000)} kB"
