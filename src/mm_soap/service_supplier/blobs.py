"""Where large contents are kept: the port, a folder, and nothing.

A blob has a random name and belongs to one message or attachment: two senders' equal bytes are two blobs, so deleting
one is real and never touches the other. See docs/decisions/0018-blobs.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.folders import synchronise

CHUNK: Final = 262_144
"""How many bytes of a blob are held at once while it is read."""

SHARDS: Final = 256
_UNFINISHED: Final = ".new"


class NoSuchBlob(Exception):
    """There is no blob of this name: its message was deleted, or the store is not the one that has it."""


class Blobs(Protocol):
    """A store of blobs. Every method raises ``Refused`` with ``UNAVAILABLE`` when the store does not answer."""

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Store blobs, by name; they outlast a crash of the machine once this returns."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """Return the bytes of a blob in pieces; the first is fetched before this returns.

        Raises:
            NoSuchBlob: there is none of this name.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete a blob. One that is not there is deleted already."""
        ...

    def names(self, shard: int) -> Iterator[tuple[str, datetime]]:
        """Yield name and time of writing of each blob whose name begins with the two hexadecimal digits of a shard.

        What a crash left unfinished is among them, under a name of its own.
        """
        ...


def new_name() -> str:
    """Return a name for a new blob: random, so that it tells nothing of what is in it."""
    return uuid4().hex


class NoBlobs:
    """No store: every content is in the database."""

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Refuse anything."""
        if contents:
            raise Refused(Refusal.UNAVAILABLE)

    def read(self, name: str) -> Iterator[bytes]:
        """Refuse: what was stored elsewhere is not to be had without the store."""
        raise Refused(Refusal.UNAVAILABLE)

    def delete(self, name: str) -> None:
        """Refuse, so that what is to be deleted stays written down until there is a store again."""
        raise Refused(Refusal.UNAVAILABLE)

    def names(self, shard: int) -> Iterator[tuple[str, datetime]]:
        """Return nothing."""
        return iter(())


@dataclass(frozen=True, slots=True)
class FolderBlobs:
    """Blobs as files in a folder, readable by their owner alone.

    Args:
        folder: made when it is not there.

    Raises:
        ConfigurationError: the folder cannot be made or written to.
    """

    folder: Path

    def __post_init__(self) -> None:
        """Make the folder."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.folder / f"{SHARDS - 1:02x}").exists():
                for shard in range(SHARDS):
                    (self.folder / f"{shard:02x}").mkdir(mode=0o700, exist_ok=True)
                synchronise(self.folder)
        except OSError as error:
            raise ConfigurationError(f"The folder for large contents cannot be made: {error.strerror}.") from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ConfigurationError("The folder for large contents cannot be written to by this user.")

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Write each to a file of another name, synchronise it, and rename it; then synchronise the folders."""
        try:
            folders = set()
            for name, content in contents.items():
                path = self._path(name)
                unfinished = path.with_suffix(_UNFINISHED)
                with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.rename(path)
                folders.add(path.parent)
            for folder in folders:
                synchronise(folder)
        except OSError:
            raise Refused(Refusal.UNAVAILABLE) from None

    def read(self, name: str) -> Iterator[bytes]:
        """Return the bytes of a blob in pieces."""
        try:
            file = self._path(name).open("rb")
        except FileNotFoundError:
            raise NoSuchBlob from None
        except OSError:
            raise Refused(Refusal.UNAVAILABLE) from None

        def pieces() -> Iterator[bytes]:
            with file:
                while piece := file.read(CHUNK):
                    yield piece

        return pieces()

    def delete(self, name: str) -> None:
        """Delete a blob, and what is unfinished of it."""
        path = self._path(name)
        try:
            for each in (path.with_suffix(_UNFINISHED), path):
                each.unlink(missing_ok=True)
            if path.parent.exists():
                synchronise(path.parent)
        except OSError:
            raise Refused(Refusal.UNAVAILABLE) from None

    def names(self, shard: int) -> Iterator[tuple[str, datetime]]:
        """Yield name and time of each blob of a shard, finished or not."""
        try:
            with os.scandir(self.folder / f"{shard:02x}") as entries:
                found = list(entries)
        except FileNotFoundError:
            return
        except OSError:
            raise Refused(Refusal.UNAVAILABLE) from None
        for entry in found:
            with suppress(FileNotFoundError):  # deleted meanwhile
                yield Path(entry.name).stem, datetime.fromtimestamp(entry.stat().st_mtime, UTC)

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name
