"""Where a document stands in the evidence of its call. Those that came before stand in their own rows.

The column gets another name, so that a process of an older release fails, and does not hand over half a document.
"""

import sqlalchemy as sa
from alembic import op

revision = "dispatcher0009"
down_revision = "dispatcher0008"
branch_labels = None
depends_on = None

_COLUMNS = (("evidence", sa.BigInteger), ("begins", sa.Integer), ("size", sa.Integer), ("place", sa.Integer))


def upgrade() -> None:
    op.alter_column("document", "signed", new_column_name="content")
    for name, kind in _COLUMNS:
        op.add_column("document", sa.Column(name, kind()))


# SQLite makes a text of bytes that are joined, with the same bytes.
_WHOLE = """
UPDATE document SET evidence = NULL, content = CAST(
  substr(content, 1, place)
  || (SELECT substr(evidence.content, begins + 1, size) FROM evidence WHERE evidence.id = document.evidence)
  || substr(content, place + 1) AS {bytes})
WHERE evidence IN (SELECT id FROM evidence)
"""


def downgrade() -> None:
    op.execute(_WHOLE.format(bytes="BLOB" if op.get_bind().dialect.name == "sqlite" else "BYTEA"))
    for name, _ in reversed(_COLUMNS):
        op.drop_column("document", name)
    op.alter_column("document", "content", new_column_name="signed")
