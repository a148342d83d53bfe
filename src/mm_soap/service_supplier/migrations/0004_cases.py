"""Cases: what senders say of official matters. Housekeeping reads it for what is stored already."""

import sqlalchemy as sa
from alembic import op

revision = "service_supplier0004"
down_revision = "service_supplier0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "official_matter",
        sa.Column("delivery", KEY, nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("sender", sa.String(12), nullable=False),
        sa.Column("case_key", sa.String(280)),
        sa.Column("dated", sa.Date()),
        sa.Column("event_id", sa.String(255)),
        sa.Column("official_matter_id", sa.String(255)),
        sa.Column("preceding_event_id", sa.String(255)),
        sa.Column("matter_subject", sa.String(2000)),
        sa.Column("event_type", sa.String(2000)),
        sa.Column("matter_status", sa.String(20)),
        sa.Column("details", sa.JSON()),
        sa.PrimaryKeyConstraint("delivery", "position", name="pk_official_matter"),
        sa.ForeignKeyConstraint(
            ["delivery", "position"],
            ["message.delivery", "message.position"],
            name="fk_official_matter_delivery",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_official_matter_case", "official_matter", ["recipient", "sender", "case_key"])
    op.add_column("installation", sa.Column("uncased_to", KEY, nullable=False, server_default="0"))
    op.execute("UPDATE installation SET uncased_to = (SELECT coalesce(max(id), 0) FROM delivery)")


def downgrade() -> None:
    op.drop_column("installation", "uncased_to")
    op.drop_index("ix_official_matter_case", "official_matter")
    op.drop_table("official_matter")
