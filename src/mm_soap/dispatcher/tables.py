"""The dispatcher's tables."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    false,
    text,
)

from mm_soap.dispatcher.model import TRANS_ID_LENGTH
from mm_soap.storage import NAMING, UtcDateTime, add_ledger, big_key

metadata: Final = MetaData(naming_convention=NAMING)
add_ledger(metadata)

delivery: Final = Table(
    "delivery",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("distribution_id", String(50), nullable=False, unique=True),
    Column("sender", String(12), nullable=False),
    Column("recipient", String(12), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("received", UtcDateTime, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt", UtcDateTime),
    Column("operator", String(12)),
    Column("address", String),
    Column("trans_id", String(TRANS_ID_LENGTH)),
    Column("reason", String),
    Column("kind", String(20), nullable=False),
    Column("size", Integer, nullable=False),
    # When the register was asked for the address, and whether the operator may have the message already.
    Column("looked_up", UtcDateTime),
    Column("perhaps_taken", Boolean, nullable=False, server_default=false()),
    # What the seal signs; NULL where it is to be told from the document.
    Column("seal_digest", LargeBinary),
    # Which step of the scaled-out engine has the row, and until when. The embedded engine keeps that in memory.
    Column("claimed_by", String(32)),
    Column("claimed_until", UtcDateTime),
    Index("uq_delivery_sender_digest", "sender", "digest", unique=True),
    # NULL in next_attempt: nothing is left to do. What is due is found without looking at what is done.
    Index("ix_delivery_due", "state", "next_attempt"),
    # What is due for one operator is found without looking at what waits for another.
    Index(
        "ix_delivery_operator_due",
        *("state", "operator", "next_attempt"),
        postgresql_where=text("next_attempt IS NOT NULL"),
        sqlite_where=text("next_attempt IS NOT NULL"),
    ),
    Index(
        "ix_delivery_claimed",
        "operator",
        postgresql_where=text("claimed_by IS NOT NULL"),
        sqlite_where=text("claimed_by IS NOT NULL"),
    ),
)

document: Final = Table(
    "document",
    metadata,
    Column("delivery", ForeignKey("delivery.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    # Where there is evidence: ``size`` of its bytes from ``begins`` stand at ``place`` of ``content``.
    Column("evidence", BigInteger),
    Column("begins", Integer),
    Column("size", Integer),
    Column("place", Integer),
)
"""The large bytes, apart from the row that changes: SQLite writes a changed row anew, with all of it."""

seal: Final = Table(
    "seal",
    metadata,
    Column("delivery", ForeignKey("delivery.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

recipient: Final = Table(
    "recipient",
    metadata,
    Column("delivery", ForeignKey("delivery.id"), primary_key=True),
    Column("recipient", String(12), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("part", ForeignKey("delivery.id")),
    Column("state", String(20)),
    Column("channels", String(20)),
    Index("ix_recipient_part", "part"),
)
"""The recipients of notifications. A secure delivery has its one in its own row."""

operator_pause: Final = Table(
    "operator_pause",
    metadata,
    Column("operator", String(12), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("cause", String, nullable=False),
)
"""For whoever asks why a delivery waits. The breakers of the embedded engine are in its memory; those of the scaled-out
one are here. A pause without length is none: it counts the errors before the first pause."""
