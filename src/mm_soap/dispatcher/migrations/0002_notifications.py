"""Notifications: what a delivery is, and the recipients of those that have many."""

import sqlalchemy as sa
from alembic import op

revision = "dispatcher0002"
down_revision = "dispatcher0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    # What is there already is of class 3. A constant default needs no row to be written.
    op.add_column("delivery", sa.Column("kind", sa.String(20), nullable=False, server_default="secure"))
    op.add_column("delivery", sa.Column("size", sa.Integer(), nullable=False, server_default="1"))
    op.create_table(
        "recipient",
        sa.Column("delivery", key, nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part", key),
        sa.Column("state", sa.String(20)),
        sa.Column("channels", sa.String(20)),
        sa.PrimaryKeyConstraint("delivery", "recipient", name="pk_recipient"),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name="fk_recipient_delivery"),
        sa.ForeignKeyConstraint(["part"], ["delivery.id"], name="fk_recipient_part"),
    )
    op.create_index("ix_recipient_part", "recipient", ["part"])


def downgrade() -> None:
    op.drop_table("recipient")
    op.drop_column("delivery", "size")
    op.drop_column("delivery", "kind")
