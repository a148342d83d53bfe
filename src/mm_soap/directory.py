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
