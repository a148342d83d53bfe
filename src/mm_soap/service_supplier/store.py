"""The queries of a mailbox operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, bindparam, delete, exists, func, insert, select, update

from mm_soap.message import SecureDelivery
from mm_soap.service_supplier.model import (
    Contact,
    Forwarded,
    Kind,
    Mailbox,
    MessageSummary,
    NewDelivery,
    StoredAttachment,
    StoredMessage,
)
from mm_soap.service_supplier.tables import (
    CONTENT_TYPE_LENGTH,
    attachment,
    delivery,
    deselected,
    forwarding,
    mailbox,
    message,
    metadata,
)
from mm_soap.storage import PreparedInsert, insert_new

__all__ = ["metadata"]  # with the migrations, what the tests compare


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows when a delivery comes.

    Args:
        trans_id: the answer that this signed delivery got before, if it did.
        delivered: whether it was delivered then.
        sealed_digest: the sealed delivery that brought it then.
        mailbox: whether the recipient has a mailbox here.
        deselected: whether the recipient deselected the sender.
    """

    trans_id: str | None
    delivered: bool | None
    sealed_digest: str | None
    mailbox: bool
    deselected: bool


_same = delivery.c.document_digest == bindparam("digest", type_=String)
_known = select(
    select(delivery.c.trans_id).where(_same).scalar_subquery(),
    select(delivery.c.delivered).where(_same).scalar_subquery(),
    select(delivery.c.sealed_digest).where(_same).scalar_subquery(),
    exists().where(mailbox.c.recipient == bindparam("recipient", type_=String)),
    exists().where(
        deselected.c.recipient == bindparam("recipient", type_=String),
        deselected.c.sender == bindparam("sender", type_=String),
    ),
)
_add_delivery = insert(delivery)
_add_message = PreparedInsert(message, left_out=["read", "content"])
_add_attachment = PreparedInsert(attachment)
_summary = (
    message.c.message_id,
    message.c.subject,
    message.c.sender,
    message.c.sender_name,
    message.c.received,
    message.c.read,
    message.c.kind,
)
_newest_first = (message.c.received.desc(), message.c.delivery.desc(), message.c.position)
_messages = select(*_summary).where(message.c.recipient == bindparam("recipient")).order_by(*_newest_first)
_content = func.coalesce(message.c.content, message.c.position)
_held = message.alias("held")
_message = (
    select(
        message.c.delivery,
        _content,
        delivery.c.trans_id,
        message.c.language,
        message.c.content_type,
        _held.c.body,
        *_summary,
    )
    .join(delivery, delivery.c.id == message.c.delivery)
    .join(_held, (_held.c.delivery == message.c.delivery) & (_held.c.position == _content))
    .where(message.c.recipient == bindparam("recipient"), message.c.message_id == bindparam("message_id"))
    .order_by(*_newest_first)
    .limit(1)
)
_attachments = (
    select(attachment.c.filename, attachment.c.content_type, attachment.c.checksum, attachment.c.body)
    .where(attachment.c.delivery == bindparam("delivery"), attachment.c.message == bindparam("message"))
    .order_by(attachment.c.position)
)
_forwarded = select(
    forwarding.c.forwarder,
    forwarding.c.forwarder_name,
    forwarding.c.subject,
    forwarding.c.content_type,
    forwarding.c.body,
).where(forwarding.c.delivery == bindparam("delivery"))
_mailbox = select(mailbox).where(mailbox.c.recipient == bindparam("recipient"))
_save_contact = (
    update(mailbox)
    .where(mailbox.c.recipient == bindparam("row"))
    .values(
        email=bindparam("new_email"),
        mobile=bindparam("new_mobile"),
        language=bindparam("new_language"),
        wanted=bindparam("new_wanted"),
    )
)
_select_again = delete(deselected).where(
    deselected.c.recipient == bindparam("recipient"), deselected.c.sender == bindparam("sender")
)
_old = select(delivery.c.id).where(delivery.c.received < bindparam("before")).limit(500)
_forget_deliveries = delete(delivery).where(delivery.c.id.in_(bindparam("wanted", expanding=True)))
_forget_messages = delete(message).where(message.c.delivery.in_(bindparam("wanted", expanding=True)))
_forget_attachments = delete(attachment).where(attachment.c.delivery.in_(bindparam("wanted", expanding=True)))


def what_is_known(connection: Connection, digest: str, recipient: str, sender: str) -> Known:
    """Return what the database knows about a delivery that came: one query."""
    row = connection.execute(_known, {"digest": digest, "recipient": recipient, "sender": sender}).one()
    return Known(row[0], row[1], row[2], bool(row[3]), bool(row[4]))


def add_delivery(connection: Connection, new: NewDelivery) -> int:
    """Store a delivery without its messages and return its key.

    Raises:
        Conflict: the same signed delivery is stored already (from `mm_soap.storage.writing`).
    """
    row = {name: getattr(new, name) for name in NewDelivery.__slots__}
    key: int = connection.execute(_add_delivery, row).inserted_primary_key[0]  # type: ignore[index]
    return key


def add_messages(connection: Connection, key: int, content: SecureDelivery, received: datetime) -> None:
    """Store the messages of a delivery with their attachments in the recipient's mailbox."""
    messages = [
        {
            "delivery": key,
            "position": position,
            "recipient": content.recipient,
            "received": received,
            "kind": Kind.SECURE.value,
            "message_id": one.id,
            "subject": one.subject,
            "sender": content.sender.id,
            "sender_name": content.sender.name,
            "language": one.language,
            "content_type": one.content_type[:CONTENT_TYPE_LENGTH],
            "body": one.body,
        }
        for position, one in enumerate(content.messages)
    ]
    attachments = [
        {
            "delivery": key,
            "message": number,
            "position": position,
            "filename": one.filename,
            "content_type": one.content_type[:CONTENT_TYPE_LENGTH],
            "checksum": one.checksum,
            "body": one.body,
        }
        for number, holder in enumerate(content.messages)
        for position, one in enumerate(holder.attachments)
    ]
    _add_message.execute(connection, messages)
    _add_attachment.execute(connection, attachments)


def find_messages(connection: Connection, recipient: str) -> Sequence[MessageSummary]:
    """Return the messages in a mailbox, newest first."""
    return [_line(row) for row in connection.execute(_messages, {"recipient": recipient})]


def find_message(connection: Connection, recipient: str, message_id: str) -> StoredMessage | None:
    """Return one message with its attachments; the newest, should a sender have used an id twice."""
    row = connection.execute(_message, {"recipient": recipient, "message_id": message_id}).first()
    if row is None:
        return None
    key, position, trans_id, language, content_type, body, *summary = row
    files = connection.execute(_attachments, {"delivery": key, "message": position})
    attachments = tuple(StoredAttachment(*file) for file in files)
    said = connection.execute(_forwarded, {"delivery": key}).first()
    forwarded = None if said is None else Forwarded(*said)
    return StoredMessage(_line(summary), trans_id, language, content_type, body, attachments, forwarded)


def _line(row: Sequence[Any]) -> MessageSummary:
    message_id, subject, sender, sender_name, received, read, kind = row
    return MessageSummary(message_id, subject, sender, sender_name, received, read, Kind(kind))


def find_mailbox(connection: Connection, recipient: str) -> Mailbox | None:
    """Return a recipient's mailbox, if it is here."""
    row = connection.execute(_mailbox, {"recipient": recipient}).first()
    if row is None:
        return None
    wanted = frozenset(row.wanted.split(",")) - {""}
    return Mailbox(row.recipient, row.opened, Contact(row.email, row.mobile, row.language, wanted))


def save_contact(connection: Connection, recipient: str, contact: Contact) -> bool:
    """Write a recipient's contact settings; False if the mailbox is not here."""
    changed = connection.execute(
        _save_contact,
        {
            "row": recipient,
            "new_email": contact.email,
            "new_mobile": contact.mobile,
            "new_language": contact.language,
            "new_wanted": ",".join(sorted(contact.wanted)),
        },
    )
    return changed.rowcount > 0


def save_mailboxes(connection: Connection, recipients: Iterable[str], opened: datetime) -> None:
    """Open mailboxes; one that is open already stays as it is."""
    rows = [{"recipient": recipient, "opened": opened} for recipient in dict.fromkeys(recipients)]
    if rows:
        connection.execute(insert_new(mailbox, connection.dialect.name), rows)


def save_choice(connection: Connection, recipient: str, sender: str, accepted: bool) -> None:
    """Write whether a recipient accepts a sender."""
    row = {"recipient": recipient, "sender": sender}
    connection.execute(_select_again if accepted else insert_new(deselected, connection.dialect.name), row)


def forget_deliveries(connection: Connection, before: datetime) -> int:
    """Delete some of the deliveries that came before a time, with their messages and attachments.

    For a test bed: elsewhere what is in a mailbox is its owner's. Returns how many there were; 0 when none is left.
    """
    wanted = {"wanted": list(connection.execute(_old, {"before": before}).scalars())}
    if wanted["wanted"]:
        for statement in (_forget_attachments, _forget_messages, _forget_deliveries):
            connection.execute(statement, wanted)
    return len(wanted["wanted"])
