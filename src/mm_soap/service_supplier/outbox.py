"""Sending on what is in the outbox: at once within a call, for a while, and in the background what was left.

What is to be sent is on disk before it is sent. After a crash between sending and writing that down, the same notice
goes out again with the same key.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.service_supplier import outgoing
from mm_soap.service_supplier.notices import NoNotifier, NoticeNotTaken, Notifier
from mm_soap.service_supplier.outgoing import Claimed
from mm_soap.storage import Event, reading, record_event, writing
from mm_soap.unexpected import Repeated, places

_log = logging.getLogger(__name__)

_CLAIMED_TOGETHER: Final = 16
LEASE: Final = timedelta(minutes=5)
"""How long a thread may take for what it claimed; then others may send it."""
_FIRST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(hours=1)
_GIVE_UP_AFTER: Final = timedelta(days=1)
_LONGEST_SLEEP: Final = 5.0
"""Seconds after which the database is looked at though nobody woke the thread."""


@dataclass
class Outbox:
    """Sends what is due.

    Args:
        database: the operator's own.
        notifier: the channels.
        clock: the time.
        within_call: how long the call that brings a notification may wait for its channels, in seconds.
    """

    database: Engine
    notifier: Notifier = field(default_factory=NoNotifier)
    clock: Clock = system_clock
    within_call: float = 5.0

    def __post_init__(self) -> None:
        """Make what the thread in the background needs."""
        self._thread = Repeated("outbox", self._turn, _log, "The outbox", _LONGEST_SLEEP)

    def start(self) -> None:
        """Begin to send in the background, if there is any channel."""
        if self.notifier.channels:
            self._thread.start()

    def settle(self) -> None:
        """Return at once: no call waits for the thread."""

    def stop(self) -> None:
        """End, after the notice that is under way."""
        self._thread.stop()

    def send_now(self, key: int) -> None:
        """Send what a new notification sends on, for as long as its call may wait. The thread sends what is left.

        Until then nobody else sends it: it was stored as claimed by this call.

        Args:
            key: the delivery.
        """
        until = time.monotonic() + self.within_call
        last = 0
        while time.monotonic() < until:
            with writing(self.database, durable=False) as connection:
                claimed = outgoing.claim_of(connection, key, last, self.clock() + LEASE, _CLAIMED_TOGETHER)
            if not claimed:
                break
            last = claimed[-1].id
            for one in claimed:
                if time.monotonic() < until:
                    self._send(one)
        with writing(self.database, durable=False) as connection:
            outgoing.release(connection, key, self.clock())

    def send_due(self) -> bool:
        """Send some of what is due; tell whether there was any."""
        with writing(self.database, durable=False) as connection:
            claimed = outgoing.claim(connection, self.clock(), LEASE, _CLAIMED_TOGETHER)
        for one in claimed:
            if self._thread.stopping:
                break  # the claim ends by itself
            self._send(one)
        return bool(claimed)

    def _send(self, one: Claimed) -> None:
        state, cause, again = "sent", "", None
        if one.notice is None or one.channel not in self.notifier.channels:
            state, cause = "failed", "the recipient does not want it, or there is no such channel any more"
        else:
            try:
                self.notifier.send(one.notice)
            except NoticeNotTaken as error:
                cause, again = error.cause, self._again(one) if error.again else None
                state = "pending" if again else "failed"
            except Exception as error:
                _log.error("Sending a notice ended in %s", places(error))
                cause, again = type(error).__name__, self._again(one)
                state = "pending" if again else "failed"
        outcome = "retry" if state == "pending" else state
        detail = {"channel": one.channel, "attempt": one.attempts + 1, **({"reason": cause} if cause else {})}
        event = Event(self.clock(), "notice", outcome, None, one.message_id, one.trans_id, None, one.sender, detail)
        with writing(self.database, durable=False) as connection:
            outgoing.write_result(connection, one.id, state, one.attempts + 1, again)
            record_event(connection, event)

    def _again(self, one: Claimed) -> datetime | None:
        now = self.clock()
        if now >= one.received + _GIVE_UP_AFTER:
            return None
        return now + min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(one.attempts, 16))

    def _turn(self) -> float:
        if self.send_due():
            return 0.0
        with reading(self.database) as connection:
            due = outgoing.next_due(connection)
        left = _LONGEST_SLEEP if due is None else (due - self.clock()).total_seconds()
        return min(_LONGEST_SLEEP, max(0.05, left))
