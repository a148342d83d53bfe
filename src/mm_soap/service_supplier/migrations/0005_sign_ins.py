"""Sign-ins to the web inbox, so that signing out ends what was copied of a session too."""

import sqlalchemy as sa
from alembic import op

revision = "service_supplier0005"
down_revision = "service_supplier0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in",
        sa.Column("id", sa.String(43), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in"),
    )
    op.create_index("ix_sign_in_until", "sign_in", ["until"])


def downgrade() -> None:
    op.drop_index("ix_sign_in_until", "sign_in")
    op.drop_table("sign_in")
