"""The contents of messages: what of them goes into the database, and what into the store of blobs.

A blob is written before the transaction that tells of it, so whatever the database tells of is there. What no
transaction told of, after a crash or a refusal, is swept up: nobody could see it in the meantime.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BindParameter, Engine, bindparam, delete, select, union_all

from mm_soap.errors import Refusal, Refused
from mm_soap.message import Message, Party
from mm_soap.service_supplier.blobs import SHARDS, Blobs, NoBlobs, NoSuchBlob, new_name
from mm_soap.service_supplier.searching import words_of
from mm_soap.service_supplier.tables import attachment, doomed, installation, message
from mm_soap.storage import reading, writing

_log = logging.getLogger(__name__)

ORPHAN_AFTER: Final = timedelta(days=1)
"""A blob that no row tells of is deleted after so long: no transaction takes that long to tell of it."""

_TOGETHER: Final = 200
_doomed = select(doomed.c.blob).limit(_TOGETHER)
_wanted: Final[BindParameter[Any]] = bindparam("wanted", expanding=True)
_forget = delete(doomed).where(doomed.c.blob.in_(_wanted))
_told_of = union_all(
    select(message.c.blob).where(message.c.blob.in_(_wanted)),
    select(attachment.c.blob).where(attachment.c.blob.in_(_wanted)),
    select(doomed.c.blob).where(doomed.c.blob.in_(_wanted)),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where one content is: in the row, or in a blob that the row names."""

    body: bytes = field(repr=False)
    blob: str | None
    size: int


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message that is about to be stored, its contents in their places, and its words for the search."""

    message: Message
    body: Kept
    files: tuple[Kept, ...]
    words: str = field(repr=False)


@dataclass(slots=True)
class Keeping:
    """Messages whose blobs are written. ``told`` says whether a transaction that was committed told of them."""

    messages: tuple[KeptMessage, ...]
    told: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """Puts contents where they belong and fetches them from there.

    Args:
        blobs: the store of what is large.
        larger_than: a content longer than this goes there, in bytes; None for none.
    """

    blobs: Blobs = field(default_factory=NoBlobs)
    larger_than: int | None = None

    def goes_elsewhere(self, messages: Sequence[Message]) -> bool:
        """Tell whether something of messages is large enough for the store of blobs."""
        most = self.larger_than
        bodies = [body for one in messages for body in (one.body, *(file.body for file in one.attachments))]
        return most is not None and any(len(body) > most for body in bodies)

    @contextmanager
    def keeping(self, sender: Party, messages: Sequence[Message]) -> Iterator[Keeping]:
        """Write the blobs of messages, for a block that stores the rest in a transaction.

        When the block ends without having told of them, the blobs are deleted. When it raises, they stay: whether its
        transaction was committed may be unknown. The sweep decides then.

        Raises:
            Refused: ``UNAVAILABLE`` when the store is away.
        """
        blobs: dict[str, bytes] = {}
        kept = tuple(
            KeptMessage(
                one,
                self._place(one.body, blobs),
                tuple(self._place(file.body, blobs) for file in one.attachments),
                words_of(sender, one),
            )
            for one in messages
        )
        if blobs:
            self.blobs.put(blobs)
        keeping = Keeping(kept)
        yield keeping
        if not keeping.told:
            self._delete(blobs)

    def pieces(self, body: bytes, blob: str | None) -> Iterator[bytes]:
        """Return a content in pieces, the first fetched already.

        Raises:
            Refused: ``NOT_FOUND`` if it was deleted since its row was read, ``UNAVAILABLE`` when the store is away.
        """
        if blob is None:
            return iter((body,))
        try:
            return self.blobs.read(blob)
        except NoSuchBlob:
            raise Refused(Refusal.NOT_FOUND, "message") from None

    def whole(self, body: bytes, blob: str | None) -> bytes:
        """Return a content; see `pieces`."""
        return body if blob is None else b"".join(self.pieces(body, blob))

    def delete_doomed(self, database: Engine) -> int:
        """Delete some of the blobs whose messages are deleted, and return how many; 0 when none is left."""
        with reading(database) as connection:
            names = list(connection.execute(_doomed).scalars())
        deleted = self._delete(names)
        if deleted:
            with writing(database) as connection:
                connection.execute(_forget, {"wanted": deleted})
        return len(deleted)

    def sweep(self, database: Engine, shard: int, now: datetime) -> int:
        """Delete the blobs of a shard that no row tells of, and return how many.

        Args:
            database: the operator's own.
            shard: 0 to 255.
            now: the time; younger blobs than `ORPHAN_AFTER` stay, their transaction may be under way.
        """
        if self.larger_than is None:
            return 0
        old = [name for name, written in self.blobs.names(shard) if written < now - ORPHAN_AFTER]
        orphans: list[str] = []
        for begun in range(0, len(old), _TOGETHER):
            wanted = old[begun : begun + _TOGETHER]
            with reading(database) as connection:
                known = set(connection.execute(_told_of, {"wanted": wanted}).scalars())
            orphans += [name for name in wanted if name not in known]
        return len(self._delete(orphans))

    def _place(self, body: bytes, blobs: dict[str, bytes]) -> Kept:
        if self.larger_than is None or len(body) <= self.larger_than:
            return Kept(body, None, len(body))
        name = new_name()
        blobs[name] = body
        return Kept(b"", name, len(body))

    def _delete(self, names: Sequence[str] | dict[str, bytes]) -> list[str]:
        deleted: list[str] = []
        for name in names:
            try:
                self.blobs.delete(name)
            except Refused:
                _log.error("The store of large contents is away: %d deletions wait", len(names) - len(deleted))
                break
            deleted.append(name)
        return deleted


def name_of_database(database: Engine) -> str:
    """Return the random name of an operator's database, under which its blobs are kept."""
    with reading(database) as connection:
        name: str = connection.execute(select(installation.c.id)).scalar_one()
    return name


class Sweep:
    """Sweeps a few shards at a time, so that all are swept within a day of rounds every ten minutes."""

    def __init__(self, contents: Contents, database: Engine) -> None:
        self._contents = contents
        self._database = database
        self._next = 0

    def __call__(self, now: datetime) -> int:
        """Sweep the next two shards, and return 0: the rest is for later rounds."""
        for _ in range(2):
            self._contents.sweep(self._database, self._next, now)
            self._next = (self._next + 1) % SHARDS
        return 0
