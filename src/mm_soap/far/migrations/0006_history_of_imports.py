"""The history of accounts that were imported."""

import sqlalchemy as sa
from alembic import op

revision = "far0006"
down_revision = "far0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_account",
        sa.Column("audit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("operator", sa.String(12), nullable=False),
        sa.Column("account_type", sa.String(9), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("audit", "recipient", name="pk_imported_account"),
        sa.ForeignKeyConstraint(["audit"], ["audit.id"], name="fk_imported_account_audit"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("imported_account")
