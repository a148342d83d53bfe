"""Records of the evidence, in a chain."""

from mm_soap.storage.ledger_tables import create_chain, drop_chain

revision = "service_supplier0007"
down_revision = "service_supplier0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_chain()


def downgrade() -> None:
    drop_chain()
