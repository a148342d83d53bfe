"""Notifications and forwarded deliveries: their answers, contact settings, and what is sent on."""

import sqlalchemy as sa
from alembic import op

revision = "service_supplier0002"
down_revision = "service_supplier0001"
branch_labels = None
depends_on = None

COLUMNS = (
    ("mailbox", "email", sa.String(256), None),
    ("mailbox", "mobile", sa.String(20), None),
    ("mailbox", "language", sa.String(2), "sv"),
    ("mailbox", "wanted", sa.String(20), "EMail,SMS"),
    ("delivery", "settled", sa.Boolean(), sa.true()),
    ("message", "kind", sa.String(20), "secure"),
    ("message", "content", sa.Integer(), None),
)


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    # A constant default needs no row to be written.
    for table, name, kind, default in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    create_table(
        "answer",
        ("delivery", "recipient"),
        sa.Column("delivery", key, nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("channels", sa.String(20)),
    )
    create_table(
        "forwarding",
        ("delivery",),
        sa.Column("delivery", key, nullable=False),
        sa.Column("forwarder", sa.String(12), nullable=False),
        sa.Column("forwarder_name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    create_table(
        "notice",
        ("delivery", "channel"),
        sa.Column("delivery", key, nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("sender", sa.String(256), nullable=False),
        sa.Column("subject", sa.String(255)),
        sa.Column("text", sa.String(), nullable=False),
    )
    create_table(
        "outgoing",
        ("id",),
        sa.Column("id", key, nullable=False),
        sa.Column("delivery", key, nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt", sa.DateTime(timezone=True)),
    )
    unique = "uq_outgoing_delivery_recipient_channel"
    op.create_index(unique, "outgoing", ["delivery", "recipient", "channel"], unique=True)
    op.create_index("ix_outgoing_next_attempt", "outgoing", ["next_attempt"])


def create_table(name: str, key: tuple[str, ...], *columns: sa.Column[object]) -> None:
    of_delivery = sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=f"fk_{name}_delivery", ondelete="CASCADE")
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"), of_delivery)


def downgrade() -> None:
    for table in ("outgoing", "notice", "forwarding", "answer"):
        op.drop_table(table)
    for table, name, _, _ in reversed(COLUMNS):
        op.drop_column(table, name)
