"""What was fetched, on disk: for the next start, and for the other processes of an installation."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from mm_soap.errors import ConfigurationError
from mm_soap.watched_file import replace

_log = logging.getLogger(__name__)

_OLDEST: Final = timedelta(days=30)
_MOST_REASON: Final = 400


@dataclass
class Attempt:
    """The last attempt to fetch something, by whichever process: when, and why it failed; empty if it did not."""

    at: datetime | None
    failure: str


class Folder:
    """A file for each source, as it came. Its time of change is when the source last confirmed it.

    A lock beside it lets one process at a time ask the source; it holds when that was tried and what came of it.

    Args:
        path: made when it is not there.

    Raises:
        ConfigurationError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder {path} of revocation.cache cannot be made: {error.strerror}."
            ) from None

    def read(self, name: str, unless: datetime | None) -> tuple[bytes, datetime] | None:
        """Return a file and when it was confirmed; None if there is none, or it is still that of ``unless``."""
        try:
            with (self._path / name).open("rb") as file:
                confirmed = _moment(os.fstat(file.fileno()).st_mtime)
                return None if confirmed == unless else (file.read(), confirmed)
        except OSError:
            return None

    def write(self, name: str, raw: bytes, confirmed: datetime) -> None:
        """Keep a file, whole or not at all."""
        path = self._path / name
        try:
            replace(path, raw)
            _set_time(path, confirmed)
        except OSError as error:
            _log.error("A revocation status cannot be kept in %s: %s", self._path, error.strerror)

    def confirm(self, name: str, confirmed: datetime) -> None:
        """Write down that the source said the same once more."""
        try:
            _set_time(self._path / name, confirmed)
        except OSError as error:
            _log.error("A revocation status cannot be kept in %s: %s", self._path, error.strerror)

    @contextmanager
    def turn(self, name: str) -> Iterator[Attempt | None]:
        """Hold the lock of a source, and write down what became of the attempt; None if another process has it."""
        try:
            file = (self._path / f"{name}.lock").open("a+", encoding="utf-8")
        except OSError as error:
            _log.error("A revocation status cannot be kept in %s: %s", self._path, error.strerror)
            yield Attempt(None, "")
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield None
                return
            file.seek(0)
            text = file.read(_MOST_REASON + 64)
            attempt = _attempt(text)
            yield attempt
            said = "" if attempt.at is None else f"{attempt.at.timestamp()!r} {attempt.failure[:_MOST_REASON]}"
            if said != text:
                file.seek(0)
                file.truncate()
                file.write(said)

    def forget(self, now: datetime) -> None:
        """Delete what nothing has confirmed for a month."""
        for path in self._path.iterdir():
            try:
                if _moment(path.stat().st_mtime) < now - _OLDEST:
                    path.unlink()
            except OSError:  # another process was quicker
                continue


def _attempt(text: str) -> Attempt:
    at, _, failure = text.partition(" ")
    try:
        return Attempt(_moment(float(at)), failure)
    except (ValueError, OverflowError, OSError):
        return Attempt(None, "")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _set_time(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(), moment.timestamp()))
