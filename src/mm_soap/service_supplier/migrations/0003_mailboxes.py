"""Folders, search, deletion, and contents outside the database. What is stored already stays where it is."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "service_supplier0003"
down_revision = "service_supplier0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
COLUMNS = (
    ("mailbox", "closed", MOMENT, None),
    ("delivery", "emptied", MOMENT, None),
    ("message", "blob", sa.String(32), None),
    ("message", "size", sa.Integer(), None),
    ("message", "place", KEY, "0"),
    ("message", "former", KEY, "0"),
    ("message", "moved", MOMENT, None),
    ("attachment", "blob", sa.String(32), None),
    ("attachment", "size", sa.Integer(), None),
)


def upgrade() -> None:
    # A constant default needs no row to be written.
    for table, name, kind, default in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    op.drop_index("ix_message_recipient_received", "message")
    op.create_index("ix_message_mailbox", "message", ["recipient", "place", "received", "read"])
    op.create_index("ix_delivery_call_id", "delivery", ["call_id"])
    for name, table, column, condition in (
        ("ix_delivery_emptied", "delivery", "emptied", "emptied IS NOT NULL"),
        ("ix_message_thrown_away", "message", "moved", "place = -2"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
    create_tables()
    latest = "SELECT coalesce(max(id), 0) FROM delivery"
    insert = sa.text(f"INSERT INTO installation (id, unindexed_to) VALUES (:id, ({latest}))")  # noqa: S608
    op.execute(insert.bindparams(id=uuid4().hex))


def create_tables() -> None:
    op.create_table(
        "folder",
        sa.Column("id", KEY, nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("folded", sa.String(300), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_folder"),
        sa.ForeignKeyConstraint(["recipient"], ["mailbox.recipient"], name="fk_folder_recipient"),
    )
    op.create_index("uq_folder_recipient_folded", "folder", ["recipient", "folded"], unique=True)
    op.create_table(
        "searchable",
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("delivery", KEY, nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "delivery", "position", name="pk_searchable"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "doomed", sa.Column("blob", sa.String(32), nullable=False), sa.PrimaryKeyConstraint("blob", name="pk_doomed")
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("unindexed_to", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )


def downgrade() -> None:
    for table in ("installation", "doomed", "searchable", "folder"):
        op.drop_table(table)
    for name, table in (
        ("ix_message_thrown_away", "message"),
        ("ix_delivery_emptied", "delivery"),
        ("ix_delivery_call_id", "delivery"),
        ("ix_message_mailbox", "message"),
    ):
        op.drop_index(name, table)
    for table, name, _, _ in reversed(COLUMNS):
        op.drop_column(table, name)
    op.create_index("ix_message_recipient_received", "message", ["recipient", "received"])
