"""How old addresses are, which operators are left alone, and what each sender used of its limits."""

import sqlalchemy as sa
from alembic import op

revision = "dispatcher0003"
down_revision = "dispatcher0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("delivery", sa.Column("looked_up", moment))
    op.add_column("delivery", sa.Column("perhaps_taken", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "operator_pause",
        sa.Column("operator", sa.String(12), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("operator", name="pk_operator_pause"),
    )
    op.create_table(
        "sender_bucket",
        sa.Column("sender", sa.String(12), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("filled", moment, nullable=False),
        sa.PrimaryKeyConstraint("sender", name="pk_sender_bucket"),
    )
    op.create_table(
        "sender_day",
        sa.Column("sender", sa.String(12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "day", name="pk_sender_day"),
    )


def downgrade() -> None:
    for table in ("sender_day", "sender_bucket", "operator_pause"):
        op.drop_table(table)
    for column in ("perhaps_taken", "looked_up"):
        op.drop_column("delivery", column)
