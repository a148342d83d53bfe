"""Telling recipients of secure post, how often they want it, and addresses that do not work."""

import sqlalchemy as sa
from alembic import op

revision = "service_supplier0006"
down_revision = "service_supplier0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
COLUMNS = (
    ("mailbox", "frequency", sa.String(10), "each"),
    ("mailbox", "email_refusals", sa.Integer(), "0"),
    ("mailbox", "email_failed", MOMENT, None),
    ("mailbox", "email_since", MOMENT, None),
    ("mailbox", "mobile_refusals", sa.Integer(), "0"),
    ("mailbox", "mobile_failed", MOMENT, None),
    ("mailbox", "mobile_since", MOMENT, None),
    ("outgoing", "mark", sa.String(32), None),
    ("outgoing", "refusals", sa.Integer(), "0"),
)


def upgrade() -> None:
    # A constant default needs no row to be written.
    for table, name, kind, default in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    op.create_index("uq_outgoing_mark", "outgoing", ["mark"], unique=True)
    op.create_table(
        "post_notice",
        sa.Column("id", KEY, nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("first", KEY, nullable=False),
        sa.Column("last", KEY, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt", MOMENT),
        sa.Column("begun", MOMENT),
        sa.Column("ended", MOMENT),
        sa.Column("mark", sa.String(32)),
        sa.Column("refusals", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_post_notice"),
        sa.ForeignKeyConstraint(["recipient"], ["mailbox.recipient"], name="fk_post_notice_recipient"),
    )
    op.create_index("uq_post_notice_mark", "post_notice", ["mark"], unique=True)
    op.create_index("ix_post_notice_next_attempt", "post_notice", ["next_attempt"])
    op.create_index("ix_post_notice_recipient_channel", "post_notice", ["recipient", "channel", "ended"])
    op.create_index("ix_post_notice_ended", "post_notice", ["ended"])
    still = sa.text("begun IS NULL")
    op.create_index(
        "uq_post_notice_joined",
        "post_notice",
        ["recipient", "channel"],
        unique=True,
        sqlite_where=still,
        postgresql_where=still,
    )


def downgrade() -> None:
    op.drop_table("post_notice")
    op.drop_index("uq_outgoing_mark", "outgoing")
    for table, name, _, _ in reversed(COLUMNS):
        op.drop_column(table, name)
