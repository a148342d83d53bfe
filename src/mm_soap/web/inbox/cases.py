"""The pages of cases: the list of them, and one with its events in order."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, render_template, request

from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import Inbox
from mm_soap.web.inbox.entrance import Entrance, shown
from mm_soap.web.inbox.sessions import Visit


def case_pages(inbox: Inbox, entrance: Entrance) -> Blueprint:
    """Return the pages of a mailbox's cases.

    Args:
        inbox: what is in the mailboxes.
        entrance: lets people in.
    """
    pages = Blueprint("cases", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox/cases")
    @shown
    def listed(visit: Visit) -> str:
        skip = request.args.get("skip", 0, int)
        page = inbox.cases(visit.mailbox, skip, unread=visit.unread)
        return render_template("inbox/cases.html", page=page, skip=skip)

    @pages.get("/Inbox/case/<key>")
    @shown
    def case(visit: Visit, key: str) -> Any:
        try:
            found = inbox.case(visit.mailbox, key, unread=visit.unread)
        except Refused as refused:
            if refused.refusal is Refusal.NOT_FOUND:
                abort(404)
            raise
        return render_template("inbox/case.html", case=found)

    return pages
