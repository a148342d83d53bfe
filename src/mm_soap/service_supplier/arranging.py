"""The use cases of a recipient who keeps order in its own mailbox: folders, moving, and deleting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import places
from mm_soap.service_supplier.contents import Contents
from mm_soap.service_supplier.deleting import delete_messages
from mm_soap.service_supplier.model import (
    ARCHIVE,
    FOLDER_NAME_LENGTH,
    INBOX,
    MOST_FOLDERS,
    TRASH,
    Folder,
    MessageKey,
)
from mm_soap.service_supplier.searching import fold
from mm_soap.storage import Conflict, reading, writing

_DELETED_TOGETHER: Final = 100


@dataclass(frozen=True)
class Arrangement:
    """How the messages of a mailbox are arranged; the half of `Inbox` that changes things."""

    database: Engine
    contents: Contents = field(default_factory=Contents)
    clock: Clock = system_clock

    def folders(self, recipient: str) -> Sequence[Folder]:
        """Return the places of a mailbox, with how many messages are there and how many are unread."""
        with reading(self.database) as connection:
            return places.folders(connection, recipient)

    def unread(self, recipient: str) -> int:
        """Return how many messages are unread, but for those thrown away."""
        return sum(one.unread for one in self.folders(recipient) if one.id != TRASH)

    def make_folder(self, recipient: str, name: str) -> int:
        """Make a folder and return its id.

        Raises:
            Refused: ``TEXT_MISSING``, ``TEXT_TOO_LONG`` for the name; ``REQUEST_CONTRADICTS`` when there is one of this
                name, or there are too many; ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        name = _name(name)
        try:
            with writing(self.database) as connection:
                if not places.hold_mailbox(connection, recipient):
                    raise Refused(Refusal.NOT_FOUND, "mailbox")
                if len(places.folders(connection, recipient)) >= MOST_FOLDERS:
                    raise Refused(Refusal.REQUEST_CONTRADICTS, "too many folders")
                return places.add_folder(connection, recipient, name, fold(name))
        except Conflict:
            raise Refused(Refusal.REQUEST_CONTRADICTS, "folder name") from None

    def rename_folder(self, recipient: str, folder: int, name: str) -> None:
        """Rename a folder.

        Raises:
            Refused: as `make_folder`; ``NOT_FOUND`` when the mailbox has no such folder.
        """
        name = _name(name)
        try:
            with writing(self.database) as connection:
                places.hold_mailbox(connection, recipient)
                if not places.rename_folder(connection, recipient, folder, name, fold(name)):
                    raise Refused(Refusal.NOT_FOUND, "folder")
        except Conflict:
            raise Refused(Refusal.REQUEST_CONTRADICTS, "folder name") from None

    def remove_folder(self, recipient: str, folder: int) -> None:
        """Remove a folder; what is in it goes to the inbox.

        Raises:
            Refused: ``NOT_FOUND`` when the mailbox has no such folder.
        """
        with writing(self.database) as connection:
            places.hold_mailbox(connection, recipient)
            if not places.remove_folder(connection, recipient, folder):
                raise Refused(Refusal.NOT_FOUND, "folder")

    def move(self, recipient: str, key: str, place: int) -> None:
        """Put a message into a place.

        Args:
            recipient: whose mailbox.
            key: the message.
            place: `INBOX`, `ARCHIVE`, `TRASH`, or the id of a folder.

        Raises:
            Refused: ``NOT_FOUND`` when the mailbox has no such message or no such folder.
        """
        self._move(recipient, message_key(key), place)

    def archive(self, recipient: str, key: str) -> None:
        """Put a message into the archive; see `move`."""
        self.move(recipient, key, ARCHIVE)

    def throw_away(self, recipient: str, key: str) -> None:
        """Put a message into the trash; see `move`. It is deleted when the operator's rule says, or by `delete`."""
        self.move(recipient, key, TRASH)

    def restore(self, recipient: str, key: str) -> None:
        """Put a message back to where it was before it was archived or thrown away; see `move`.

        What was in an own folder goes back there, or to the inbox if the folder is gone.
        """
        self._move(recipient, message_key(key), None)

    def delete(self, recipient: str, key: str) -> None:
        """Delete a message for good that is in the trash: its row, its words, its blobs. An event tells of it.

        Raises:
            Refused: ``NOT_FOUND`` when the trash has no such message.
        """
        wanted = message_key(key)
        with writing(self.database) as connection:
            if not delete_messages(connection, [wanted], _thrown_away_by(recipient), "recipient", self.clock()):
                raise Refused(Refusal.NOT_FOUND, "message in the trash")
        self.contents.delete_doomed(self.database)

    def empty_trash(self, recipient: str) -> int:
        """Delete everything in the trash; see `delete`. Returns how many messages that were."""
        total = 0
        while True:
            with writing(self.database) as connection:
                keys = places.keys_in(connection, recipient, TRASH, _DELETED_TOGETHER)
                deleted = delete_messages(connection, keys, _thrown_away_by(recipient), "recipient", self.clock())
            total += deleted
            if not deleted:
                break
        while self.contents.delete_doomed(self.database):
            pass
        return total

    def _move(self, recipient: str, key: MessageKey, place: int | None) -> None:
        with writing(self.database) as connection:
            places.hold_mailbox(connection, recipient)
            where = places.place_of(connection, recipient, key)
            if where is None:
                raise Refused(Refusal.NOT_FOUND, "message")
            here, former = where
            if place is None:
                place = former if here < INBOX else here
                if place > INBOX and not places.has_folder(connection, recipient, place):
                    place = INBOX
            elif place < TRASH or (place > INBOX and not places.has_folder(connection, recipient, place)):
                raise Refused(Refusal.NOT_FOUND, "folder")
            if place != here:
                places.put(connection, recipient, key, place, _former(here, former, place), self.clock())


def message_key(text: str) -> MessageKey:
    """Return the key that a text is.

    Raises:
        Refused: ``NOT_FOUND`` when it is none.
    """
    key = MessageKey.read(text)
    if key is None:
        raise Refused(Refusal.NOT_FOUND, "message")
    return key


def _former(here: int, former: int, place: int) -> int:
    """Return where a message goes back to from its new place. What comes out of the trash forgets that it was there."""
    if place >= INBOX:
        return INBOX
    before = former if here == TRASH else here
    return INBOX if before == place else before


def _thrown_away_by(recipient: str) -> Callable[[Any], bool]:
    return lambda row: row.recipient == recipient and row.place == TRASH


def _name(name: str) -> str:
    visible = " ".join("".join(each if each.isprintable() else " " for each in name).split())
    if not fold(visible).strip():
        raise Refused(Refusal.TEXT_MISSING, "folder name")
    if len(visible) > FOLDER_NAME_LENGTH:
        raise Refused(Refusal.TEXT_TOO_LONG, "folder name")
    return visible
