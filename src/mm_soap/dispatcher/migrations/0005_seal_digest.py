"""What a delivery's seal will sign, where it was told when the delivery was accepted."""

import sqlalchemy as sa
from alembic import op

revision = "dispatcher0005"
down_revision = "dispatcher0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("seal_digest", sa.LargeBinary()))


def downgrade() -> None:
    op.drop_column("delivery", "seal_digest")
