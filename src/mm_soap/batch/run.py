"""A run of a batch: check, wash, send, follow. Each step goes on where an earlier run left it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import uuid4

from mm_soap.batch.calls import FIRST_WAIT, LONGEST_WAIT, Dispatcher, Patience, Register
from mm_soap.batch.journal import Journal, Told
from mm_soap.batch.letters import Letters
from mm_soap.batch.model import Row, RowError
from mm_soap.batch.rows import BatchFile
from mm_soap.batch.sending import Progress, Sending, pages
from mm_soap.pki import Identity
from mm_soap.register_client import Reached

_NO_MAILBOX: Final = "The recipient has no mailbox in the register."
_DESELECTED: Final = "The recipient does not take digital post from this sender."
_NOT_TOLD: Final = "The register did not answer for the recipient."


@dataclass(frozen=True)
class Pace:
    """How a batch is sent.

    Args:
        connections: how many messages are handed over at once.
        patience: how long a dispatcher or a register may be away before the run stops, in seconds.
        everyone: whether those are sent too who have no mailbox: the dispatcher then takes another channel for them.
    """

    connections: int = 4
    patience: float = 300.0
    everyone: bool = False


class Batch:
    """A batch on its way. Its methods are called in their order, by one thread.

    Args:
        file: the rows.
        letters: makes deliveries of them.
        journal: what was done before.
        identity: what signs.
        dispatcher: where they go.
        register: who has a mailbox.
        pace: how fast.
        stopping: set from outside to stop after what is under way.
        progress: is told of each step.
    """

    def __init__(
        self,
        file: BatchFile,
        letters: Letters,
        journal: Journal,
        identity: Identity,
        dispatcher: Dispatcher,
        register: Register,
        pace: Pace,
        stopping: threading.Event,
        progress: Progress,
    ) -> None:
        self._file = file
        self._letters = letters
        self._journal = journal
        self._dispatcher = dispatcher
        self._register = register
        self._pace = pace
        self._stopping = stopping
        self._patience = Patience(pace.patience, stopping)
        self._sending = Sending(
            file, letters, journal, identity, dispatcher, pace.connections, self._patience, progress
        )
        self._progress = progress
        self._sender = letters.sender.id

    # Checking

    def check(self, *, leave_out: bool) -> bool:
        """Check all rows and put them into the journal; once that is done, do nothing.

        Args:
            leave_out: whether the others are sent although some rows cannot be.

        Returns:
            Whether the rows may be sent.

        Raises:
            ConfigurationError: the file as a whole cannot be understood.
        """
        if self._journal.checked:
            return True
        self._journal.begin_check()
        done = 0
        for page in pages(self._file.rows()):
            good: list[tuple[int, str, str]] = []
            bad: list[tuple[int, str]] = []
            for line, row, why in page:
                if self._stopping.is_set():
                    return False
                message_id, why = self._checked(row, why)
                if row is None or why:
                    bad.append((line, why))
                else:
                    good.append((line, row.recipient, message_id))
                done += 1
                self._progress("checking", done, None)
            self._journal.add(good, bad)
        self._journal.refuse_repeated("The message_id is that of an earlier row: give each its own.")
        if self._journal.counts().invalid and not leave_out:
            return False
        self._journal.end_check()
        return True

    def _checked(self, row: Row | None, why: str) -> tuple[str, str]:
        if row is None:
            return "", why
        message_id = row.message_id or str(uuid4())
        try:
            self._letters.delivery(row, message_id)
        except RowError as error:
            return "", str(error)
        return message_id, ""

    # Washing

    def wash(self) -> None:
        """Ask the register who has a mailbox and accepts the sender, 1000 at a time.

        Raises:
            RemoteFault, TransportError: the register refused, or was away for longer than the patience.
        """
        if self._pace.everyone:
            return
        done = 0
        while (page := self._journal.unwashed()) and not self._stopping.is_set():
            recipients = list(dict.fromkeys(recipient for _, recipient in page))
            found = self._patience.call(partial(self._register.reachable, self._sender, recipients))
            if found is None:
                return
            obstacles = {one.recipient: _obstacle(one) for one in found}
            self._journal.washed({line: obstacles.get(recipient, _NOT_TOLD) for line, recipient in page})
            done += len(page)
            self._progress("asking the register", done, None)

    # Sending

    def send(self) -> None:
        """Sign and hand over what was not handed over yet.

        Raises:
            RemoteFault, TransportError: the dispatcher was away for longer than the patience. The run may be repeated.
        """
        self._sending.send()

    # Following

    def follow(self, seconds: float) -> None:
        """Ask the dispatcher how far each message came, until all have ended or the time is over.

        Args:
            seconds: how long, from now.

        Raises:
            RemoteFault, TransportError: the dispatcher was away for longer than the patience.
        """
        deadline = time.monotonic() + seconds
        pause = FIRST_WAIT
        counts = self._journal.counts()
        total = counts.accepted + counts.delivered + counts.failed
        with ThreadPoolExecutor(self._pace.connections, "batch") as pool:
            while self._journal.counts().accepted and not self._stopping.is_set():
                after = 0
                while (page := self._journal.accepted(after)) and not self._stopping.is_set():
                    self._journal.told(each for each in pool.map(self._ask, page) if each is not None)
                    after = page[-1][0]
                    self._progress("following", total - self._journal.counts().accepted, total)
                if time.monotonic() >= deadline:
                    return
                self._stopping.wait(min(pause, max(0.0, deadline - time.monotonic())))
                pause = min(LONGEST_WAIT, pause * 1.5)

    def _ask(self, accepted: tuple[int, str]) -> Told | None:
        line, distribution_id = accepted
        found = self._patience.call(partial(self._dispatcher.status, self._sender, distribution_id))
        return None if found is None else Told(line, found.type, found.delivery_status, found.ended)


def _obstacle(found: Reached) -> str:
    """Return why the sender cannot reach a recipient; nothing where it can."""
    if not found.registered:
        return _NO_MAILBOX
    return "" if found.sender_accepted else _DESELECTED
