"""The pages on which a recipient decides: which senders to accept, where notifications go, and whose the mailbox is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, abort, redirect, render_template, request, session, url_for

from mm_soap.account_client import AccountClient
from mm_soap.service_supplier import DAILY, EACH, EMAIL, SMS, Contact, MailboxService, Named
from mm_soap.web.inbox.entrance import Entrance, manager_alone, shown
from mm_soap.web.inbox.sessions import Visit
from mm_soap.web.inbox.signing import LEAVE, MOST_DESELECTED, MOVE, REGISTER, SENDERS, Signing

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOBILE: Final = re.compile(r"\+?[0-9]{5,15}")
_KINDS: Final = (EMAIL, SMS)
_LONGEST_EMAIL: Final = 256


def preference_pages(
    service: MailboxService, accounts: AccountClient, entrance: Entrance, signing: Signing
) -> Blueprint:
    """Return the pages of a mailbox's settings.

    Args:
        service: the mailboxes.
        accounts: the register.
        entrance: lets people in.
        signing: has signed what the register must be told.
    """
    pages = Blueprint("preferences", __name__)
    pages.before_request(entrance.guard)

    @pages.get("/Inbox/senders")
    @shown
    @manager_alone
    def senders(visit: Visit) -> str:
        return _senders(accounts, visit)

    @pages.post("/Inbox/senders")
    @shown
    @manager_alone
    def senders_chosen(visit: Visit) -> Any:
        known = {one.number for one in accounts.senders()}
        deselected = known & set(request.form.getlist("shown")) - set(request.form.getlist("accepted"))
        # Who became a sender while the page was looked at stays as it is.
        unseen = known - set(request.form.getlist("shown"))
        deselected |= unseen - accounts.accepted(visit.mailbox, visit.person) if unseen else set()
        if len(deselected) > MOST_DESELECTED:
            return _senders(accounts, visit, "senders.too_many"), 400
        return signing.begin(visit, SENDERS, tuple(sorted(deselected)))

    @pages.get("/Inbox/contact")
    @shown
    @manager_alone
    def contact(visit: Visit) -> str:
        return render_template("inbox/contact.html", contact=service.contact_of(visit.mailbox), wrong=())

    @pages.post("/Inbox/contact")
    @shown
    @manager_alone
    def contact_changed(visit: Visit) -> Any:
        wanted = _contact()
        wrong = _wrong(wanted)
        if wrong:
            failed = service.contact_of(visit.mailbox).failed
            return render_template("inbox/contact.html", contact=replace(wanted, failed=failed), wrong=wrong), 400
        service.set_contact(visit.mailbox, wanted)
        again = [kind for kind in _KINDS if kind in request.form.getlist("again")]
        if again:
            service.try_again(visit.mailbox, again)
        session["told"] = "contact.saved"
        return redirect(url_for("preferences.contact"))

    return pages


def account_pages(
    operator: str, service: MailboxService, accounts: AccountClient, entrance: Entrance, signing: Signing
) -> Blueprint:
    """Return the pages by which a mailbox is opened, moved here, and closed.

    Args:
        operator: the operator's organisation number.
        service: the mailboxes.
        accounts: the register.
        entrance: lets people in.
        signing: has signed what the register must be told.
    """
    pages = Blueprint("account", __name__)
    pages.before_request(entrance.guard)

    def state_of(visit: Visit) -> str:
        before = service.standing(visit.mailbox)
        found = accounts.account(visit.mailbox)
        # Also mends what a crash left between the register's answer and our own write.
        if before is not None:
            service.follow([before], {visit.mailbox: Named.by(found.active_at, operator)})
        elif found.active_at == operator:
            service.open_mailbox(visit.mailbox, registered=True)
        if not found.registered:
            return "none"
        if found.operator != operator:
            return "elsewhere_pending" if found.pending else "elsewhere"
        return "pending" if found.pending else "here"

    @pages.get("/AccountRequest", endpoint="shown")
    @shown
    def account(visit: Visit) -> str:
        state = state_of(visit)
        return render_template("inbox/account.html", state=state, kept=service.standing(visit.mailbox) is not None)

    @pages.post("/AccountRequest")
    @shown
    def asked(visit: Visit) -> Any:
        possible = {"none": REGISTER, "pending": REGISTER, "elsewhere": MOVE, "here": LEAVE}
        kind = request.form.get("kind", "")
        if not visit.manages or possible.get(state_of(visit)) != kind:
            abort(403)
        return signing.begin(visit, kind)

    return pages


def _senders(accounts: AccountClient, visit: Visit, wrong: str = "") -> str:
    accepted = accounts.accepted(visit.mailbox, visit.person)
    return render_template("inbox/senders.html", senders=accounts.senders(), accepted=accepted, wrong=wrong)


def _contact() -> Contact:
    mobile = re.sub(r"[ ()-]", "", request.form.get("mobile", ""))
    return Contact(
        request.form.get("email", "").strip() or None,
        mobile or None,
        "en" if request.form.get("language") == "en" else "sv",
        frozenset(kind for kind in _KINDS if kind in request.form.getlist("wanted")),
        DAILY if request.form.get("frequency") == DAILY else EACH,
    )


def _wrong(contact: Contact) -> tuple[str, ...]:
    wrong = []
    if contact.email and (len(contact.email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(contact.email)):
        wrong.append("email")
    if contact.mobile and not _MOBILE.fullmatch(contact.mobile):
        wrong.append("mobile")
    return tuple(wrong)
