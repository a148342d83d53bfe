"""Signing rows and handing them over, several at once, with every answer in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from mm_soap.batch.calls import Dispatcher, Patience
from mm_soap.batch.journal import Journal
from mm_soap.batch.letters import Letters
from mm_soap.batch.model import Row, RowError
from mm_soap.batch.rows import BatchFile
from mm_soap.dsig import sign_delivery
from mm_soap.errors import MmSoapError, RemoteFault, TransportError
from mm_soap.message import build_delivery
from mm_soap.pki import Identity

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many rows of it are done, and of how many."""

_PAGE: Final = 1000
_SIGNED_TOGETHER: Final = 32
_BYTES_TOGETHER: Final = 8 * 1024 * 1024
"""Signed bytes that are kept in memory and written together; twice as many may wait for answers."""

Each = TypeVar("Each")


class Sending:
    """Hands over the rows of a batch that were not handed over yet.

    Args:
        file: the rows.
        letters: makes deliveries of them.
        journal: what was done before.
        identity: what signs.
        dispatcher: where they go.
        connections: how many are handed over at once.
        patience: how long the dispatcher may be away.
        progress: is told of each step.
    """

    def __init__(
        self,
        file: BatchFile,
        letters: Letters,
        journal: Journal,
        identity: Identity,
        dispatcher: Dispatcher,
        connections: int,
        patience: Patience,
        progress: Progress,
    ) -> None:
        self._file = file
        self._letters = letters
        self._journal = journal
        self._identity = identity
        self._dispatcher = dispatcher
        self._connections = connections
        self._patience = patience
        self._progress = progress

    def send(self) -> None:
        """Sign and hand over what was not handed over yet.

        Raises:
            RemoteFault, TransportError: the dispatcher was away for longer than the patience. The run may be repeated.
        """
        before = self._journal.counts()
        total = before.rows - before.invalid - before.unreachable
        done = total - before.waiting
        under_way: dict[Future[str | None], tuple[int, int]] = {}
        with ThreadPoolExecutor(self._connections, "batch") as pool:
            try:
                for window in self._windows():
                    for line, document in window.items():
                        under_way[pool.submit(self._hand_over, document)] = (line, len(document))
                    while sum(size for _, size in under_way.values()) > _BYTES_TOGETHER or len(under_way) > len(window):
                        done += self._take_answers(under_way)
                        self._progress("sending", done, total)
                    if self._patience.stopping.is_set():
                        break
                while under_way:
                    done += self._take_answers(under_way)
                    self._progress("sending", done, total)
            except BaseException:
                self._patience.stopping.set()
                self._keep_answers(under_way)
                raise

    def _windows(self) -> Iterator[dict[int, bytes]]:
        """Yield signed bytes that are in the journal: those of an earlier run, then those of the rows that follow."""
        after = 0
        while earlier := self._journal.unsent(after):
            yield earlier
            after = max(earlier)
        for page in pages(self._file.rows(), _PAGE):
            rows = {line: row for line, row, _ in page if row is not None}
            if not rows:
                continue
            wanted = self._journal.to_sign(list(rows))
            window: dict[int, bytes] = {}
            for line, message_id in sorted(wanted.items()):
                if self._patience.stopping.is_set():
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
        return self._patience.call(partial(self._dispatcher.distribute, document))

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


def pages(rows: Iterable[Each], size: int = _PAGE) -> Iterator[list[Each]]:
    """Yield rows some at a time."""
    rows = iter(rows)
    while page := list(islice(rows, size)):
        yield page
