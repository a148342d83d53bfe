"""PostgreSQL finds what isReachable asks of an account in the index of its key, without reading the row itself."""

from alembic import op

revision = "far0009"
down_revision = "far0008"
branch_labels = None
depends_on = None

_KEY = "ALTER TABLE account ADD CONSTRAINT pk_account PRIMARY KEY (recipient)"
_WITH = " INCLUDE (operator, account_type, pending, last_registration, has_choices)"
# A foreign key refers to the index itself, and goes and comes with it.
_REFERENCE = (
    "ALTER TABLE sender_choice ADD CONSTRAINT fk_sender_choice_recipient"
    " FOREIGN KEY (recipient) REFERENCES account (recipient) ON DELETE CASCADE"
)
# What was changed since the last vacuum is read from the row again, with all that stands on the same page. Of ten
# million accounts twenty thousand changes begin one, where by itself PostgreSQL would wait for two million.
_VACUUM = "ALTER TABLE account SET (autovacuum_vacuum_scale_factor = 0.002)"
_NO_VACUUM = "ALTER TABLE account RESET (autovacuum_vacuum_scale_factor)"


def upgrade() -> None:
    _key_again(_KEY + _WITH, _VACUUM)


def downgrade() -> None:
    _key_again(_KEY, _NO_VACUUM)


def _key_again(key: str, vacuum: str) -> None:
    # In SQLite the table is itself the index of its key.
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE sender_choice DROP CONSTRAINT fk_sender_choice_recipient")
    op.execute("ALTER TABLE account DROP CONSTRAINT pk_account")
    op.execute(key)
    op.execute(_REFERENCE)
    op.execute(vacuum)
