"""Consents to read and to manage a mailbox."""

import sqlalchemy as sa
from alembic import op

revision = "far0003"
down_revision = "far0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "consent",
        sa.Column("id", key, nullable=False),
        sa.Column("recipient", sa.BigInteger(), nullable=False),
        sa.Column("user_identity", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(23), nullable=False),
        sa.Column("given", moment, nullable=False),
        sa.Column("cancelled", moment),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
        sa.CheckConstraint(
            "kind IN ('ConsentRead', 'ConsentReadExtendUnread', 'ConsentManage')", name="ck_consent_kind"
        ),
    )
    op.create_index("ix_consent_user_identity", "consent", ["user_identity"])
    op.create_index(
        "uq_consent_in_force",
        "consent",
        ["recipient", "user_identity", "kind"],
        unique=True,
        sqlite_where=sa.text("cancelled IS NULL"),
        postgresql_where=sa.text("cancelled IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("consent")
