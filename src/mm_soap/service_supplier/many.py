"""Deliveries to many recipients: queries. Body and attachments are stored once, with the first who got them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, String, bindparam, insert, select, update

from mm_soap.message import Forwarding, Party
from mm_soap.service_supplier.contacts import Contact
from mm_soap.service_supplier.contents import KeptMessage
from mm_soap.service_supplier.model import Kind, Told
from mm_soap.service_supplier.reaching import CONTACT, read_contact
from mm_soap.service_supplier.searching import add_words
from mm_soap.service_supplier.tables import (
    CONTENT_TYPE_LENGTH,
    answer,
    attachment,
    delivery,
    deselected,
    forwarding,
    mailbox,
    message,
)
from mm_soap.storage import NewKey, PreparedInsert, Together


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that was given before.

    Args:
        key: the delivery.
        trans_id: the operator's id of it.
        settled: whether it will not change any more.
        told: what it says of each recipient.
    """

    key: int
    trans_id: str
    settled: bool
    told: tuple[Told, ...]


_known = select(delivery.c.id, delivery.c.trans_id, delivery.c.settled).where(
    delivery.c.document_digest == bindparam("digest", type_=String)
)
_told = (
    select(answer.c.recipient, answer.c.delivered, answer.c.channels)
    .where(answer.c.delivery == bindparam("delivery"))
    .order_by(answer.c.position)
)
_here = select(mailbox.c.recipient, *CONTACT).where(
    mailbox.c.recipient.in_(bindparam("recipients", expanding=True)), mailbox.c.closed.is_(None)
)
_deselecting = select(deselected.c.recipient).where(
    deselected.c.sender == bindparam("sender"), deselected.c.recipient.in_(bindparam("recipients", expanding=True))
)
_add_message = PreparedInsert(message, left_out=["read", "place", "former", "moved"])
_add_attachment = PreparedInsert(attachment)
_settle = (
    update(delivery)
    .where(delivery.c.id == bindparam("row"), delivery.c.settled.is_(False))
    .values(settled=bindparam("new_settled"))
)
_set_channels = (
    update(answer)
    .where(answer.c.delivery == bindparam("row"), answer.c.recipient == bindparam("one"))
    .values(channels=bindparam("new_channels"))
)


def answered(connection: Connection, digest: str) -> Answered | None:
    """Return the answer that the same delivery got before, or None."""
    row = connection.execute(_known, {"digest": digest}).first()
    if row is None:
        return None
    told = tuple(
        Told(one.recipient, one.delivered, tuple(one.channels.split(",")) if one.channels else ())
        for one in connection.execute(_told, {"delivery": row.id})
    )
    return Answered(row.id, row.trans_id, row.settled, told)


def mailboxes_here(connection: Connection, recipients: Sequence[str]) -> dict[str, Contact]:
    """Return the contact settings of those of the recipients who have a mailbox here."""
    return {row.recipient: read_contact(row) for row in connection.execute(_here, {"recipients": list(recipients)})}


def deselecting(connection: Connection, sender: str, recipients: Sequence[str]) -> set[str]:
    """Return those of the recipients who deselected a sender."""
    return set(connection.execute(_deselecting, {"sender": sender, "recipients": list(recipients)}).scalars())


def add_answers(connection: Connection, key: int, told: Iterable[Told]) -> None:
    """Store what is answered for each recipient."""
    rows = [
        {"delivery": key, "recipient": one.recipient, "position": position, "delivered": one.delivered}
        for position, one in enumerate(told)
    ]
    connection.execute(insert(answer), rows)


def add_to_mailboxes(
    connection: Connection | Together,
    key: int | NewKey,
    kind: Kind,
    sender: Party,
    messages: Sequence[KeptMessage],
    recipients: Sequence[str],
    received: datetime,
) -> None:
    """Store messages in the mailbox of each recipient, with their words. The first has body and attachments for all."""
    rows = [
        {
            "delivery": key,
            "position": number * len(messages) + place,
            "recipient": recipient,
            "received": received,
            "kind": kind.value,
            "content": place if number else None,
            "message_id": one.message.id,
            "subject": one.message.subject,
            "sender": sender.id,
            "sender_name": sender.name,
            "language": one.message.language,
            "content_type": one.message.content_type[:CONTENT_TYPE_LENGTH],
            "body": b"" if number else one.body.body,
            "blob": None if number else one.body.blob,
            "size": one.body.size,
        }
        for number, recipient in enumerate(recipients)
        for place, one in enumerate(messages)
    ]
    files = [
        {
            "delivery": key,
            "message": place,
            "position": position,
            "filename": one.filename,
            "content_type": one.content_type[:CONTENT_TYPE_LENGTH],
            "checksum": one.checksum,
            "body": kept.body,
            "blob": kept.blob,
            "size": kept.size,
        }
        for place, holder in enumerate(messages)
        for position, (one, kept) in enumerate(zip(holder.message.attachments, holder.files, strict=True))
    ]
    words = [
        {
            "recipient": row["recipient"],
            "delivery": key,
            "position": row["position"],
            "words": messages[index % len(messages)].words,
        }
        for index, row in enumerate(rows)
    ]
    _add_message.execute(connection, rows)
    if recipients:
        _add_attachment.execute(connection, files)
    add_words(connection, words)


def add_forwarding(connection: Connection, key: int, content: Forwarding) -> None:
    """Store who forwarded a delivery, and the words that came with it."""
    row = {
        "delivery": key,
        "forwarder": content.sender.id,
        "forwarder_name": content.sender.name,
        "subject": content.subject,
        "content_type": content.content_type[:CONTENT_TYPE_LENGTH],
        "body": content.body,
    }
    connection.execute(insert(forwarding), row)


def unsettle(connection: Connection, key: int) -> None:
    """Mark that the answer of a delivery waits for what is sent on."""
    connection.execute(update(delivery).where(delivery.c.id == key).values(settled=False))


def settle(connection: Connection, key: int, channels: dict[str, list[str]]) -> None:
    """Write by which channels each recipient was notified, unless the answer stands already."""
    if connection.execute(_settle, {"row": key, "new_settled": True}).rowcount and channels:
        connection.execute(
            _set_channels,
            [{"row": key, "one": one, "new_channels": ",".join(sorted(each))} for one, each in channels.items()],
        )
