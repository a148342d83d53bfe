"""A JSON file that is read when it is first needed, and again when it changes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

_log = logging.getLogger(__name__)
_MOST_PLACES: Final = 5

Content = TypeVar("Content")


class FileUnusable(Exception):
    """A file cannot be read, or does not follow its format. The text says where and why, and holds none of it."""


class WatchedFile(Generic[Content]):
    """What a file holds now. Safe for threads; a look-up costs one ``stat`` while the file stays as it is.

    Whoever changes the file puts a new one in its place, as `replace` does, so that nobody reads half of it.

    Args:
        path: the file.
        read: makes its content from its bytes, and may raise pydantic's ``ValidationError``.
    """

    def __init__(self, path: Path, read: Callable[[bytes], Content]) -> None:
        self.path = path
        self._read = read
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, ...], Content | FileUnusable] | None = None

    def content(self) -> Content:
        """Return what the file holds.

        Raises:
            FileUnusable: it cannot be read or used as it is now. What it held before is not used in its place.
        """
        try:
            state = self.path.stat()
        except OSError as error:
            raise FileUnusable(f"{self.path}: {error.strerror}") from None
        mark = (state.st_mtime_ns, state.st_size, state.st_ino)
        known = self._known
        if known is None or known[0] != mark:
            with self._lock:
                known = self._known
                if known is None or known[0] != mark:
                    known = self._known = (mark, self._load())
        if isinstance(known[1], FileUnusable):
            raise known[1]
        return known[1]

    def _load(self) -> Content | FileUnusable:
        try:
            return self._read(self.path.read_bytes())
        except OSError as error:
            unusable = FileUnusable(f"{self.path}: {error.strerror}")
        except ValidationError as error:
            unusable = FileUnusable(f"{self.path}: {'; '.join(places(error))}")
        _log.error("A file of the register cannot be used: %s", unusable)
        return unusable


def places(error: ValidationError) -> Iterable[str]:
    """Yield what is wrong with a document and where, without any value of it: the first few places."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    for one in errors[:_MOST_PLACES]:
        where = ".".join(str(part) for part in one["loc"]) or "the document"
        # Pydantic's sentences tell what is expected. This kind alone repeats what was there.
        yield f"{where}: {'its kind is not known' if one['type'] == 'union_tag_invalid' else one['msg']}"
    if len(errors) > _MOST_PLACES:
        yield f"{len(errors) - _MOST_PLACES} more"


def replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of one, durably and at once; nobody sees half of it.

    Raises:
        OSError: the folder cannot be written.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
        try:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
            # It holds personal numbers: the mode of a temporary file, for its owner alone, is right.
            Path(new.name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(new.name).unlink()
            raise
