"""The tables of a mailbox operator."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    true,
)

from mm_soap.storage import NAMING, UtcDateTime, add_ledger, big_key

# The contract sets no bound. What is longer has parameters that nobody reads; they are cut.
CONTENT_TYPE_LENGTH: Final = 255

metadata = MetaData(naming_convention=NAMING)

mailbox = Table(
    "mailbox",
    metadata,
    Column("recipient", String(12), primary_key=True),
    Column("opened", UtcDateTime, nullable=False),
    # The recipient's own: where notifications are sent on to.
    Column("email", String(256)),
    Column("mobile", String(20)),
    Column("language", String(2), nullable=False, server_default="sv"),
    Column("wanted", String(20), nullable=False, server_default="EMail,SMS"),
)

deselected = Table(
    "deselected",
    metadata,
    Column("recipient", String(12), primary_key=True),
    Column("sender", String(12), primary_key=True),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("trans_id", String(50), nullable=False),
    Column("document_digest", String(64), nullable=False, unique=True),
    Column("sealed_digest", String(64), nullable=False),
    Column("call_id", String(50), nullable=False),
    Column("sender", String(12), nullable=False),
    Column("signer", String(12), nullable=False),
    Column("sealer", String(12), nullable=False),
    Column("sealed_on", Date, nullable=False),
    Column("received", UtcDateTime, nullable=False),
    Column("delivered", Boolean, nullable=False),
    # Whether its answer will not change any more. A notification's waits for what is sent on.
    Column("settled", Boolean, nullable=False, server_default=true()),
)

# Bodies stand last: SQLite reads a row from its beginning, and a list of messages needs no body.
message = Table(
    "message",
    metadata,
    Column("delivery", ForeignKey(delivery.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("recipient", ForeignKey(mailbox.c.recipient), nullable=False),
    Column("received", UtcDateTime, nullable=False),
    Column("read", UtcDateTime),
    Column("kind", String(20), nullable=False, server_default="secure"),
    # Of a delivery to many: the position of the message that holds body and attachments for this one too.
    Column("content", Integer),
    Column("message_id", String, nullable=False),
    Column("subject", String(255), nullable=False),
    Column("sender", String(12), nullable=False),
    Column("sender_name", String, nullable=False),
    Column("language", String, nullable=False),
    Column("content_type", String(CONTENT_TYPE_LENGTH), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "recipient", "received"),
)

attachment = Table(
    "attachment",
    metadata,
    Column("delivery", big_key(), primary_key=True),
    Column("message", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("filename", String, nullable=False),
    Column("content_type", String(CONTENT_TYPE_LENGTH), nullable=False),
    Column("checksum", String(255), nullable=False),
    Column("body", LargeBinary, nullable=False),
    ForeignKeyConstraint(["delivery", "message"], [message.c.delivery, message.c.position], ondelete="CASCADE"),
)

answer = Table(
    "answer",
    metadata,
    Column("delivery", ForeignKey(delivery.c.id, ondelete="CASCADE"), primary_key=True),
    Column("recipient", String(12), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("channels", String(20)),
)
"""What was answered of a delivery to many, for each recipient. Of one of class 3 it stands in its own row."""

forwarding = Table(
    "forwarding",
    metadata,
    Column("delivery", ForeignKey(delivery.c.id, ondelete="CASCADE"), primary_key=True),
    Column("forwarder", String(12), nullable=False),
    Column("forwarder_name", String, nullable=False),
    Column("subject", String(255), nullable=False),
    Column("content_type", String(CONTENT_TYPE_LENGTH), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

notice = Table(
    "notice",
    metadata,
    Column("delivery", ForeignKey(delivery.c.id, ondelete="CASCADE"), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("sender", String(256), nullable=False),
    Column("subject", String(255)),
    Column("text", String, nullable=False),
)
"""What a notification sends on, by channel."""

outgoing = Table(
    "outgoing",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("delivery", ForeignKey(delivery.c.id, ondelete="CASCADE"), nullable=False),
    Column("recipient", String(12), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("message_id", String, nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt", UtcDateTime),
    Index("uq_outgoing_delivery_recipient_channel", "delivery", "recipient", "channel", unique=True),
    # NULL in next_attempt: nothing is left to do.
    Index("ix_outgoing_next_attempt", "next_attempt"),
)
"""What is to be sent on to one recipient by one channel, and whether it was."""

add_ledger(metadata)
