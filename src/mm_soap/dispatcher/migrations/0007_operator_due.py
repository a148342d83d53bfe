"""What is due for an operator, found without looking at what waits for others."""

import sqlalchemy as sa
from alembic import op

revision = "dispatcher0007"
down_revision = "dispatcher0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    open_ = sa.text("next_attempt IS NOT NULL")
    columns = ["state", "operator", "next_attempt"]
    op.create_index("ix_delivery_operator_due", "delivery", columns, postgresql_where=open_, sqlite_where=open_)


def downgrade() -> None:
    op.drop_index("ix_delivery_operator_due", "delivery")
