"""Who is connected and who may sign for whom: what a party needs to know from the register."""

from __future__ import annotations

from typing import Protocol


class Directory(Protocol):
    """Answers from the register's Authority service, by whatever means.

    Each method raises ``Refused`` with ``UNAVAILABLE`` when it has no answer.
    """

    def sender_connected(self, organisation: str) -> bool:
        """Tell whether an organisation is a connected sender."""

    def may_dispatch(self, dispatcher: str, sender: str) -> bool:
        """Tell whether a dispatcher is approved and may sign for a sender."""


class MailboxDirectory(Directory, Protocol):
    """Answers also from the register's Recipient service."""

    def operator_of(self, recipient: str, sender: str) -> str | None:
        """Return the organisation number of a recipient's mailbox operator, None if it has no mailbox.

        Args:
            recipient: whose mailbox.
            sender: a connected sender, for which it is asked.
        """
