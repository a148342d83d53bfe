"""A run of a batch: check, wash, send, follow. Each step goes on where an earlier run left it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, Protocol, TypeVar
from uuid import uuid4

from mm_soap.batch.journal import Journal, Told
from mm_soap.batch.letters import Letters
from mm_soap.batch.model import Row, RowError
from mm_soap.batch.rows import BatchFile
from mm_soap.dsig import sign_delivery
from mm_soap.errors import MmSoapError, RemoteFault, TransportError
from mm_soap.message import build_delivery
from mm_soap.pki import Identity
from mm_soap.register_client import Reached
from mm_soap.sender import DistributionStatus

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many rows of it are done, and of how many."""

_PAGE: Final = 1000
_SIGNED_TOGETHER: Final = 32
_BYTES_TOGETHER: Final = 8 * 1024 * 1024
"""Signed bytes that are kept in memory and written together; twice as many may wait for answers."""
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0

Each = TypeVar("Each")


class Dispatcher(Protocol):
    """The dispatcher as a sender calls it: :class:`mm_soap.sender.SenderClient`."""

    def distribute(self, document: bytes) -> str:
        """Hand over a signed delivery and return its distribution id."""
        ...

    def status(self, sender: str, distribution_id: str) -> DistributionStatus:
        """Tell how far a delivery came."""
        ...


class Register(Protocol):
    """The register as a sender asks it: :class:`mm_soap.register_client.RegisterClient`."""

    def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
        """Ask for at most 1000 recipients; the answers are in the order of the question."""
        ...


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
        self._identity = identity
        self._dispatcher = dispatcher
        self._register = register
        self._pace = pace
        self._stopping = stopping
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
        for page in _pages(self._file.rows(), _PAGE):
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
            found = self._patiently(partial(self._register.reachable, self._sender, recipients))
            if found is None:
                return
            reached = {one.recipient: one.registered and one.sender_accepted for one in found}
            self._journal.washed({line: reached.get(recipient, False) for line, recipient in page})
            done += len(page)
            self._progress("asking the register", done, None)

    # Sending

    def send(self) -> None:
        """Sign and hand over what was not handed over yet.

        Raises:
            RemoteFault, TransportError: the dispatcher was away for longer than the patience. The run may be repeated.
        """
        before = self._journal.counts()
        total = before.rows - before.invalid - before.unreachable
        done = total - before.waiting
        under_way: dict[Future[str | None], tuple[int, int]] = {}
        with ThreadPoolExecutor(self._pace.connections, "batch") as pool:
            try:
                for window in self._windows():
                    for line, document in window.items():
                        under_way[pool.submit(self._hand_over, document)] = (line, len(document))
                    while sum(size for _, size in under_way.values()) > _BYTES_TOGETHER or len(under_way) > len(window):
                        done += self._take_answers(under_way)
                        self._progress("sending", done, total)
                    if self._stopping.is_set():
                        break
                while under_way:
                    done += self._take_answers(under_way)
                    self._progress("sending", done, total)
            except BaseException:
                self._stopping.set()
                self._keep_answers(under_way)
                raise

    def _windows(self) -> Iterator[dict[int, bytes]]:
        """Yield signed bytes that are in the journal: those of an earlier run, then those of the rows that follow."""
        after = 0
        while earlier := self._journal.unsent(after):
            yield earlier
            after = max(earlier)
        for page in _pages(self._file.rows(), _PAGE):
            rows = {line: row for line, row, _ in page if row is not None}
            if not rows:
                continue
            wanted = self._journal.to_sign(list(rows))
            window: dict[int, bytes] = {}
            for line, message_id in sorted(wanted.items()):
                if self._stopping.is_set():
                    return
                try:
                    window[line] = self._sign(rows[line], message_id)
                except RowError as error:  # a file went or changed since the check
                    self._journal.sent({}, {line: str(error)})
                    continue
                if len(window) >= _SIGNED_TOGETHER or sum(map(len, window.values())) >= _BYTES_TOGETHER:
                    self._journal.signed(window)
                    yield window
                    window = {}
            if window:
                self._journal.signed(window)
                yield window

    def _sign(self, row: Row, message_id: str) -> bytes:
        return sign_delivery(build_delivery(self._letters.delivery(row, message_id)), self._identity)

    def _hand_over(self, document: bytes) -> str | None:
        return self._patiently(partial(self._dispatcher.distribute, document))

    def _take_answers(self, under_way: dict[Future[str | None], tuple[int, int]]) -> int:
        """Wait for an answer, write down all that are there, and return how many."""
        ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
        return self._write_answers({future: under_way.pop(future)[0] for future in ended})

    def _write_answers(self, ended: dict[Future[str | None], int]) -> int:
        accepted: dict[int, str] = {}
        refused: dict[int, str] = {}
        away: MmSoapError | None = None
        for future, line in ended.items():
            try:
                distribution_id = future.result()
            except RemoteFault as fault:
                if fault.technical:
                    away = fault
                    continue
                refused[line] = f"{fault.code}: {fault.description} (CallId {fault.call_id})"
            except TransportError as error:
                away = error
            else:
                if distribution_id is not None:
                    accepted[line] = distribution_id
        if accepted or refused:
            self._journal.sent(accepted, refused)
        if away is not None:
            raise away
        return len(accepted) + len(refused)

    def _keep_answers(self, under_way: dict[Future[str | None], tuple[int, int]]) -> None:
        wait(under_way)
        for future, (line, _) in under_way.items():
            if not future.exception():
                self._write_answers({future: line})

    # Following

    def follow(self, seconds: float) -> None:
        """Ask the dispatcher how far each message came, until all have ended or the time is over.

        Args:
            seconds: how long, from now.

        Raises:
            RemoteFault, TransportError: the dispatcher was away for longer than the patience.
        """
        deadline = time.monotonic() + seconds
        pause = _FIRST_WAIT
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
                pause = min(_LONGEST_WAIT, pause * 1.5)

    def _ask(self, accepted: tuple[int, str]) -> Told | None:
        line, distribution_id = accepted
        found = self._patiently(partial(self._dispatcher.status, self._sender, distribution_id))
        return None if found is None else Told(line, found.type, found.delivery_status, found.ended)

    # Waiting

    def _patiently(self, call: Callable[[], Each]) -> Each | None:
        """Make a call again after technical errors, for as long as the patience lasts; None if the run stops first."""
        deadline = time.monotonic() + self._pace.patience
        pause = _FIRST_WAIT
        while not self._stopping.is_set():
            try:
                return call()
            except (RemoteFault, TransportError) as error:
                lasting = isinstance(error, RemoteFault) and not error.technical
                if lasting or time.monotonic() >= deadline:
                    raise
            self._stopping.wait(pause)
            pause = min(_LONGEST_WAIT, pause * 2)
        return None


def _pages(rows: Iterable[Each], size: int) -> Iterator[list[Each]]:
    rows = iter(rows)
    while page := list(islice(rows, size)):
        yield page
