"""The first tables of the test bed."""

import sqlalchemy as sa
from alembic import op

revision = "testbed0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "exchange",
        sa.Column("id", key, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(60), nullable=False),
        sa.Column("code", sa.Integer()),
        sa.Column("place", sa.String(400)),
        sa.Column("call_id", sa.String(50)),
        sa.Column("operation", sa.String(60)),
        sa.Column("sender", sa.String(12)),
        sa.Column("form", sa.String(60)),
        sa.Column("distribution_id", sa.String(50)),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exchange"),
    )
    op.create_index("ix_exchange_at", "exchange", ["at"])
    op.create_index("ix_exchange_call_id", "exchange", ["call_id"])
    op.create_index("ix_exchange_distribution_id", "exchange", ["distribution_id"])
    op.create_table(
        "certificate",
        sa.Column("id", key, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("organisation", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_certificate"),
    )
    op.create_index("ix_certificate_at", "certificate", ["at"])


def downgrade() -> None:
    op.drop_table("certificate")
    op.drop_table("exchange")
