"""Signatures that came before, by their marks; consents that outlived their account are ended."""

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "far0005"
down_revision = "far0004"
branch_labels = None
depends_on = None

_TOGETHER = 1000


def upgrade() -> None:
    used = op.create_table(
        "used_signature",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("request", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_used_signature"),
        sa.ForeignKeyConstraint(["request"], ["account_request.id"], name="fk_used_signature_request"),
        sqlite_with_rowid=False,
    )
    _mark_by_bytes(used)
    _end_consents()


def downgrade() -> None:
    op.drop_table("used_signature")


def _mark_by_bytes(used: sa.Table) -> None:
    """Mark what came before: one that came twice belongs to its first request."""
    given = sa.table("account_signature", sa.column("signature", sa.LargeBinary), sa.column("request", sa.BigInteger))
    connection = op.get_bind()
    seen: set[str] = set()
    for part in connection.execute(sa.select(given).order_by(given.c.request)).partitions(_TOGETHER):
        marks: dict[str, int] = {}
        for row in part:
            marks.setdefault(hashlib.sha256(row.signature).hexdigest(), row.request)
        new = [{"mark": mark, "request": request} for mark, request in marks.items() if mark not in seen]
        seen |= marks.keys()
        if new:
            connection.execute(sa.insert(used), new)


def _end_consents() -> None:
    """End consents that are in force though their recipient has no account any more."""
    now = datetime.now(UTC)
    consent = sa.table("consent", sa.column("recipient"), sa.column("cancelled", sa.DateTime(timezone=True)))
    account = sa.table("account", sa.column("recipient"))
    with_account = sa.exists().where(account.c.recipient == consent.c.recipient)
    op.execute(sa.update(consent).where(consent.c.cancelled.is_(None), ~with_account).values(cancelled=now))
