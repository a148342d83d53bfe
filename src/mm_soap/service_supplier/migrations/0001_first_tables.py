"""The first tables of a mailbox operator."""

import sqlalchemy as sa
from alembic import op

from mm_soap.storage.ledger_tables import create_ledger, drop_ledger

revision = "service_supplier0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "mailbox",
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("opened", moment, nullable=False),
        sa.PrimaryKeyConstraint("recipient", name="pk_mailbox"),
    )
    op.create_table(
        "deselected",
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("sender", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "sender", name="pk_deselected"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", key, nullable=False),
        sa.Column("trans_id", sa.String(50), nullable=False),
        sa.Column("document_digest", sa.String(64), nullable=False),
        sa.Column("sealed_digest", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(50), nullable=False),
        sa.Column("sender", sa.String(12), nullable=False),
        sa.Column("signer", sa.String(12), nullable=False),
        sa.Column("sealer", sa.String(12), nullable=False),
        sa.Column("sealed_on", sa.Date(), nullable=False),
        sa.Column("received", moment, nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("document_digest", name="uq_delivery_document_digest"),
    )
    create_messages(key, moment)
    create_ledger()


def create_messages(key: sa.types.TypeEngine[int], moment: sa.DateTime) -> None:
    op.create_table(
        "message",
        sa.Column("delivery", key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("received", moment, nullable=False),
        sa.Column("read", moment),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("sender", sa.String(12), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("delivery", "position", name="pk_message"),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name="fk_message_delivery", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["recipient"], ["mailbox.recipient"], name="fk_message_recipient"),
    )
    op.create_index("ix_message_recipient_received", "message", ["recipient", "received"])
    op.create_table(
        "attachment",
        sa.Column("delivery", key, nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("checksum", sa.String(255), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("delivery", "message", "position", name="pk_attachment"),
        sa.ForeignKeyConstraint(
            ["delivery", "message"],
            ["message.delivery", "message.position"],
            name="fk_attachment_delivery",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    drop_ledger()
    for table in ("attachment", "message", "delivery", "deselected", "mailbox"):
        op.drop_table(table)
