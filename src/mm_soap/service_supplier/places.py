"""What a recipient sees and moves: queries over one mailbox. Every one of them names the recipient.

Another's message is never found, so it answers as one that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from mm_soap.service_supplier.model import (
    ARCHIVE,
    INBOX,
    TRASH,
    AttachedFile,
    Folder,
    Forwarded,
    Kind,
    MessageKey,
    MessageSummary,
)
from mm_soap.service_supplier.tables import attachment, delivery, folder, forwarding, mailbox, message
from mm_soap.storage import Conflict, insert_once

Cursor = tuple[datetime, int, int]
"""Time, delivery and position of the last message of a page."""

# Not as EXISTS: of that PostgreSQL makes a table of all attachments of all mailboxes before it lists a page.
_attached = (
    select(attachment.c.position)
    .where(
        attachment.c.delivery == message.c.delivery,
        attachment.c.message == func.coalesce(message.c.content, message.c.position),
    )
    .limit(1)
    .correlate(message)
    .scalar_subquery()
    .is_not(None)
)
SUMMARY = (
    *(message.c[name] for name in ("message_id", "subject", "sender", "sender_name", "received", "read")),
    *(message.c[name] for name in ("kind", "place", "delivery", "position")),
    _attached.label("attached"),
)
NEWEST_FIRST = (message.c.received.desc(), message.c.delivery.desc(), message.c.position)
_content = func.coalesce(message.c.content, message.c.position)
_holder = message.alias("holder")
_of_row = (
    message.c.recipient == bindparam("owner"),
    message.c.delivery == bindparam("delivery_id"),
    message.c.position == bindparam("row"),
)
_message = (
    select(
        *(_content.label("content"), delivery.c.trans_id, delivery.c.call_id),
        *(message.c.language, message.c.content_type, _holder.c.body, _holder.c.blob),
        *SUMMARY,
    )
    .join(delivery, delivery.c.id == message.c.delivery)
    .join(_holder, and_(_holder.c.delivery == message.c.delivery, _holder.c.position == _content))
    .where(*_of_row)
)
_files = (
    select(
        *(attachment.c[name] for name in ("position", "filename", "content_type", "checksum")),
        func.coalesce(attachment.c.size, func.length(attachment.c.body)),
    )
    .where(attachment.c.delivery == bindparam("delivery_id"), attachment.c.message == bindparam("content"))
    .order_by(attachment.c.position)
)
_file = select(attachment.c.body, attachment.c.blob).where(
    attachment.c.delivery == bindparam("delivery_id"),
    attachment.c.message == bindparam("content"),
    attachment.c.position == bindparam("number"),
)
_forwarded = select(
    *(forwarding.c[name] for name in ("forwarder", "forwarder_name", "subject", "content_type", "body"))
).where(forwarding.c.delivery == bindparam("delivery_id"))
_counts = (
    select(message.c.place, func.count(), func.sum(case((message.c.read.is_(None), 1), else_=0)))
    .where(message.c.recipient == bindparam("recipient"))
    .group_by(message.c.place)
)
_hold_mailbox = (
    select(mailbox.c.recipient)
    .where(mailbox.c.recipient == bindparam("recipient"))
    # Those who deliver to it meanwhile need not wait: they only refer to its key.
    .with_for_update(key_share=True)
)
_folders = select(folder.c.id, folder.c.name).where(folder.c.recipient == bindparam("recipient"))


def line(row: Sequence[Any]) -> MessageSummary:
    """Return a row of `SUMMARY` as it is shown."""
    message_id, subject, sender, name, received, read, kind, place, key, position, attached = row
    at = str(MessageKey(key, position))
    return MessageSummary(message_id, subject, sender, name, received, read, Kind(kind), place, at, bool(attached))


def line_of(row: Row[Any]) -> MessageSummary:
    """Return a row of `find` as the list shows it."""
    return line(row[-len(SUMMARY) :])


def page(
    connection: Connection,
    recipient: str,
    place: int | None = None,
    unread: bool = False,
    after: Cursor | None = None,
    most: int | None = None,
) -> list[Row[Any]]:
    """Return rows of `SUMMARY` of one place, newest first; of all but what was thrown away without one."""
    where: list[ColumnElement[bool]] = [message.c.recipient == recipient]
    where.append(message.c.place != TRASH if place is None else message.c.place == place)
    if unread:
        where.append(message.c.read.is_(None))
    if after is not None:
        received, key, position = after
        same = and_(message.c.delivery == key, message.c.position > position)
        together = and_(message.c.received == received, or_(message.c.delivery < key, same))
        where.append(message.c.received <= received)  # said alone, the index begins there
        where.append(or_(message.c.received < received, together))
    statement = select(*SUMMARY).where(*where).order_by(*NEWEST_FIRST).limit(most)
    return list(connection.execute(statement))


def lines_of(connection: Connection, recipient: str, keys: Sequence[MessageKey]) -> list[MessageSummary]:
    """Return some messages as they are shown, in the order of their keys."""
    statement = select(*SUMMARY).where(*_among(recipient, keys))
    found = {one.key: one for one in map(line, connection.execute(statement))}
    return [found[str(key)] for key in keys if str(key) in found]


def not_thrown_away(connection: Connection, recipient: str, keys: Sequence[MessageKey]) -> list[MessageKey]:
    """Return those of some messages that are in no trash, in the order of their keys."""
    statement = select(message.c.delivery, message.c.position).where(*_among(recipient, keys), message.c.place != TRASH)
    kept = {MessageKey(*row) for row in connection.execute(statement)}
    return [key for key in keys if key in kept]


def _among(recipient: str, keys: Sequence[MessageKey]) -> tuple[ColumnElement[bool], ...]:
    """Return conditions that some messages of a mailbox meet, and perhaps others of the same deliveries."""
    # SQLite would read a whole mailbox, by its index, for a list of pairs and beside the bare recipient.
    return message.c.recipient + "" == recipient, message.c.delivery.in_({key.delivery for key in keys})


def find(connection: Connection, recipient: str, key: MessageKey) -> Row[Any] | None:
    """Return what opens a message: where its content is, and the columns of `SUMMARY` at the end."""
    return connection.execute(_message, _row(recipient, key)).first()


def find_key(connection: Connection, recipient: str, message_id: str) -> MessageKey | None:
    """Return the key of the newest message that its sender gave an id."""
    statement = (
        select(message.c.delivery, message.c.position)
        .where(message.c.recipient == recipient, message.c.message_id == message_id, message.c.place != TRASH)
        .order_by(*NEWEST_FIRST)
        .limit(1)
    )
    row = connection.execute(statement).first()
    return None if row is None else MessageKey(*row)


def files_of(connection: Connection, key: int, content: int) -> tuple[AttachedFile, ...]:
    """Return what is told of the attachments that belong to a content."""
    found = connection.execute(_files, {"delivery_id": key, "content": content})
    return tuple(AttachedFile(row[0], row[1], row[2], row[3], row[4]) for row in found)


def file_of(connection: Connection, key: int, content: int, number: int) -> tuple[bytes, str | None] | None:
    """Return where the bytes of one attachment are."""
    row = connection.execute(_file, {"delivery_id": key, "content": content, "number": number}).first()
    return None if row is None else (row.body, row.blob)


def forwarded_with(connection: Connection, key: int) -> Forwarded | None:
    """Return who forwarded a delivery, if somebody did."""
    row = connection.execute(_forwarded, {"delivery_id": key}).first()
    return None if row is None else Forwarded(*row)


def mark(connection: Connection, recipient: str, key: MessageKey, read: datetime | None) -> bool:
    """Write when a message was first read, or that it is unread; False if there is none."""
    statement = update(message).where(*_of_row).values(read=read)
    if read is not None:
        statement = statement.where(message.c.read.is_(None))
    return connection.execute(statement, _row(recipient, key)).rowcount > 0


def place_of(connection: Connection, recipient: str, key: MessageKey) -> tuple[int, int] | None:
    """Return where a message is and where it was before; None if there is none."""
    statement = select(message.c.place, message.c.former).where(*_of_row)
    row = connection.execute(statement, _row(recipient, key)).first()
    return None if row is None else (row.place, row.former)


def put(connection: Connection, recipient: str, key: MessageKey, place: int, former: int, moved: datetime) -> None:
    """Write where a message is."""
    statement = update(message).where(*_of_row).values(place=place, former=former, moved=moved)
    connection.execute(statement, _row(recipient, key))


def keys_in(connection: Connection, recipient: str, place: int | None, most: int) -> list[MessageKey]:
    """Return some of the messages in a place, or anywhere in the mailbox without one."""
    statement = select(message.c.delivery, message.c.position).where(message.c.recipient == recipient).limit(most)
    if place is not None:
        statement = statement.where(message.c.place == place)
    return [MessageKey(*row) for row in connection.execute(statement)]


def folders(connection: Connection, recipient: str) -> list[Folder]:
    """Return the places of a mailbox with what they hold: inbox, archive, trash, then the own folders by name."""
    counted = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(_counts, {"recipient": recipient})}
    own = sorted(connection.execute(_folders, {"recipient": recipient}), key=lambda row: row.name.casefold())
    named = [(place, "") for place in (INBOX, ARCHIVE, TRASH)] + [(row.id, row.name) for row in own]
    return [Folder(place, name, *counted.get(place, (0, 0))) for place, name in named]


def hold_mailbox(connection: Connection, recipient: str) -> bool:
    """Let nobody else move messages or change folders of a mailbox until the transaction ends; False without one."""
    return connection.execute(_hold_mailbox, {"recipient": recipient}).first() is not None


def has_folder(connection: Connection, recipient: str, number: int) -> bool:
    """Tell whether a mailbox has a folder."""
    statement = select(folder.c.id).where(folder.c.recipient == recipient, folder.c.id == number)
    return connection.execute(statement).first() is not None


def add_folder(connection: Connection, recipient: str, name: str, folded: str) -> int:
    """Make a folder and return its id.

    Raises:
        Conflict: the mailbox has a folder of this name.
    """
    key: int = insert_once(connection, folder, {"recipient": recipient, "name": name, "folded": folded})
    return key


def rename_folder(connection: Connection, recipient: str, number: int, name: str, folded: str) -> bool:
    """Rename a folder of a mailbox that is held; False if there is none.

    Raises:
        Conflict: as `add_folder`.
    """
    of_name = select(folder.c.id).where(folder.c.recipient == recipient, folder.c.folded == folded)
    if connection.execute(of_name.where(folder.c.id != number)).first() is not None:
        raise Conflict("the mailbox has a folder of this name")
    changed = update(folder).where(folder.c.recipient == recipient, folder.c.id == number)
    return connection.execute(changed.values(name=name, folded=folded)).rowcount > 0


def remove_folder(connection: Connection, recipient: str, number: int) -> bool:
    """Remove a folder; what is in it goes to the inbox. False if there is none."""
    gone = delete(folder).where(folder.c.recipient == recipient, folder.c.id == number)
    if not connection.execute(gone).rowcount:
        return False
    of_recipient = update(message).where(message.c.recipient == recipient)
    connection.execute(of_recipient.where(message.c.place == number).values(place=INBOX, former=INBOX))
    connection.execute(of_recipient.where(message.c.former == number).values(former=INBOX))
    return True


def _row(recipient: str, key: MessageKey) -> dict[str, Any]:
    return {"owner": recipient, "delivery_id": key.delivery, "row": key.position}
