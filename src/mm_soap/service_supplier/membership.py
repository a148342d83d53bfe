"""Following the register: whose mailboxes are here no longer, though nobody told this operator.

A recipient moves by another operator's pages, the last signatory of a company signs there, or the register's answer was
lost: the register knows, and this operator must ask.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mm_soap.service_supplier.mailboxes import Mailboxes
from mm_soap.service_supplier.model import Named
from mm_soap.unexpected import Repeated

_log = logging.getLogger(__name__)

_TOGETHER: Final = 1000
"""So many recipients the register takes in one call (contract, services, isRegistered)."""
_PAUSE_WHEN_AWAY: Final = 60.0

Ask = Callable[[Sequence[str]], Mapping[str, Named]]
"""Asks the register whom it names for at most 1000 recipients. It raises an `MmSoapError` when that is not possible."""


class Membership:
    """Asks the register for all mailboxes that are here, again and again, and opens and closes them as it says.

    Args:
        mailboxes: the operator's.
        ask: asks the register.
        every: how many seconds to wait after one round before the next.
    """

    def __init__(self, mailboxes: Mailboxes, ask: Ask, every: float) -> None:
        self._mailboxes = mailboxes
        self._ask = ask
        self._every = every
        self._thread = Repeated("membership", self._turn, _log, "The question whose mailboxes end", _PAUSE_WHEN_AWAY)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def settle(self) -> None:
        """Return at once: no call waits for this."""

    def stop(self) -> None:
        """End. A question under way is not waited for."""
        self._thread.stop(wait=False)

    def once(self) -> tuple[int, int]:
        """Ask for every mailbox, and return how many were opened and closed."""
        opened = closed = 0
        after = ""
        while not self._thread.stopping:
            seen = self._mailboxes.standings(after, _TOGETHER)
            if not seen:
                break
            more = self._mailboxes.follow(seen, self._ask([one.recipient for one in seen]))
            opened, closed = opened + more[0], closed + more[1]
            after = seen[-1].recipient
        return opened, closed

    def _turn(self) -> float:
        opened, closed = self.once()
        if opened or closed:
            _log.info("as the register says, %d mailboxes are closed and %d are open again", closed, opened)
        return self._every
