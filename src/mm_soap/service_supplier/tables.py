"""The tables of a mailbox operator."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
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
    false,
    true,
)

from mm_soap.service_supplier.model import FOLDER_NAME_LENGTH, TRASH
from mm_soap.storage import NAMING, UtcDateTime, add_ledger, big_key

# The contract sets no bound. What is longer has parameters that nobody reads; they are cut.
CONTENT_TYPE_LENGTH: Final = 255
BLOB_LENGTH: Final = 32
"""A random UUID in hexadecimal."""
MARK_LENGTH: Final = 32
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
    Column("frequency", String(10), nullable=False, server_default="each"),
    # How often in a row it was refused for good there, since when nothing is sent there, and since when that counts.
    Column("email_refusals", Integer, nullable=False, server_default="0"),
    Column("email_failed", UtcDateTime),
    Column("email_since", UtcDateTime),
    Column("mobile_refusals", Integer, nullable=False, server_default="0"),
    Column("mobile_failed", UtcDateTime),
    Column("mobile_since", UtcDateTime),
    # When it was closed: nothing is delivered to it since.
    Column("closed", UtcDateTime),
    # How often it was opened or closed, and whether the register ever named this operator for it.
    Column("turns", Integer, nullable=False, server_default="0"),
    Column("registered", Boolean, nullable=False, server_default=false()),
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
    # When the last of its messages was deleted.
    Column("emptied", UtcDateTime),
    Index("ix_delivery_call_id", "call_id"),
)
Index(
    "ix_delivery_emptied",
    delivery.c.emptied,
    sqlite_where=delivery.c.emptied.is_not(None),
    postgresql_where=delivery.c.emptied.is_not(None),
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
    # The content, or empty where `blob` names it.
    Column("body", LargeBinary, nullable=False),
    Column("blob", String(BLOB_LENGTH)),
    Column("size", Integer),
    Column("place", big_key(), nullable=False, server_default="0"),
    # Where it was before it was archived or thrown away, and when it came to where it is.
    Column("former", big_key(), nullable=False, server_default="0"),
    Column("moved", UtcDateTime),
    # With `read` in it, unread messages are counted from the index alone.
    Index("ix_message_mailbox", "recipient", "place", "received", "read"),
)
Index(
    "ix_message_thrown_away",
    message.c.moved,
    sqlite_where=message.c.place == TRASH,
    postgresql_where=message.c.place == TRASH,
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
    Column("blob", String(BLOB_LENGTH)),
    Column("size", Integer),
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
    # What its Message-ID is made of: nobody guesses it. And the refusals in a row before it was taken.
    Column("mark", String(MARK_LENGTH)),
    Column("refusals", Integer, nullable=False, server_default="0"),
    Index("uq_outgoing_mark", "mark", unique=True),
    Index("uq_outgoing_delivery_recipient_channel", "delivery", "recipient", "channel", unique=True),
    # NULL in next_attempt: nothing is left to do.
    Index("ix_outgoing_next_attempt", "next_attempt"),
)
"""What is to be sent on to one recipient by one channel, and whether it was."""

post_notice = Table(
    "post_notice",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("recipient", ForeignKey(mailbox.c.recipient), nullable=False),
    Column("channel", String(10), nullable=False),
    # What it tells of: the recipient's messages of these deliveries, since then.
    Column("first", big_key(), nullable=False),
    Column("last", big_key(), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt", UtcDateTime),
    # When it was first taken up. Until then later deliveries join it.
    Column("begun", UtcDateTime),
    Column("ended", UtcDateTime),
    # As in `outgoing`.
    Column("mark", String(MARK_LENGTH)),
    Column("refusals", Integer, nullable=False, server_default="0"),
    Index("uq_post_notice_mark", "mark", unique=True),
    Index("ix_post_notice_next_attempt", "next_attempt"),
    Index("ix_post_notice_recipient_channel", "recipient", "channel", "ended"),
    Index("ix_post_notice_ended", "ended"),
)
"""That secure post came, for one recipient by one channel."""
JOINED = Index(
    "uq_post_notice_joined",
    post_notice.c.recipient,
    post_notice.c.channel,
    unique=True,
    sqlite_where=post_notice.c.begun.is_(None),
    postgresql_where=post_notice.c.begun.is_(None),
)
"""At most one of a recipient and a channel is still joined by later deliveries."""

folder = Table(
    "folder",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("recipient", ForeignKey(mailbox.c.recipient), nullable=False),
    Column("name", String(FOLDER_NAME_LENGTH), nullable=False),
    # The name as it is compared: two folders of a mailbox may not differ in case alone.
    Column("folded", String(3 * FOLDER_NAME_LENGTH), nullable=False),
    Index("uq_folder_recipient_folded", "recipient", "folded", unique=True),
)
"""A recipient's own folders."""

official_matter = Table(
    "official_matter",
    metadata,
    Column("delivery", big_key(), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True),
    Column("recipient", String(12), nullable=False),
    Column("sender", String(12), nullable=False),
    # Which case of this sender in this mailbox; NULL where it is an event of none.
    Column("case_key", String(280)),
    Column("dated", Date),
    Column("event_id", String(255)),
    Column("official_matter_id", String(255)),
    Column("preceding_event_id", String(255)),
    Column("matter_subject", String(2000)),
    Column("event_type", String(2000)),
    Column("matter_status", String(20)),
    # Elements of other namespaces: pairs of name and text.
    Column("details", JSON(none_as_null=True)),
    ForeignKeyConstraint(["delivery", "position"], [message.c.delivery, message.c.position], ondelete="CASCADE"),
    Index("ix_official_matter_case", "recipient", "sender", "case_key"),
)
"""What the sender of a message says of the case that it belongs to."""

searchable = Table(
    "searchable",
    metadata,
    Column("recipient", String(12), primary_key=True),
    Column("delivery", big_key(), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True),
    Column("words", String, nullable=False),
    sqlite_with_rowid=False,
)
"""The words of each message, by mailbox: a search reads those of one mailbox, and no other's."""

doomed = Table("doomed", metadata, Column("blob", String(BLOB_LENGTH), primary_key=True))
"""Blobs whose messages are deleted, until they are deleted too."""

installation = Table(
    "installation",
    metadata,
    Column("id", String(BLOB_LENGTH), primary_key=True),
    Column("unindexed_to", big_key(), nullable=False),
    Column("uncased_to", big_key(), nullable=False, server_default="0"),
)
"""One row: the name of this database, under which its blobs are kept, and the last deliveries from before there was any
search, and before there were cases, of which those must still learn."""

sign_in = Table(
    "sign_in",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("until", UtcDateTime, nullable=False, index=True),
)
"""Sign-ins to the operator's pages that nobody has ended. Whose they are is in the browser's own session."""

add_ledger(metadata)
