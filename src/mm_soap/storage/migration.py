"""Bring the database of a party to the schema that this release needs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import Connection, Engine, text

from mm_soap.errors import ConfigurationError
from mm_soap.storage.database import reading, writing

# Alembic is imported where it is used: importing it takes longer than what most commands do.
if TYPE_CHECKING:
    from alembic.config import Config

Party = Literal["far", "dispatcher", "service_supplier", "testbed"]
"""Those that have a database: the names of their packages."""

_ADVISORY_LOCK: Final = 0x6D6D736F6170
"""The number of the PostgreSQL lock that keeps two processes from migrating at once; any number of our own."""


def migrate(engine: Engine, party: Party) -> None:
    """Bring a party's database to the newest schema; do nothing, quickly, when it is there already.

    All of it is one transaction. Processes that start together wait for each other.

    Raises:
        ConfigurationError: the database was made by a newer release.
        Refused: ``UNAVAILABLE`` when the database is away or busy.
    """
    from alembic import command

    if is_current(engine, party):
        return
    config = _config(party)
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(engine: Engine, party: Party) -> bool:
    """Tell whether a party's database has the newest schema.

    Raises:
        ConfigurationError: the database was made by a newer release.
        Refused: ``UNAVAILABLE`` when the database is away or busy.
    """
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config(party))
    with reading(engine) as connection:
        current = _revision(connection)
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigurationError(f"The database of {party} was made by a newer release. Install that release.")
    return current is not None and current == scripts.get_current_head()


def _revision(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _config(party: Party) -> Config:
    from alembic.config import Config

    config = Config()
    versions = Path(str(importlib.import_module(f"mm_soap.{party}.migrations").__file__)).parent
    # A per cent sign in a path would be read as an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
