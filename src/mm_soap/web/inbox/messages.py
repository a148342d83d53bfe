"""The pages of messages: the list, one message, its body in a frame of its own, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from flask import Blueprint, Response, abort, make_response, render_template, request, send_file

from mm_soap.errors import Refusal, Refused
from mm_soap.message import safe_filename
from mm_soap.message.attachments import PDF, attachment_type, bytes_match, media_type
from mm_soap.service_supplier import MailboxService, StoredAttachment, StoredMessage
from mm_soap.web.inbox.entrance import shown, signed_in_alone, wanted_mailbox
from mm_soap.web.inbox.safe_html import clean
from mm_soap.web.inbox.sessions import Sessions, Visit

_PAGE: Final = 25
_HTML: Final = "text/html"
_BODY_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""Of a sender's HTML: nothing runs, nothing is sent, nothing is fetched; a link opens a window of its own."""
_FILE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'"
_DOWNLOAD_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as a page shows it. ``as_stated`` is whether its bytes are of the kind that the sender stated."""

    number: int
    name: str
    size: int
    as_stated: bool
    viewable: bool


def message_pages(service: MailboxService, sessions: Sessions) -> Blueprint:
    """Return the pages of a mailbox's messages.

    Args:
        service: the mailboxes.
        sessions: who is signed in.
    """
    pages = Blueprint("messages", __name__)
    pages.before_request(signed_in_alone(sessions))

    @pages.get("/Inbox")
    @shown
    def listed(visit: Visit) -> Any:
        wanted = wanted_mailbox()
        if wanted is not None and wanted != visit.mailbox:
            return render_template("inbox/closed.html"), 403
        try:
            found = service.list_messages(visit.mailbox)
        except Refused as refused:
            if refused.refusal is not Refusal.NOT_FOUND:
                raise
            return render_template("inbox/none.html"), 404
        last = max(1, -(-len(found) // _PAGE))
        page = min(max(1, request.args.get("page", 1, int)), last)
        unread = sum(one.read is None for one in found)
        lines = found[(page - 1) * _PAGE : page * _PAGE]
        return render_template("inbox/list.html", lines=lines, page=page, last=last, unread=unread)

    @pages.get("/Inbox/message")
    @shown
    def message(visit: Visit) -> Any:
        found = _message(service, visit)
        removed = clean(_text(found.body)).removed if _is_html(found) else ()
        return render_template(
            "inbox/message.html",
            message=found,
            html=_is_html(found),
            text=_text(found.body),
            removed=removed,
            files=_files(found.attachments),
        )

    @pages.get("/Inbox/body")
    @shown
    def body(visit: Visit) -> Response:
        found = _message(service, visit)
        if not _is_html(found):
            abort(404)
        answer = make_response(render_template("inbox/body.html", html=clean(_text(found.body)).html))
        answer.headers["Content-Security-Policy"] = _BODY_POLICY
        answer.headers["X-Frame-Options"] = "SAMEORIGIN"
        return answer

    @pages.get("/Inbox/file")
    @shown
    def file(visit: Visit) -> Response:
        found = _message(service, visit)
        number = request.args.get("number", -1, int)
        if not 0 <= number < len(found.attachments):
            abort(404)
        return _answer_file(found.attachments[number], opened="open" in request.args)

    return pages


def _message(service: MailboxService, visit: Visit) -> StoredMessage:
    try:
        return service.get_message(visit.mailbox, request.args.get("id", ""))
    except Refused as refused:
        if refused.refusal is Refusal.NOT_FOUND:
            abort(404)
        raise


def _files(attachments: Sequence[StoredAttachment]) -> list[File]:
    found = []
    for number, one in enumerate(attachments):
        as_stated = _kind(one) is not None
        found.append(File(number, safe_filename(one.filename), len(one.body), as_stated, _kind(one) == PDF))
    return found


def _answer_file(one: StoredAttachment, *, opened: bool) -> Response:
    """Return a file under its stated type if its bytes are of it, and as mere bytes otherwise."""
    kind = _kind(one)
    inline = opened and kind == PDF
    answer = send_file(
        BytesIO(one.body),
        mimetype=kind or "application/octet-stream",
        as_attachment=not inline,
        download_name=safe_filename(one.filename),
        max_age=0,
    )
    answer.headers["Content-Security-Policy"] = _FILE_POLICY if inline else _DOWNLOAD_POLICY
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _kind(one: StoredAttachment) -> str | None:
    kind = attachment_type(one.content_type)
    return kind if kind is not None and bytes_match(kind, one.body) else None


def _is_html(message: StoredMessage) -> bool:
    return media_type(message.content_type) == _HTML


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
