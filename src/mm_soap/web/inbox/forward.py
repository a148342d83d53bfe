"""The page by which a recipient forwards a message to another one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import Blueprint, abort, redirect, render_template, request, session, url_for

from mm_soap.account_client import AccountClient
from mm_soap.errors import Refusal, Refused, RemoteFault, TransportError
from mm_soap.forwarding import VerifySeal, deliver_forward, forward_request
from mm_soap.message import Forwarding, Limits, Party, check_forwarding
from mm_soap.service_supplier import Inbox, Kind
from mm_soap.soap import SoapClient
from mm_soap.web.inbox.entrance import Entrance, shown
from mm_soap.web.inbox.messages import found_message
from mm_soap.web.inbox.sessions import Visit

_LONGEST_SUBJECT: Final = 255


@dataclass(frozen=True, slots=True)
class Way:
    """How a delivery is forwarded: what verifies it once more, and what calls the Service at an address."""

    verify: VerifySeal
    call: Callable[[str], SoapClient]


def forward_pages(inbox: Inbox, accounts: AccountClient, entrance: Entrance, way: Way, limits: Limits) -> Blueprint:
    """Return the page of forwarding.

    Args:
        inbox: what is in the mailboxes.
        accounts: knows each recipient's operator.
        entrance: lets people in.
        way: how a delivery is forwarded.
        limits: the rules for identifiers.
    """
    pages = Blueprint("forward", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox/message/<key>/forward")
    @shown
    def words(visit: Visit, key: str) -> Any:
        found = _forwardable(inbox, visit, key)
        return render_template("inbox/forward.html", key=key, message=found, words=None, wrong="")

    @pages.post("/Inbox/message/<key>/forward")
    @shown
    def sent(visit: Visit, key: str) -> Any:
        found = _forwardable(inbox, visit, key)
        said = replace(_words(visit), message_id=found.summary.message_id)
        wrong, status = _wrong(said, visit, limits), 400
        if not wrong:
            wrong, status = _send(inbox.original, accounts, way, visit, key, said)
        if wrong:
            return render_template("inbox/forward.html", key=key, message=found, words=said, wrong=wrong), status
        session["told"] = "forward.done"
        return redirect(url_for("messages.message", key=key))

    return pages


def _send(
    original: Callable[[str, str], bytes],
    accounts: AccountClient,
    way: Way,
    visit: Visit,
    key: str,
    said: Forwarding,
) -> tuple[str, int]:
    """Send it; return the key of what went wrong, empty for nothing, and the HTTP status."""
    try:
        request_body = forward_request(original(visit.mailbox, key), said, way.verify)
    except Refused as refused:
        if refused.refusal is Refusal.UNAVAILABLE:
            raise
        return "forward.too_old", 409
    recipient = said.recipients[0]
    try:
        account = accounts.account(recipient)
        if not account.registered or account.pending:
            return "forward.not_reached", 409
        reached = deliver_forward(way.call(account.service), request_body, recipient)
    except RemoteFault:
        return "forward.refused", 502
    except TransportError:
        return "forward.unsure", 503
    return ("", 200) if reached else ("forward.not_reached", 409)


def _forwardable(inbox: Inbox, visit: Visit, key: str) -> Any:
    if not visit.forwards:
        abort(403)
    found = found_message(inbox, visit, key)
    if found.summary.kind is not Kind.SECURE:
        abort(404)
    return found


def _words(visit: Visit) -> Forwarding:
    number = re.sub(r"[\s-]", "", request.form.get("recipient", ""))
    subject = " ".join(request.form.get("subject", "").split())
    text = request.form.get("text", "").replace("\r\n", "\n").strip()
    owner = Party(visit.mailbox, visit.mailbox_name or visit.mailbox)
    return Forwarding(owner, (number,), subject, "text/plain", text.encode())


def _wrong(said: Forwarding, visit: Visit, limits: Limits) -> str:
    if said.recipients[0] == visit.mailbox:
        return "forward.yourself"
    if not said.subject or len(said.subject) > _LONGEST_SUBJECT:
        return "forward.subject_wrong"
    try:
        check_forwarding(said, limits)
    except Refused as refused:
        return "forward.number_wrong" if refused.refusal is Refusal.BAD_IDENTIFIER else "forward.words_wrong"
    return ""
