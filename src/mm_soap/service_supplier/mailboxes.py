"""The use cases around a mailbox: opening and closing it, contact settings, accepted senders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import store
from mm_soap.service_supplier.contacts import Contact, Mailbox
from mm_soap.service_supplier.model import Named, Standing
from mm_soap.service_supplier.notices import NoticeRules
from mm_soap.service_supplier.post_notices import bring_forward
from mm_soap.service_supplier.reaching import begin_anew, save_contact
from mm_soap.storage import reading, writing


class Mailboxes:
    """What is done with mailboxes as a whole; the half of `MailboxService` that brings no post."""

    __slots__ = ()

    database: Engine
    clock: Clock
    notices: NoticeRules

    def open_mailboxes(self, recipients: Iterable[str], *, registered: bool = False) -> None:
        """Open mailboxes; one that is open already stays as it is, and a closed one is open again.

        Args:
            recipients: whose.
            registered: whether the register named this operator for them just now. Without that they may be opened
                ahead of the register: they stay open though it names nobody, until it names this operator once.
        """
        with writing(self.database) as connection:
            store.save_mailboxes(connection, recipients, self.clock(), registered=registered)

    def close_mailbox(self, recipient: str) -> None:
        """Close a mailbox: nothing is delivered to it from now on. What is in it stays for the time of grace.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        with writing(self.database) as connection:
            if not store.close_mailbox(connection, recipient, self.clock()):
                raise Refused(Refusal.NOT_FOUND, "mailbox")

    def open_mailbox(self, recipient: str, *, registered: bool = False) -> None:
        """Open one mailbox; see `open_mailboxes`."""
        self.open_mailboxes([recipient], registered=registered)

    def standings(self, after: str = "", most: int = 1000) -> list[Standing]:
        """Return how some mailboxes stand, in the order of their recipients' numbers, for `follow`.

        Args:
            after: the number after which they begin.
            most: how many.
        """
        with reading(self.database) as connection:
            return store.standings(connection, after, most)

    def standing(self, recipient: str) -> Standing | None:
        """Return how a recipient's mailbox stands, for `follow`; None where there is none here."""
        with reading(self.database) as connection:
            return store.standing(connection, recipient)

    def follow(self, seen: Iterable[Standing], named: Mapping[str, Named]) -> tuple[int, int]:
        """Open and close mailboxes as the register says, and return how many were opened and closed.

        A mailbox that was opened or closed since it was seen stays as it is: the register was asked before that, and
        what it said may be old. One that the register never named this operator for may be opened ahead of it, so
        only another operator's name closes it.

        Args:
            seen: how the mailboxes stood before the register was asked.
            named: what it said, by recipient; a mailbox that is not in it stays as it is.
        """
        seen, opened, closed = list(seen), 0, 0
        to_open = [one for one in seen if named.get(one.recipient) is Named.HERE and (one.closed or not one.registered)]
        to_close = [one for one in seen if not one.closed and _has_ended(one, named.get(one.recipient))]
        if to_open or to_close:
            with writing(self.database) as connection:
                for one in to_open:
                    opened += store.open_as_seen(connection, one) and one.closed
                closed = sum(store.close_as_seen(connection, one, self.clock()) for one in to_close)
        return opened, closed

    def closed_since(self, recipient: str) -> datetime | None:
        """Return since when a mailbox is closed; None for one that is open.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        return self._found(recipient).closed

    def contact_of(self, recipient: str) -> Contact:
        """Return where a recipient's notifications are sent on to.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        return self._found(recipient).contact

    def set_contact(self, recipient: str, contact: Contact) -> None:
        """Write where a recipient's notifications are sent on to, from now on.

        A new address counts as one that works, whatever ``contact.failed`` says; one that stays is as it was.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        now = self.clock()
        with writing(self.database) as connection:
            if not save_contact(connection, recipient, contact, now):
                raise Refused(Refusal.NOT_FOUND, "mailbox")
            bring_forward(connection, recipient, now + self.notices.window)

    def try_again(self, recipient: str, channels: Iterable[str]) -> None:
        """Let addresses count as working that did not: their recipient says that they do.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        with writing(self.database) as connection:
            if not begin_anew(connection, recipient, channels, self.clock()):
                raise Refused(Refusal.NOT_FOUND, "mailbox")

    def deselect(self, recipient: str, sender: str) -> None:
        """Write that a recipient does not accept a sender."""
        with writing(self.database) as connection:
            store.save_choice(connection, recipient, sender, accepted=False)

    def select(self, recipient: str, sender: str) -> None:
        """Write that a recipient accepts a sender again."""
        with writing(self.database) as connection:
            store.save_choice(connection, recipient, sender, accepted=True)

    def _found(self, recipient: str) -> Mailbox:
        with reading(self.database) as connection:
            found = store.find_mailbox(connection, recipient)
        if found is None:
            raise Refused(Refusal.NOT_FOUND, "mailbox")
        return found


def _has_ended(one: Standing, named: Named | None) -> bool:
    return named is Named.ELSEWHERE or (named is Named.NOBODY and one.registered)
