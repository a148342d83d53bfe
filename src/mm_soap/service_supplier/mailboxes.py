"""The use cases around a mailbox: opening and closing it, contact settings, accepted senders."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import store
from mm_soap.service_supplier.contacts import Contact
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

    def open_mailboxes(self, recipients: Iterable[str]) -> None:
        """Open mailboxes; one that is open already stays as it is, and a closed one is open again."""
        with writing(self.database) as connection:
            store.save_mailboxes(connection, recipients, self.clock())

    def close_mailbox(self, recipient: str) -> None:
        """Close a mailbox: nothing is delivered to it from now on. What is in it stays for the time of grace.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        with writing(self.database) as connection:
            if not store.close_mailbox(connection, recipient, self.clock()):
                raise Refused(Refusal.NOT_FOUND, "mailbox")

    def open_mailbox(self, recipient: str) -> None:
        """Open one mailbox; see `open_mailboxes`."""
        self.open_mailboxes([recipient])

    def contact_of(self, recipient: str) -> Contact:
        """Return where a recipient's notifications are sent on to.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        with reading(self.database) as connection:
            found = store.find_mailbox(connection, recipient)
        if found is None:
            raise Refused(Refusal.NOT_FOUND, "mailbox")
        return found.contact

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
