"""Requests about accounts, the signatures given for them, and the history of what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "far0002"
down_revision = "far0001"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _make_requests()
    _make_history()
    _make_signatures()


def downgrade() -> None:
    for table in ("account_signature", "account_history", "account_request"):
        op.drop_table(table)


def _make_requests() -> None:
    op.create_table(
        "account_request",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("recipient", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("operator", sa.String(12), nullable=False),
        sa.Column("account_type", sa.String(9)),
        sa.Column("agreement_text", sa.Text(), nullable=False),
        sa.Column("requested_on", sa.Date(), nullable=False),
        sa.Column("content", sa.JSON()),
        sa.Column("begun", _MOMENT, nullable=False),
        sa.Column("changed", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_request"),
        sa.ForeignKeyConstraint(["operator"], ["operator.number"], name="fk_account_request_operator"),
        sa.CheckConstraint(
            "kind IN ('register', 'deregister', 'change operator', 'preferences')", name="ck_account_request_kind"
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'completed', 'abandoned', 'replaced')", name="ck_account_request_state"
        ),
    )
    op.create_index("ix_account_request_recipient", "account_request", ["recipient"])
    only_pending = sa.text("state = 'pending'")
    op.create_index(
        "uq_account_request_pending",
        "account_request",
        ["recipient", "kind"],
        unique=True,
        sqlite_where=only_pending,
        postgresql_where=only_pending,
    )


def _make_history() -> None:
    op.create_table(
        "account_history",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("request", sa.BigInteger(), nullable=False),
        sa.Column("recipient", sa.BigInteger(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("step", sa.String(9), nullable=False),
        sa.Column("operator", sa.String(12), nullable=False),
        sa.Column("caller", sa.String(12)),
        sa.Column("call_id", sa.String(50), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_history"),
        sa.ForeignKeyConstraint(["request"], ["account_request.id"], name="fk_account_history_request"),
        sa.CheckConstraint(
            "step IN ('begun', 'signed', 'completed', 'abandoned', 'replaced')", name="ck_account_history_step"
        ),
    )
    op.create_index("ix_account_history_recipient", "account_history", ["recipient"])


def _make_signatures() -> None:
    op.create_table(
        "account_signature",
        sa.Column("request", sa.BigInteger(), nullable=False),
        sa.Column("signer", sa.String(256), nullable=False),
        sa.Column("history", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text()),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("agreement_text", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("received", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("request", "signer", name="pk_account_signature"),
        sa.ForeignKeyConstraint(["request"], ["account_request.id"], name="fk_account_signature_request"),
        sa.ForeignKeyConstraint(["history"], ["account_history.id"], name="fk_account_signature_history"),
    )
    op.create_index("ix_account_signature_history", "account_signature", ["history"])
    op.create_index("ix_account_signature_signer", "account_signature", ["signer"])
