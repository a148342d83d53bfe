"""The spool: a folder where evidence waits that could not be written into a party's database.

Each piece is a file of its own, written under another name and put on disk before it gets its own: a file is whole, or
it is not there. What waits is read by `mm_soap.spooling`, which takes it into the database.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from mm_soap.errors import MmSoapError
from mm_soap.folders import synchronise

LONGEST_WAIT: Final = 5.0
"""How long a call waits for its evidence to be on the disk of the spool, in seconds; then it is answered without."""

_WAITING: Final = ".evidence"
_DAMAGED: Final = ".damaged"
_BEGUN: Final = ".begun"
_BLOCK: Final = 4096
_SECONDS_BETWEEN_LOOKS: Final = 2.0
_LEFT_BEHIND_AFTER: Final = 600.0
_MOMENTS: Final = ("at", "keep_until")

_log = logging.getLogger(__name__)


class NotSpooled(MmSoapError):
    """Evidence could not be put into the spool. The text says why, and names no folder."""


class Damaged(MmSoapError):
    """A file of the spool is not what was written."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A request, and what became of it, that could not be written into the database.

    Args:
        at: when it was refused, or came.
        call_id: the call.
        operation: what was asked, where it is known.
        organisation: of the caller's certificate.
        address: where the call came from.
        verdict: the name of the reason.
        code: its ErrorCode, or ``http`` and a status; None for what was kept as it came, before it was read.
        where: in the request, in the contract's names.
        keep_until: when the bytes may be forgotten.
        content: the bytes.
    """

    at: datetime
    call_id: str
    operation: str | None
    organisation: str | None
    address: str | None
    verdict: str
    code: int | str | None
    where: str | None
    keep_until: datetime
    content: bytes

    def to_bytes(self) -> bytes:
        """Return the file: a digest of the rest, a line of JSON, the bytes."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "content"}
        told |= {name: told[name].astimezone(UTC).isoformat() for name in _MOMENTS}
        rest = json.dumps(told).encode() + b"\n" + self.content
        return sha256(rest).hexdigest().encode() + b"\n" + rest

    @classmethod
    def from_bytes(cls, raw: bytes) -> Spooled:
        """Read what `to_bytes` returned.

        Raises:
            Damaged: it is something else.
        """
        digest, _, rest = raw.partition(b"\n")
        if digest != sha256(rest).hexdigest().encode():
            raise Damaged("a file of the spool of evidence was changed or is not whole")
        told, _, content = rest.partition(b"\n")
        try:
            values: dict[str, Any] = json.loads(told)
            values |= {name: datetime.fromisoformat(values[name]) for name in _MOMENTS}
            return cls(**values, content=content)
        except (ValueError, TypeError, KeyError):
            raise Damaged("a file of the spool of evidence is not in the form that this release reads") from None

    @property
    def name(self) -> str:
        """The name of its file: names in order are moments in order, and hold nothing of the caller."""
        kind = "as-sent" if self.code is None else "refused"
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{self.call_id}-{kind}"


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What is in a spool.

    Args:
        waiting: files that are to be taken into the database.
        damaged: files that cannot be.
        held: the room that all of them take, in bytes.
    """

    waiting: int
    damaged: int
    held: int


class Spool:
    """The spool of one party. Any number of threads and processes may use one folder.

    Args:
        folder: the party's own; made when it is needed. Only its owner may read it.
        limit: how much it may hold, in bytes. Several processes may each go past it by what they write in two seconds.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._held, self._look_at = 0, 0.0
        # One thread writes: whoever waits for it can stop waiting, which nobody can who is in a call of the kernel.
        self._writer = ThreadPoolExecutor(1, "spool")
        self.written = 0
        """Pieces that this process has put into it."""
        self.lost = 0
        """Pieces that it could not put into it."""

    def prepare(self) -> str | None:
        """Make the folder, and see whether it can be written: None, or a sentence that says why not."""
        probe = self._folder / f"probe-{uuid4()}{_BEGUN}"
        try:
            self._make_folder()
            self._write(probe, b"")
            probe.unlink()
        except OSError as error:
            return f"The spool of evidence {self._folder} cannot be written: {error.strerror}."
        return None

    def put(self, one: Spooled) -> None:
        """Write a piece of evidence. It is on disk when this returns, after `LONGEST_WAIT` at most.

        Raises:
            NotSpooled: it is not, or nobody knows.
        """
        waited_for = self._writer.submit(self._put, one)
        done = False
        try:
            waited_for.result(LONGEST_WAIT)
            done = True
        except TimeoutError:
            waited_for.cancel()
            raise NotSpooled("the disk of the spool of evidence is too slow") from None
        except OSError as error:
            raise NotSpooled(f"the spool of evidence cannot be written: {error.strerror}") from None
        finally:
            with self._lock:
                self.written, self.lost = self.written + done, self.lost + (not done)

    def _put(self, one: Spooled) -> None:
        raw = one.to_bytes()
        self._make_room(_room(len(raw)))
        self._make_folder()
        begun = self._folder / f"{one.name}{_BEGUN}"
        try:
            self._write(begun, raw)
            begun.rename(self._folder / f"{one.name}{_WAITING}")
            synchronise(self._folder)
        except OSError:
            begun.unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        with self._lock:
            if time.monotonic() >= self._look_at:
                self._held, self._look_at = self.state().held, time.monotonic() + _SECONDS_BETWEEN_LOOKS
            if self._held + size > self._limit:
                raise NotSpooled("the spool of evidence is full")
            self._held += size

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            synchronise(self._folder.parent)

    @staticmethod
    def _write(file: Path, raw: bytes) -> None:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as opened:
            opened.write(raw)
            opened.flush()
            os.fsync(opened.fileno())

    def state(self) -> SpoolState:
        """Return how much there is now; nothing, where the folder cannot be read."""
        waiting = damaged = held = 0
        with suppress(OSError), os.scandir(self._folder) as found:
            for one in found:
                with suppress(FileNotFoundError):  # taken in since
                    held += _room(one.stat(follow_symlinks=False).st_size)
                    waiting += one.name.endswith(_WAITING)
                    damaged += one.name.endswith(_DAMAGED)
        return SpoolState(waiting, damaged, held)

    def is_full(self, state: SpoolState) -> bool:
        """Whether not even the smallest piece has room in this state."""
        return state.held + _BLOCK > self._limit

    def waiting(self) -> Sequence[Path]:
        """Return the files that wait, in the order in which their requests were refused."""
        return sorted(self._folder.glob(f"*{_WAITING}"))

    def read(self, file: Path) -> Spooled | None:
        """Return what is in one of `waiting`; None where another process has taken it, or it was damaged."""
        try:
            return Spooled.from_bytes(file.read_bytes())
        except FileNotFoundError:
            return None
        except Damaged as error:
            # It stays for whoever looks into it, under a name by which it is found and not tried again.
            with suppress(FileNotFoundError):
                file.rename(file.with_suffix(_DAMAGED))
                _log.error("%s; it stays there as %s", error, file.with_suffix(_DAMAGED).name)
            return None

    def remove(self, file: Path) -> None:
        """Remove what is in the database now. Should a crash undo this, it is there again, and known."""
        with suppress(FileNotFoundError):
            size = file.stat().st_size
            file.unlink()
            with self._lock:
                self._held -= _room(size)

    def clear_up(self) -> None:
        """Remove what processes left behind that were killed while they wrote: their calls were not answered."""
        for file in self._folder.glob(f"*{_BEGUN}"):
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > _LEFT_BEHIND_AFTER:
                    file.unlink()


def _room(size: int) -> int:
    """Return what a file of some bytes takes on a disk, about."""
    return max(1, -(-size // _BLOCK)) * _BLOCK
