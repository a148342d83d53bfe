"""Which step of the scaled-out engine has a delivery, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "dispatcher0006"
down_revision = "dispatcher0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("claimed_by", sa.String(32)))
    op.add_column("delivery", sa.Column("claimed_until", sa.DateTime(timezone=True)))
    claimed = sa.text("claimed_by IS NOT NULL")
    op.create_index("ix_delivery_claimed", "delivery", ["operator"], postgresql_where=claimed, sqlite_where=claimed)


def downgrade() -> None:
    op.drop_index("ix_delivery_claimed", "delivery")
    for column in ("claimed_until", "claimed_by"):
        op.drop_column("delivery", column)
