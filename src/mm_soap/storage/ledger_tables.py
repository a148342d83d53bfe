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
