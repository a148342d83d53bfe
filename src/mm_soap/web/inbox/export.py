"""Everything in a mailbox as one ZIP file, sent while it is made."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g, make_response, render_template

from mm_soap.clock import Clock
from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import Inbox, export_mailbox
from mm_soap.web.inbox.entrance import Entrance, shown
from mm_soap.web.inbox.fetching import Places, whole_or_broken_off
from mm_soap.web.inbox.sessions import Visit

_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


def export_pages(inbox: Inbox, entrance: Entrance, clock: Clock, zone: ZoneInfo, threads: int) -> Blueprint:
    """Return the page that is posted to in order to get a mailbox as a file.

    Whoever may read messages may; who may not open unread ones gets none of them. Each person fetches one at a time,
    and all together not so many that others would wait.

    Args:
        inbox: what is in the mailboxes.
        entrance: lets people in.
        clock: the time.
        zone: of the day in the file's name.
        threads: how many requests the server answers at once.
    """
    places = Places(threads)
    pages = Blueprint("export", __name__)
    pages.before_request(entrance.guard)

    @pages.post("/Inbox/export")
    @shown
    def export(visit: Visit) -> Response:
        if not places.take(visit.person):
            answer = make_response(render_template("inbox/busy.html"), 503)
            answer.headers["Retry-After"] = "60"
            return answer
        try:
            answer = begun(visit)
        except BaseException:
            places.give_back(visit.person)
            raise
        answer.call_on_close(lambda: places.give_back(visit.person))
        return answer

    def begun(visit: Visit) -> Response:
        try:
            pieces = export_mailbox(inbox, visit.mailbox, language=g.language, unread=visit.unread)
        except Refused as refused:
            if refused.refusal is Refusal.NOT_FOUND:
                abort(404)
            raise
        answer = Response(whole_or_broken_off(pieces), mimetype="application/zip")
        answer.headers["Content-Disposition"] = f'attachment; filename="{_name(clock().astimezone(zone))}"'
        answer.headers["Content-Security-Policy"] = _POLICY
        answer.headers["Cache-Control"] = "private, no-store"
        return answer

    return pages


def _name(now: datetime) -> str:
    return f"{'mailbox' if g.language == 'en' else 'brevlada'}-{now:%Y-%m-%d}.zip"
