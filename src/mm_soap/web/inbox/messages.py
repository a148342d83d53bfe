"""The pages of messages: the list, one message, its body in a frame of its own, and its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from mm_soap.errors import Refusal, Refused
from mm_soap.message import language_tag, safe_filename
from mm_soap.message.attachments import PDF, attachment_type, bytes_match, media_type
from mm_soap.service_supplier import Case, Inbox, MailboxService, OpenedMessage
from mm_soap.service_supplier.model import ARCHIVE, INBOX, TRASH
from mm_soap.web.inbox.entrance import Entrance, shown
from mm_soap.web.inbox.safe_html import TOO_COMPLEX, clean, clean_text
from mm_soap.web.inbox.sessions import Visit

_PAGE: Final = 25
_LONGEST_QUERY: Final = 200
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


def message_pages(service: MailboxService, inbox: Inbox, entrance: Entrance) -> Blueprint:
    """Return the pages of a mailbox's messages.

    Args:
        service: knows which mailboxes are here.
        inbox: what is in them.
        entrance: lets people in.
    """
    pages = Blueprint("messages", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox")
    @shown
    def listed(visit: Visit) -> Any:
        try:
            closed = service.closed_since(visit.mailbox)
        except Refused as refused:
            if refused.refusal is Refusal.NOT_FOUND:
                return render_template("inbox/none.html"), 404
            raise
        query = request.args.get("q", "").strip()[:_LONGEST_QUERY]
        place, cursor = request.args.get("place", INBOX, int), request.args.get("after")
        folders = inbox.folders(visit.mailbox)
        here = next((one for one in folders if one.id == place), None)
        if here is None:
            abort(404)
        try:
            page = (
                inbox.search(visit.mailbox, query, cursor, _PAGE)
                if query
                else inbox.page(visit.mailbox, place, cursor, _PAGE)
            )
        except Refused as refused:
            if refused.refusal is Refusal.REQUEST_CONTRADICTS:
                abort(404)
            raise
        return render_template(
            "inbox/list.html", page=page, here=here, folders=folders, query=query, cursor=cursor, closed=closed
        )

    @pages.get("/Inbox/message/<key>")
    @shown
    def message(visit: Visit, key: str) -> Any:
        if not _may_open(inbox, visit, key):
            return render_template("inbox/unread.html"), 403
        return _page(inbox, visit, key)

    return pages


def content_pages(inbox: Inbox, entrance: Entrance) -> Blueprint:
    """Return what a message holds: its HTML, for a frame or alone, and its files."""
    pages = Blueprint("contents", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox/message/<key>/body")
    @shown
    def body(visit: Visit, key: str) -> Response:
        found = found_message(inbox, visit, key) if _may_open(inbox, visit, key) else None
        if found is None or not _is_html(found):
            abort(404)
        html, language = clean(_text(found.body)).html, language_tag(found.language)
        answer = make_response(render_template("inbox/body.html", html=html, language=language))
        answer.headers["Content-Security-Policy"] = _BODY_POLICY
        answer.headers["X-Frame-Options"] = "SAMEORIGIN"
        return answer

    @pages.get("/Inbox/message/<key>/file/<int:number>")
    @shown
    def file(visit: Visit, key: str, number: int) -> Response:
        if not _may_open(inbox, visit, key):
            abort(404)
        return _answer_file(inbox, visit, key, number, opened="open" in request.args)

    return pages


def moving_pages(inbox: Inbox, entrance: Entrance) -> Blueprint:
    """Return the page that is posted to in order to put a message somewhere else, or to delete it."""
    pages = Blueprint("moving", __name__)
    pages.before_request(entrance.guard)

    @pages.post("/Inbox/message/<key>")
    @shown
    def moved(visit: Visit, key: str) -> Any:
        if not visit.manages:
            abort(403)
        act = request.form.get("act", "")
        acts = {
            "archive": inbox.archive,
            "restore": inbox.restore,
            "trash": inbox.throw_away,
            "delete": inbox.delete,
            "unread": inbox.mark_unread,
        }
        try:
            if act == "move":
                inbox.move(visit.mailbox, key, request.form.get("place", INBOX, int))
            elif act in acts:
                acts[act](visit.mailbox, key)
            else:
                abort(400)
        except Refused as refused:
            raise _not_found(refused) from None
        session["told"] = f"done.{act}"
        return redirect(url_for("messages.listed"))

    return pages


def folder_pages(inbox: Inbox, entrance: Entrance) -> Blueprint:
    """Return the pages by which folders are made and removed, and the trash emptied."""
    pages = Blueprint("folders", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox/folders")
    @shown
    def listed(visit: Visit) -> str:
        return render_template("inbox/folders.html", folders=inbox.folders(visit.mailbox), wrong="")

    @pages.post("/Inbox/folders")
    @shown
    def changed(visit: Visit) -> Any:
        if not visit.manages:
            abort(403)
        act, name = request.form.get("act", ""), request.form.get("name", "")
        number = request.form.get("folder", 0, int)
        try:
            if act == "make":
                inbox.make_folder(visit.mailbox, name)
            elif act == "rename":
                inbox.rename_folder(visit.mailbox, number, name)
            elif act == "remove":
                inbox.remove_folder(visit.mailbox, number)
            elif act == "empty":
                inbox.empty_trash(visit.mailbox)
            else:
                abort(400)
        except Refused as refused:
            if refused.refusal in (Refusal.UNAVAILABLE, Refusal.NOT_FOUND):
                raise _not_found(refused) from None
            return render_template(
                "inbox/folders.html", folders=inbox.folders(visit.mailbox), wrong="folders.wrong"
            ), 400
        session["told"] = f"folders.{act}"
        return redirect(url_for("folders.listed"))

    return pages


def _page(inbox: Inbox, visit: Visit, key: str) -> str:
    found = found_message(inbox, visit, key, mark=True)
    shown_with = (found.summary.subject, found.summary.sender_name)
    body, html = clean_text("" if _is_html(found) else _text(found.body), *shown_with), _is_html(found)
    removed = {*body.removed, *(clean(_text(found.body)).removed if html else ())}
    event = inbox.event(visit.mailbox, key)
    return render_template(
        "inbox/message.html",
        message=found,
        key=key,
        html=html and TOO_COMPLEX not in removed,
        text=body.html,
        removed=sorted(removed),
        event=event,
        case=_case(inbox, visit, key) if event is not None and event.in_case else None,
        files=[_file(inbox, visit, key, one.position) for one in found.files],
        folders=inbox.folders(visit.mailbox),
        ARCHIVE=ARCHIVE,
        INBOX=INBOX,
        TRASH=TRASH,
    )


def _may_open(inbox: Inbox, visit: Visit, key: str) -> bool:
    """Whether somebody may open a message: not everybody may open what nobody has read yet."""
    return visit.unread or found_message(inbox, visit, key).summary.read is not None


def found_message(inbox: Inbox, visit: Visit, key: str, *, mark: bool = False) -> OpenedMessage:
    """Return a message, or answer that there is none."""
    try:
        return inbox.open(visit.mailbox, key, mark=mark)
    except Refused as refused:
        raise _not_found(refused) from None


def _case(inbox: Inbox, visit: Visit, key: str) -> Case | None:
    try:
        return inbox.case(visit.mailbox, key, unread=visit.unread)
    except Refused as refused:
        if refused.refusal is Refusal.NOT_FOUND:
            return None  # all of it was thrown away
        raise


def _not_found(refused: Refused) -> Exception:
    if refused.refusal is Refusal.NOT_FOUND:
        abort(404)
    return refused


def _file(inbox: Inbox, visit: Visit, key: str, number: int) -> File:
    one = inbox.attachment(visit.mailbox, key, number)
    kind = _kind(one.file.content_type, b"".join(one.pieces))
    return File(number, safe_filename(one.file.filename), one.file.size, kind is not None, kind == PDF)


def _answer_file(inbox: Inbox, visit: Visit, key: str, number: int, *, opened: bool) -> Response:
    """Return a file under its stated type if its bytes are of it, and as mere bytes otherwise."""
    try:
        one = inbox.attachment(visit.mailbox, key, number)
    except Refused as refused:
        raise _not_found(refused) from None
    body = b"".join(one.pieces)
    kind = _kind(one.file.content_type, body)
    inline = opened and kind == PDF
    # In one piece: the server waits for a client as a whole then, and not for each part anew.
    answer = Response(body, mimetype=kind or "application/octet-stream")
    disposition = "inline" if inline else "attachment"
    answer.headers.set("Content-Disposition", disposition, filename=safe_filename(one.file.filename))
    answer.headers["Content-Security-Policy"] = _FILE_POLICY if inline else _DOWNLOAD_POLICY
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _kind(content_type: str, body: bytes) -> str | None:
    kind = attachment_type(content_type)
    return kind if kind is not None and bytes_match(kind, body) else None


def _is_html(message: OpenedMessage) -> bool:
    return media_type(message.content_type) == _HTML


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
