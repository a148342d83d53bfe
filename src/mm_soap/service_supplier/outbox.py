"""Sending on what is in the outbox: at once within a call, for a while, and in the background what was left.

What is to be sent is on disk before it is sent. After a crash between sending and writing that down, the same notice
goes out again with the same key.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.service_supplier import outgoing, post_notices, reaching
from mm_soap.service_supplier.notices import NoNotifier, Notice, NoticeNotTaken, NoticeRules, Notifier
from mm_soap.service_supplier.outgoing import Claimed, Result
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
        rules: how recipients are told of secure post.
    """

    database: Engine
    notifier: Notifier = field(default_factory=NoNotifier)
    clock: Clock = system_clock
    within_call: float = 5.0
    rules: NoticeRules = field(default_factory=NoticeRules)

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
        now = self.clock()
        with writing(self.database, durable=False) as connection:
            claimed = outgoing.claim(connection, now, LEASE, _CLAIMED_TOGETHER)
            claimed += post_notices.claim(connection, now, LEASE, _CLAIMED_TOGETHER, self.rules)
        for one in claimed:
            # The claim ends by itself. Where channels are slow, what is begun late would outlast it, and go twice.
            if self._thread.stopping or self.clock() >= now + LEASE / 2:
                break
            self._send(one)
        return bool(claimed)

    def _send(self, one: Claimed) -> None:
        if one.notice is None or one.channel not in self.notifier.channels:
            refusal: NoticeNotTaken | None = NoticeNotTaken(
                one.obstacle or "there is no such channel any more", again=False
            )
        else:
            refusal = self._attempt(one.notice)
        again = self._again(one) if refusal and refusal.again else None
        state = "sent" if refusal is None else "pending" if again else "failed" if one.notice else "dropped"
        cause = "" if refusal is None else refusal.cause
        if refusal is not None and refusal.again and again is None:
            cause = f"given up after a day: {cause}"
        detail = {"channel": one.channel, "attempt": one.attempts + 1, **({"reason": cause} if cause else {})}
        with writing(self.database, durable=False) as connection:
            result = Result(state, again, self._count(connection, one, refusal, detail))
            if one.post:
                post_notices.write_result(connection, one, result, self.clock(), self.rules)
            else:
                outgoing.write_result(connection, one, result)
            outcome = {"pending": "retry", "dropped": "not sent"}.get(state, state)
            known = (one.message_id, one.trans_id, None, one.sender)
            record_event(connection, Event(self.clock(), "notice", outcome, None, *known, detail))

    def _attempt(self, notice: Notice) -> NoticeNotTaken | None:
        """Hand a notice to its channel; return why it was not taken, or None."""
        try:
            self.notifier.send(notice)
        except NoticeNotTaken as error:
            return error
        except Exception as error:
            _log.error("Sending a notice ended in %s", places(error))
            return NoticeNotTaken(type(error).__name__, again=True)
        return None

    def _count(
        self, connection: Connection, one: Claimed, refusal: NoticeNotTaken | None, detail: dict[str, Any]
    ) -> int:
        """Count what an address refused; return the refusals in a row that a notice ended by being taken."""
        if one.notice is None:
            return 0
        if refusal is None:
            return reaching.taken(connection, one.recipient, one.channel, one.notice.to)
        at = (one.recipient, one.channel, one.notice.to, self.rules.refusals, self.clock())
        if refusal.address and reaching.refused(connection, *at):
            detail["address"] = "does not work: nothing is sent there any more"
        return 0

    def _again(self, one: Claimed) -> datetime | None:
        now = self.clock()
        if now >= one.since + _GIVE_UP_AFTER:
            return None
        return now + min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(one.attempts, 16))

    def _turn(self) -> float:
        if self.send_due():
            return 0.0
        with reading(self.database) as connection:
            due = [one for one in (outgoing.next_due(connection), post_notices.next_due(connection)) if one]
        left = (min(due) - self.clock()).total_seconds() if due else _LONGEST_SLEEP
        return min(_LONGEST_SLEEP, max(0.05, left))
