"""What a recipient signs: the agreement text, and what is done when it comes back signed.

The text is made twice, before and after, from what the session holds; the register verifies that what was signed is the
text that it gets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import g, redirect, render_template, session, url_for

from mm_soap.account_client import AccountClient, KnownSender
from mm_soap.errors import Refusal, Refused, RemoteFault, TransportError
from mm_soap.service_supplier import MailboxService
from mm_soap.user_signatures import UserSignature
from mm_soap.web.inbox.provider import NotSignedIn, Person, Provider
from mm_soap.web.inbox.sessions import Visit
from mm_soap.web.inbox.texts import told

_log = logging.getLogger(__name__)

SENDERS: Final = "senders"
REGISTER: Final = "register"
MOVE: Final = "move"
LEAVE: Final = "leave"
MOST_DESELECTED: Final = 120
"""So many fit into the session while they are signed."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is about to be signed.

    Args:
        kind: `SENDERS`, `REGISTER`, `MOVE` or `LEAVE`.
        recipient: whose account it is about.
        name: the recipient's name, as in the text.
        at: when, as in the text.
        language: of the text.
        deselected: for `SENDERS`, the numbers of those that are not accepted.
    """

    kind: str
    recipient: str
    name: str
    at: str
    language: str
    deselected: tuple[str, ...] = ()


class Signing:
    """Has texts signed, and carries out what was signed.

    Args:
        operator: the operator's registered name.
        provider: where one signs.
        accounts: the register.
        service: the mailboxes.
        clock: the time.
    """

    def __init__(
        self,
        operator: str,
        provider: Provider,
        accounts: AccountClient,
        service: MailboxService,
        clock: Callable[[], datetime],
    ) -> None:
        self._operator = operator
        self._provider = provider
        self._accounts = accounts
        self._service = service
        self._clock = clock

    def begin(self, visit: Visit, kind: str, deselected: tuple[str, ...] = ()) -> Any:
        """Send the browser to the provider to have the text of a request signed."""
        at = self._clock().strftime("%Y-%m-%d %H:%M:%S UTC")
        task = Task(kind, visit.mailbox, visit.mailbox_name, at, g.language, deselected)
        session["signing"] = [task.kind, task.recipient, task.name, task.at, task.language, list(task.deselected)]
        try:
            return self._provider.sign(self._text(task, self._names(task)), visit.person, g.language)
        except NotSignedIn as error:
            session.pop("signing", None)
            return render_template("inbox/unsigned.html", key=error.key), 503

    def signed(self, visit: Visit, person: Person) -> Any:
        """Carry out what a person signed, and say what became of it."""
        kind, recipient, name, at, language, deselected = session.pop("signing")
        task = Task(kind, recipient, name, at, language, tuple(deselected))
        if person.signature is None or person.number != visit.person or task.recipient != visit.mailbox:
            return render_template("inbox/unsigned.html", key="sign.other"), 403
        try:
            complete = self._carry_out(task, visit, person.signature)
        except RemoteFault as fault:
            _log.info("the register refused what was signed: code %s", fault.code)
            return render_template("inbox/unsigned.html", key="sign.refused", reason=fault.description), 409
        except TransportError:
            return render_template("inbox/unsigned.html", key="sign.unsure"), 503
        session["told"] = f"signed.{task.kind}" if complete else "signed.pending"
        return redirect(url_for("preferences.senders" if task.kind == SENDERS else "account.shown"))

    def _carry_out(self, task: Task, visit: Visit, signature: UserSignature) -> bool:
        senders = self._names(task)
        text, today = self._text(task, senders), self._clock().date()
        if task.kind == SENDERS:
            accepted = [one for one in senders if one.number not in task.deselected]
            complete = self._accounts.store_accepted(task.recipient, visit.person, accepted, text, signature)
            if complete:
                for one in senders:
                    change = self._service.deselect if one.number in task.deselected else self._service.select
                    change(task.recipient, one.number)
        elif task.kind == REGISTER:
            complete = self._accounts.register(task.recipient, self._operator, text, signature, today)
        elif task.kind == MOVE:
            complete = self._accounts.change_operator(task.recipient, visit.person, self._operator, text, signature)
        else:
            complete = self._accounts.deregister(task.recipient, self._operator, text, signature, today)
        if complete and task.kind in (REGISTER, MOVE):
            self._service.open_mailbox(task.recipient, registered=True)
        elif complete and task.kind == LEAVE:
            self._close(task.recipient)
        return complete

    def _close(self, recipient: str) -> None:
        try:
            self._service.close_mailbox(recipient)
        except Refused as refused:
            # None was opened here, which changes nothing about what the register did.
            if refused.refusal is not Refusal.NOT_FOUND:
                raise

    def _names(self, task: Task) -> list[KnownSender]:
        return self._accounts.senders() if task.kind == SENDERS else []

    def _text(self, task: Task, senders: list[KnownSender]) -> str:
        names = ", ".join(one.name for one in senders if one.number in task.deselected)
        key = "senders_all" if task.kind == SENDERS and not names else task.kind
        return told(
            task.language,
            f"agreement.{key}",
            name=task.name or task.recipient,
            operator=self._operator,
            at=task.at,
            senders=names,
        )
