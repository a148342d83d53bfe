"""Records of the evidence, in a chain."""

from mm_soap.storage.ledger_tables import create_chain, drop_chain

revision = "dispatcher0008"
down_revision = "dispatcher0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_chain()


def downgrade() -> None:
    drop_chain()
