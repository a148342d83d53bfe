"""SQLite's write-ahead log is put on disk once for all the transactions that wait for it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from pathlib import Path


class Disk:
    """Lets any number of threads wait until what they committed is on disk.

    Were each commit to synchronise by itself, it would do so while it holds SQLite's one write lock, and all others
    would wait for as many turns of the disk as there are writers. Here they commit without, let go of the lock, and
    share a turn that begins after it. The log has one order, so a turn covers everything that was committed before.

    Args:
        database: the file. Some connection to it must be open while a thread waits: the last that closes removes the
            log.
    """

    def __init__(self, database: str) -> None:
        # Beside the file itself, as SQLite has it, also where the path is a symbolic link.
        self._log = Path(f"{os.path.realpath(database)}-wal")
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._next: Future[None] | None = None
        self._failed: OSError | None = None

    def wait(self) -> None:
        """Return once everything that was committed before is on disk.

        Raises:
            OSError: it is not, and nobody knows how much of it is. Once the disk itself has failed, every call raises
                this until the process is started anew: the log is read up to its first bad page, so what comes behind
                a lost one is lost too, and the kernel tells of a lost page once alone.
        """
        with self._lock:
            first = self._next is None
            mine = self._next = self._next or Future()
        if first:
            with self._turn:  # the turn under way may have begun too early for this one
                with self._lock:
                    self._next = None
                self._synchronise(mine)
        mine.result()

    def _synchronise(self, waited_for: Future[None]) -> None:
        if self._failed is not None:
            waited_for.set_exception(self._failed)
            return
        try:
            # Opened each time: another process may have been the last to close, and the log a new one since. SQLite
            # has no locks on the log that closing it here would take away.
            log = os.open(self._log, os.O_RDONLY)
            try:
                os.fdatasync(log)
            except OSError as error:
                self._failed = error
                raise
            finally:
                os.close(log)
        except BaseException as error:
            waited_for.set_exception(error)
        else:
            waited_for.set_result(None)
