"""Which accounts have chosen about a sender at all, kept by the database itself."""

import sqlalchemy as sa
from alembic import op

revision = "far0007"
down_revision = "far0006"
branch_labels = None
depends_on = None

_SQLITE = """
CREATE TRIGGER sender_choice_is_noted AFTER INSERT ON sender_choice
BEGIN
    UPDATE account SET has_choices = 1 WHERE recipient = NEW.recipient AND NOT has_choices;
END
"""
_POSTGRESQL = (
    """
CREATE FUNCTION note_sender_choice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account SET has_choices = true WHERE recipient = NEW.recipient AND NOT has_choices;
    RETURN NULL;
END
$$
""",
    "CREATE TRIGGER sender_choice_is_noted AFTER INSERT ON sender_choice "
    "FOR EACH ROW EXECUTE FUNCTION note_sender_choice()",
)


def upgrade() -> None:
    # Neither database writes the rows of the table anew for this.
    op.add_column("account", sa.Column("has_choices", sa.Boolean(), server_default=sa.false(), nullable=False))
    # The trigger first: in PostgreSQL it keeps others from choosing until this is over.
    for statement in (_SQLITE,) if _is_sqlite() else _POSTGRESQL:
        op.execute(statement)
    op.execute("UPDATE account SET has_choices = true WHERE recipient IN (SELECT recipient FROM sender_choice)")


def downgrade() -> None:
    op.execute("DROP TRIGGER sender_choice_is_noted" + ("" if _is_sqlite() else " ON sender_choice"))
    if not _is_sqlite():
        op.execute("DROP FUNCTION note_sender_choice()")
    op.drop_column("account", "has_choices")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
