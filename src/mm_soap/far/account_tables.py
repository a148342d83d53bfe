"""The tables of requests about accounts, of the signatures given for them, of the history, and of what was imported.

A request stays after it has ended, and so do its signatures: together with the steps in ``account_history`` they are
what is known of an account that is gone. That is why none of them refers to the account.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from mm_soap.storage import NAMING, UtcDateTime, big_key

PENDING: Final = text("state = 'pending'")

# The names alone: the register's metadata, into which these tables are copied, has the tables of operators and audit.
_own = MetaData(naming_convention=NAMING)
Table("operator", _own, Column("number", String(12), primary_key=True))
Table("audit", _own, Column("id", big_key(), primary_key=True))

request = Table(
    "account_request",
    _own,
    Column("id", big_key(), primary_key=True),
    Column("recipient", BigInteger, nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(9), nullable=False),
    Column("operator", String(12), ForeignKey("operator.number"), nullable=False),
    Column("account_type", String(9)),
    Column("agreement_text", Text, nullable=False),
    Column("requested_on", Date, nullable=False),
    Column("content", JSON(none_as_null=True)),
    Column("begun", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('register', 'deregister', 'change operator', 'preferences')", name="kind"),
    CheckConstraint("state IN ('pending', 'completed', 'abandoned', 'replaced')", name="state"),
)

# Of each kind, one request at most waits for signatures: whoever comes second adds to it, or fails.
Index(
    "uq_account_request_pending",
    request.c.recipient,
    request.c.kind,
    unique=True,
    sqlite_where=PENDING,
    postgresql_where=PENDING,
)

history = Table(
    "account_history",
    _own,
    Column("id", big_key(), primary_key=True),
    Column("request", BigInteger, ForeignKey(request.c.id), nullable=False),
    Column("recipient", BigInteger, nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("step", String(9), nullable=False),
    Column("operator", String(12), nullable=False),
    Column("caller", String(12)),
    Column("call_id", String(50), nullable=False),
    Column("sentence", Text, nullable=False),
    CheckConstraint("step IN ('begun', 'signed', 'completed', 'abandoned', 'replaced')", name="step"),
)

signature = Table(
    "account_signature",
    _own,
    Column("request", BigInteger, ForeignKey(request.c.id), primary_key=True),
    Column("signer", String(256), primary_key=True, index=True),
    Column("history", BigInteger, ForeignKey(history.c.id), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("nonce", Text),
    Column("encoding", Text, nullable=False),
    Column("agreement_text", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("received", UtcDateTime, nullable=False),
)

# What imports wrote: the history of accounts that came in bulk. Who did it, when and from which file is in the audit.
# Keyed by import and then recipient: ten million rows are only ever added at the end. To read the history of one
# recipient takes one look-up for each entry of the audit, which are few and read seldom.
imported_account = Table(
    "imported_account",
    _own,
    Column("audit", BigInteger, ForeignKey("audit.id"), primary_key=True, autoincrement=False),
    Column("recipient", BigInteger, primary_key=True, autoincrement=False),
    Column("operator", String(12), nullable=False),
    Column("account_type", String(9), nullable=False),
    Column("replaced", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Each signature that ever came with a request, by its mark: it counts for that request and no other.
used_signature = Table(
    "used_signature",
    _own,
    Column("mark", String(64), primary_key=True),
    Column("request", BigInteger, ForeignKey(request.c.id), nullable=False),
    sqlite_with_rowid=False,
)


def add_account_requests(metadata: MetaData) -> None:
    """Add the tables to the register's metadata."""
    for table in (request, history, signature, used_signature, imported_account):
        table.to_metadata(metadata)
