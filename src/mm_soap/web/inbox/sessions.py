"""Who is signed in, whose mailbox is open, and when that ends."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from flask import g, session

from mm_soap.account_client import OpenMailbox
from mm_soap.service_supplier import SignIns
from mm_soap.web.inbox.provider import Person

_ASKED_EVERY: Final = timedelta(minutes=2)
"""How long an answer of the register counts that lets somebody into another's mailbox."""
_KEPT: Final = ("language", "wanted")
"""What a session keeps when somebody signs in or out."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is signed in.

    Args:
        person: the personal number.
        name: the person's name.
        mailbox: whose mailbox is open: the person's own number unless another one was chosen.
        mailbox_name: the name of its owner.
        manages: whether its settings may be changed.
        unread: whether what nobody has opened yet may be opened.
        forwards: whether messages may be forwarded.
    """

    person: str = field(repr=False)
    name: str = field(repr=False)
    mailbox: str = field(repr=False)
    mailbox_name: str = field(repr=False)
    manages: bool = True
    unread: bool = True
    forwards: bool = True

    @property
    def own(self) -> bool:
        """Whether it is the person's own mailbox."""
        return self.person == self.mailbox


class Sessions:
    """The session of the browser that a request comes from. The cookie ends by itself after the idle time.

    Args:
        sign_ins: which of them hold: a cookie that was copied before its owner signed out does not.
        longest: after how long one must sign in anew in any case.
        clock: the time.
    """

    def __init__(self, sign_ins: SignIns, longest: timedelta, clock: Callable[[], datetime]) -> None:
        self._sign_ins = sign_ins
        self._longest = longest
        self._clock = clock

    def begin(self, person: Person) -> None:
        """Write who signed in; whatever the session held before is gone."""
        self.end()
        sign_in = self._sign_ins.begin(self._clock() + self._longest)
        session.update(person=person.number, name=person.name, sign_in=sign_in)
        session.permanent = True

    def end(self) -> None:
        """Forget who was signed in, in every copy of the session."""
        if "sign_in" in session:
            self._sign_ins.end(session["sign_in"])
        self._renew()

    def visit(self) -> Visit | None:
        """Return who is signed in; None for nobody, or nobody any more."""
        held: MutableMapping[str, Any] = session
        if "person" not in held:
            return None
        if not self._holds(str(held.get("sign_in", ""))):
            self._renew()
            return None
        other = held.get("other")
        if other is not None:
            return Visit(held["person"], held["name"], *other)
        return Visit(held["person"], held["name"], held["person"], held["name"])

    def choose(self, one: OpenMailbox | None) -> None:
        """Open another's mailbox from now on, or with None the person's own again."""
        session.pop("other", None)
        if one is not None:
            session["other"] = [one.recipient, one.name, one.manages, one.unread, one.forwards]
            session["asked"] = self._clock().timestamp()

    def asked_lately(self) -> bool:
        """Whether the register said lately that the mailbox that is open may be."""
        return 0 <= self._clock().timestamp() - float(session.get("asked", 0)) < _ASKED_EVERY.total_seconds()

    def _holds(self, sign_in: str) -> bool:
        """Whether the sign-in has not ended; the database is asked once in a request."""
        if g.get("sign_in") != sign_in:
            if not self._sign_ins.holds(sign_in, self._clock()):
                return False
            g.sign_in = sign_in
        return True

    def _renew(self) -> None:
        kept = {key: session[key] for key in _KEPT if key in session}
        session.clear()
        session.update(kept)
