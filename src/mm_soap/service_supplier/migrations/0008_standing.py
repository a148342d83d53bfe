"""What the register says of a mailbox, and how often it was opened or closed."""

import sqlalchemy as sa
from alembic import op

revision = "service_supplier0008"
down_revision = "service_supplier0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default needs no row to be written.
    op.add_column("mailbox", sa.Column("turns", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("mailbox", sa.Column("registered", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("mailbox", "registered")
    op.drop_column("mailbox", "turns")
