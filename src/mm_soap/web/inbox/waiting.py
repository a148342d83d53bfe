"""The page of what waits for more signatures: to sign it too, or to abandon it."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, session, url_for

from mm_soap.account_client import AccountClient
from mm_soap.errors import RemoteFault
from mm_soap.waiting_requests import Waiting, WaitingRequest, WaitingRequests
from mm_soap.web.inbox.entrance import Entrance, manager_alone, shown
from mm_soap.web.inbox.sessions import Visit
from mm_soap.web.inbox.signing import MOST_DESELECTED, SENDERS, Signing

_log = logging.getLogger(__name__)


def waiting_pages(
    operator: str, waiting: WaitingRequests, accounts: AccountClient, entrance: Entrance, signing: Signing
) -> Blueprint:
    """Return the page of what waits.

    What is about the mailbox that is open may be signed and abandoned there. What is about another one that concerns
    the person is shown; the way to it is to open that mailbox, where the register is asked whether they may.

    Args:
        operator: the operator's registered name.
        waiting: what waits at the register.
        accounts: the register.
        entrance: lets people in.
        signing: has signed what the register must be told.
    """
    pages = Blueprint("waiting", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox/waiting")
    @shown
    @manager_alone
    def listed(visit: Visit) -> str:
        found = waiting.of(visit.mailbox, visit.person)
        return render_template(
            "inbox/waiting.html",
            here=[one for one in found if one.recipient == visit.mailbox],
            elsewhere=[one for one in found if one.recipient != visit.mailbox],
            signable=[one.kind for one in found if _signable(one, visit, operator)],
        )

    @pages.post("/Inbox/waiting")
    @shown
    @manager_alone
    def acted(visit: Visit) -> Any:
        found = waiting.of(visit.mailbox, visit.person)
        kind = request.form.get("kind", "")
        one = next((each for each in found if each.recipient == visit.mailbox and each.kind == kind), None)
        if one is None:
            return render_template("inbox/unsigned.html", key="waiting.gone"), 409
        if request.form.get("act") == "abandon":
            return _abandon(waiting, one, visit)
        if request.form.get("act") != "sign" or not _signable(one, visit, operator):
            abort(400)
        return _sign(accounts, signing, one, visit)

    return pages


def _signable(one: WaitingRequest, visit: Visit, operator: str) -> bool:
    """Whether a person may add a signature here: once, and to a request that leads to this operator or stays at it."""
    ours = one.kind is Waiting.SENDERS or one.operator == operator
    return ours and one.recipient == visit.mailbox and not one.signed_by(visit.person)


def _sign(accounts: AccountClient, signing: Signing, one: WaitingRequest, visit: Visit) -> Any:
    if one.kind is not Waiting.SENDERS:
        return signing.begin(visit, one.kind.value)
    deselected = {each.number for each in accounts.senders()} - one.accepted
    if len(deselected) > MOST_DESELECTED:
        return render_template("inbox/unsigned.html", key="senders.too_many"), 400
    return signing.begin(visit, SENDERS, tuple(sorted(deselected)))


def _abandon(waiting: WaitingRequests, one: WaitingRequest, visit: Visit) -> Any:
    try:
        waiting.abandon(one.kind, one.recipient, visit.person)
    except RemoteFault as fault:
        _log.info("the register refused to abandon what waits: code %s", fault.code)
        return render_template("inbox/unsigned.html", key="waiting.refused", reason=fault.description), 409
    session["told"] = "waiting.abandoned"
    return redirect(url_for("waiting.listed"))
