"""The ledger's tables as the first migration of each party makes them.

Frozen: a change of the ledger is a new function here and a new migration of each party.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def create_ledger() -> None:
    """Make the tables ``event`` and ``evidence`` in their first form. For use in a migration's ``upgrade``."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "event",
        sa.Column("id", key, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("outcome", sa.String(60), nullable=False),
        sa.Column("distribution_id", sa.String(50)),
        sa.Column("message_id", sa.String(255)),
        sa.Column("trans_id", sa.String(50)),
        sa.Column("call_id", sa.String(50)),
        sa.Column("sender", sa.String(12)),
        sa.Column("detail", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    for column in ("distribution_id", "message_id", "trans_id", "call_id"):
        op.create_index(f"ix_event_{column}", "event", [column])
    op.create_table(
        "evidence",
        sa.Column("id", key, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("call_id", sa.String(50), nullable=False),
        sa.Column("operation", sa.String(60)),
        sa.Column("verdict", sa.String(60), nullable=False),
        sa.Column("caller", sa.String(200)),
        sa.Column("keep_until", moment, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
    )
    for column in ("call_id", "keep_until"):
        op.create_index(f"ix_evidence_{column}", "evidence", [column])


def drop_ledger() -> None:
    """Remove the tables of `create_ledger`. For use in a migration's ``downgrade``."""
    op.drop_table("evidence")
    op.drop_table("event")


def create_chain() -> None:
    """Make the tables of the chain of evidence. For use in a migration's ``upgrade``.

    The keys of records go on after those of the evidence that is there: it gets its records later, by the same keys.
    """
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "evidence_record",
        sa.Column("id", key, nullable=False),
        sa.Column("position", sa.BigInteger()),
        sa.Column("at", moment, nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("call_id", sa.String(50), nullable=False),
        sa.Column("operation", sa.String(60)),
        sa.Column("verdict", sa.String(60), nullable=False),
        sa.Column("caller", sa.String(200)),
        sa.Column("keep_until", moment, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64)),
        sa.Column("hash", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_record"),
        sa.UniqueConstraint("position", name="uq_evidence_record_position"),
        sqlite_autoincrement=True,  # a key is never used again, also when all records are forgotten
    )
    chain = op.create_table(
        "evidence_chain",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("forgotten", sa.BigInteger(), nullable=False),
        sa.Column("forgotten_hash", sa.String(64), nullable=False),
        sa.Column("adopted", sa.BigInteger(), nullable=False),
        sa.Column("adopt_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_chain"),
    )
    connection = op.get_bind()
    there = connection.execute(sa.text("SELECT coalesce(max(id), 0) FROM evidence")).scalar_one()
    nothing = {"position": 0, "hash": "0" * 64, "forgotten": 0, "forgotten_hash": "0" * 64, "adopted": 0}
    connection.execute(chain.insert(), {"id": 1, **nothing, "adopt_until": there})
    if there and connection.dialect.name == "postgresql":
        sequence = "SELECT setval(pg_get_serial_sequence('evidence_record', 'id'), :at)"
        connection.execute(sa.text(sequence), {"at": there})
    elif there:
        # It has no row yet: SQLite writes one with the first record.
        insert = "INSERT INTO sqlite_sequence (name, seq) VALUES ('evidence_record', :at)"
        connection.execute(sa.text(insert), {"at": there})


def drop_chain() -> None:
    """Remove the tables of `create_chain`. For use in a migration's ``downgrade``."""
    op.drop_table("evidence_chain")
    op.drop_table("evidence_record")
