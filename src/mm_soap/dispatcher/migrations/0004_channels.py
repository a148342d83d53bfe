"""The channels that deliveries took besides the mailbox."""

import sqlalchemy as sa
from alembic import op

revision = "dispatcher0004"
down_revision = "dispatcher0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "channel",
        sa.Column("id", key, nullable=False),
        sa.Column("delivery", key, nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("cause", sa.String(20)),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("begun", moment, nullable=False),
        sa.Column("next_attempt", moment),
        sa.Column("reference", sa.String()),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channel"),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name="fk_channel_delivery", ondelete="CASCADE"),
    )
    op.create_index("uq_channel_delivery_name", "channel", ["delivery", "name"], unique=True)
    op.create_index("ix_channel_due", "channel", ["name", "next_attempt"])


def downgrade() -> None:
    op.drop_table("channel")
