"""Parties that were closed, the certificates that they gave, and who changed what in the register."""

import sqlalchemy as sa
from alembic import op

revision = "far0004"
down_revision = "far0003"
branch_labels = None
depends_on = None

_PARTIES = ("operator", "sender", "dispatcher")


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    for table in _PARTIES:
        op.add_column(table, sa.Column("closed", moment))
        op.add_column(table, sa.Column("certificate", sa.String(64)))
    op.create_table(
        "audit",
        sa.Column("id", key, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("login", sa.String(200), nullable=False),
        sa.Column("what", sa.String(60), nullable=False),
        sa.Column("party", sa.String(12)),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_party", "audit", ["party"])


def downgrade() -> None:
    op.drop_table("audit")
    for table in _PARTIES:
        op.drop_column(table, "certificate")
        op.drop_column(table, "closed")
