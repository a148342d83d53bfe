"""Everything in a mailbox as one ZIP file, sent while it is made."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from errno import ECONNRESET
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g

from mm_soap.clock import Clock
from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import Inbox, export_mailbox
from mm_soap.unexpected import places
from mm_soap.web.inbox.entrance import Entrance, shown
from mm_soap.web.inbox.sessions import Visit

_log = logging.getLogger(__name__)
_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


def export_pages(inbox: Inbox, entrance: Entrance, clock: Clock, zone: ZoneInfo) -> Blueprint:
    """Return the page that is posted to in order to get a mailbox as a file.

    Whoever may read messages may; who may not open unread ones gets none of them.

    Args:
        inbox: what is in the mailboxes.
        entrance: lets people in.
        clock: the time.
        zone: of the day in the file's name.
    """
    pages = Blueprint("export", __name__)
    pages.before_request(entrance.guard)

    @pages.post("/Inbox/export")
    @shown
    def export(visit: Visit) -> Response:
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


def whole_or_broken_off(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Hand on pieces that are not empty: an empty one would end the file. On a failure the connection breaks off.

    The browser then says that the download failed, and the server logs no text of what went wrong.
    """
    try:
        yield from filter(None, pieces)
    except Exception as error:
        _log.error("an export broke off: %s", places(error))
        raise ConnectionResetError(ECONNRESET, "the export broke off") from None
