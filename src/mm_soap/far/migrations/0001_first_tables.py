"""The first tables of the register."""

import sqlalchemy as sa
from alembic import op

from mm_soap.storage.ledger_tables import create_ledger, drop_ledger

revision = "far0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "operator",
        sa.Column("number", sa.String(12), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("logo", sa.String()),
        sa.Column("service_address", sa.String(), nullable=False),
        sa.Column("ui_address", sa.String()),
        sa.Column("internal_address", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_operator"),
        sa.UniqueConstraint("name", name="uq_operator_name"),
    )
    op.create_table(
        "sender",
        sa.Column("number", sa.String(12), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("attention", sa.String()),
        sa.PrimaryKeyConstraint("number", name="pk_sender"),
    )
    op.create_table(
        "dispatcher",
        sa.Column("number", sa.String(12), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_dispatcher"),
    )
    op.create_table(
        "dispatcher_sender",
        sa.Column("dispatcher", sa.String(12), nullable=False),
        sa.Column("sender", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("dispatcher", "sender", name="pk_dispatcher_sender"),
        sa.ForeignKeyConstraint(["dispatcher"], ["dispatcher.number"], name="fk_dispatcher_sender_dispatcher"),
        sa.ForeignKeyConstraint(["sender"], ["sender.number"], name="fk_dispatcher_sender_sender"),
    )
    op.create_table(
        "account",
        sa.Column("recipient", key, autoincrement=False, nullable=False),
        sa.Column("account_type", sa.String(9), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("operator", sa.String(12), nullable=False),
        sa.Column("last_registration", moment),
        sa.PrimaryKeyConstraint("recipient", name="pk_account"),
        sa.ForeignKeyConstraint(["operator"], ["operator.number"], name="fk_account_operator"),
        sa.CheckConstraint("account_type IN ('Secure', 'Anonymous')", name="ck_account_account_type"),
    )
    op.create_table(
        "sender_choice",
        sa.Column("recipient", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.String(12), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("changed", moment),
        sa.PrimaryKeyConstraint("recipient", "sender", name="pk_sender_choice"),
        sa.ForeignKeyConstraint(
            ["recipient"], ["account.recipient"], name="fk_sender_choice_recipient", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sender"], ["sender.number"], name="fk_sender_choice_sender"),
        sqlite_with_rowid=False,
    )
    create_ledger()


def downgrade() -> None:
    drop_ledger()
    for table in ("sender_choice", "account", "dispatcher_sender", "dispatcher", "sender", "operator"):
        op.drop_table(table)
