"""The migrations of this party's database, run by Alembic."""
