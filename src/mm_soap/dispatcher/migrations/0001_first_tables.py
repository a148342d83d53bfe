"""The first tables of the dispatcher."""

import sqlalchemy as sa
from alembic import op

from mm_soap.storage.ledger_tables import create_ledger, drop_ledger

revision = "dispatcher0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_ledger()
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "delivery",
        sa.Column("id", key, nullable=False),
        sa.Column("distribution_id", sa.String(50), nullable=False),
        sa.Column("sender", sa.String(12), nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("received", moment, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt", moment),
        sa.Column("operator", sa.String(12)),
        sa.Column("address", sa.String()),
        sa.Column("trans_id", sa.String(50)),
        sa.Column("reason", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("distribution_id", name="uq_delivery_distribution_id"),
    )
    op.create_index("uq_delivery_sender_digest", "delivery", ["sender", "digest"], unique=True)
    op.create_index("ix_delivery_due", "delivery", ["state", "next_attempt"])
    for table, column in (("document", "signed"), ("seal", "content")):
        op.create_table(
            table,
            sa.Column("delivery", key, nullable=False),
            sa.Column(column, sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("delivery", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=f"fk_{table}_delivery"),
        )


def downgrade() -> None:
    for table in ("seal", "document", "delivery"):
        op.drop_table(table)
    drop_ledger()
