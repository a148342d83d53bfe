"""The use cases of a recipient in its own mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import case_store, places
from mm_soap.service_supplier.arranging import Arrangement, message_key
from mm_soap.service_supplier.cases import Case, CaseEvent, CasePage
from mm_soap.service_supplier.model import (
    INBOX,
    AttachedFile,
    MessageKey,
    OpenedMessage,
    Page,
)
from mm_soap.service_supplier.searching import search, terms_of
from mm_soap.storage import evidence_of, reading, writing

MOST_LINES: Final = 200
"""On one page."""

MOST_CASES: Final = 50
_LAST_CASE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Download:
    """An attachment that is being fetched."""

    file: AttachedFile
    pieces: Iterator[bytes] = field(repr=False)


class Inbox(Arrangement):
    """What a recipient does in its mailbox.

    Every method names the recipient, and sees and changes that mailbox alone: the key of another's message or folder is
    answered as one that does not exist, with ``NOT_FOUND``. Who acts for whom is checked before.

    Args:
        database: the operator's own, migrated.
        contents: where bodies and attachments are.
        clock: the time.

    Every method raises ``Refused`` with ``UNAVAILABLE`` when the database is away or busy.
    """

    def page(
        self,
        recipient: str,
        place: int | None = INBOX,
        cursor: str | None = None,
        most: int = 50,
        *,
        unread: bool = False,
    ) -> Page:
        """Return a part of the messages in a place, newest first.

        Args:
            recipient: whose mailbox.
            place: `INBOX`, `ARCHIVE`, `TRASH`, the id of a folder, or None for all but the trash.
            cursor: from the page before; None for the first. Messages that came meanwhile do not move it.
            most: how many messages, 1 to 200.
            unread: only those that are unread.

        Raises:
            Refused: ``REQUEST_CONTRADICTS`` when the cursor is none.
        """
        after = None if cursor is None else _read_cursor(cursor)
        most = max(1, min(most, MOST_LINES))
        with reading(self.database) as connection:
            rows = places.page(connection, recipient, place, unread, after, most + 1)
        following = _cursor(rows[most - 1]) if len(rows) > most else None
        return Page(tuple(places.line(row) for row in rows[:most]), following)

    def search(self, recipient: str, query: str, cursor: str | None = None, most: int = 50) -> Page:
        """Return messages that have all words of a query, those that came last first; not those thrown away.

        Each word of the query must begin a word of the subject, the sender's name or the text. Case and accents do not
        count, except that å, ä and ö are letters of their own. A query without a word finds nothing.

        Raises:
            Refused: ``REQUEST_CONTRADICTS`` when the cursor is none.
        """
        terms, before = terms_of(query), None
        if cursor is not None:
            before = MessageKey.read(cursor)
            if before is None:
                raise Refused(Refusal.REQUEST_CONTRADICTS, "cursor")
        if not terms:
            return Page((), None)
        most = max(1, min(most, MOST_LINES))
        with reading(self.database) as connection:
            keys = search(connection, recipient, terms, before, most + 1)
            lines = places.lines_of(connection, recipient, keys[:most])
        return Page(tuple(lines), str(keys[most - 1]) if len(keys) > most else None)

    def open(self, recipient: str, key: str, *, mark: bool = True) -> OpenedMessage:
        """Return a message to read, with what is told of its attachments; it counts as read from now on.

        Args:
            recipient: whose mailbox.
            key: from a line of the list.
            mark: False leaves it unread.

        Raises:
            Refused: ``NOT_FOUND`` when the mailbox has no such message.
        """
        wanted = message_key(key)
        if mark:
            with reading(self.database) as connection:
                row = places.find(connection, recipient, wanted)
            if row is not None and row.read is None:
                with writing(self.database) as connection:
                    places.mark(connection, recipient, wanted, self.clock())
        with reading(self.database) as connection:
            row = _found(places.find(connection, recipient, wanted))
            files = places.files_of(connection, row.delivery, row.content)
            forwarded = places.forwarded_with(connection, row.delivery)
        summary = places.line_of(row)
        body = self.contents.whole(row.body, row.blob)
        return OpenedMessage(summary, row.trans_id, row.language, row.content_type, body, files, forwarded)

    def mark_unread(self, recipient: str, key: str) -> None:
        """Let a message count as unread again.

        Raises:
            Refused: ``NOT_FOUND`` when the mailbox has no such message.
        """
        with writing(self.database) as connection:
            if not places.mark(connection, recipient, message_key(key), None):
                raise Refused(Refusal.NOT_FOUND, "message")

    def cases(self, recipient: str, skip: int = 0, most: int = 25, *, unread: bool = True) -> CasePage:
        """Return a part of the cases of a mailbox, those with the last message first; of what was not thrown away.

        Args:
            recipient: whose mailbox.
            skip: how many to pass over, as the part before says.
            most: how many, 1 to 50.
            unread: False leaves out messages that nobody has read.
        """
        skip, most = max(0, min(skip, _LAST_CASE)), max(1, min(most, MOST_CASES))
        with reading(self.database) as connection:
            found = case_store.cases(connection, recipient, unread, skip, most + 1)
        return CasePage(tuple(found[:most]), skip + most if len(found) > most else None)

    def case(self, recipient: str, key: str, *, unread: bool = True) -> Case:
        """Return the case that a message belongs to.

        Args:
            recipient: whose mailbox.
            key: of the message.
            unread: False leaves out messages that nobody has read.

        Raises:
            Refused: ``NOT_FOUND`` when the mailbox has no such message, or it belongs to no case.
        """
        with reading(self.database) as connection:
            sender, case_key, _ = case_store.event_of(connection, recipient, message_key(key)) or ("", None, None)
            found = None
            if case_key is not None:
                found = case_store.case(connection, recipient, unread, sender, case_key)
        if found is None:
            raise Refused(Refusal.NOT_FOUND, "case")
        return found

    def event(self, recipient: str, key: str) -> CaseEvent | None:
        """Return what the sender of a message said of its case; None for nothing, or where there is no such message."""
        with reading(self.database) as connection:
            found = case_store.event_of(connection, recipient, message_key(key))
        return None if found is None else found[2]

    def attachment(self, recipient: str, key: str, position: int) -> Download:
        """Return one attachment, its bytes in pieces.

        Raises:
            Refused: ``NOT_FOUND`` when the mailbox has no such message, or the message no such attachment.
        """
        with reading(self.database) as connection:
            row = _found(places.find(connection, recipient, message_key(key)))
            files = places.files_of(connection, row.delivery, row.content)
            told = next((one for one in files if one.position == position), None)
            where = places.file_of(connection, row.delivery, row.content, position) if told is not None else None
        if told is None or where is None:
            raise Refused(Refusal.NOT_FOUND, "attachment")
        return Download(told, self.contents.pieces(*where))

    def original(self, recipient: str, key: str) -> bytes:
        """Return the request that brought a message, as it came: the sealed delivery is in it, signatures and all.

        Raises:
            Refused: ``NOT_FOUND`` when the mailbox has no such message, or its evidence is gone.
        """
        with reading(self.database) as connection:
            row = _found(places.find(connection, recipient, message_key(key)))
            evidence = evidence_of(connection, row.call_id)
        accepted = next((one for one in evidence if one.verdict == "accepted"), None)
        if accepted is None:
            raise Refused(Refusal.NOT_FOUND, "evidence")
        return accepted.content


def _found(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise Refused(Refusal.NOT_FOUND, "message")
    return row


def _cursor(row: Row[Any]) -> str:
    return f"{row.received.isoformat()}_{MessageKey(row.delivery, row.position)}"


def _read_cursor(text: str) -> tuple[datetime, int, int]:
    moment, _, rest = text.partition("_")
    key = MessageKey.read(rest)
    try:
        received = datetime.fromisoformat(moment)
    except ValueError:
        received = None
    if key is None or received is None or received.tzinfo is None:
        raise Refused(Refusal.REQUEST_CONTRADICTS, "cursor")
    return (received, *key)
