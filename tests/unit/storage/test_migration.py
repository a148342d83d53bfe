"""Migrations of each party give the schema that the party's code uses."""

from __future__ import annotations

import importlib
import threading
from typing import get_args

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from mm_soap.errors import ConfigurationError
from mm_soap.storage import is_current, migrate, reading, writing
from mm_soap.storage.migration import Party

PARTIES = get_args(Party)


@pytest.mark.parametrize("party", PARTIES)
def test_the_migrated_schema_is_the_metadata(engine: Engine, party: Party) -> None:
    metadata = importlib.import_module(f"mm_soap.{party}.store").metadata
    migrate(engine, party)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("party", PARTIES)
def test_the_schema_can_be_taken_back(engine: Engine, party: Party) -> None:
    from alembic import command

    from mm_soap.storage import migration

    migrate(engine, party)
    config = migration._config(party)
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert not is_current(engine, party)
    migrate(engine, party)
    assert is_current(engine, party)


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    assert not is_current(engine, "far")
    migrate(engine, "far")
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO sender (number, name) VALUES ('162021004748', 'Kommun A')"))
    migrate(engine, "far")
    with reading(engine) as connection:
        assert connection.execute(text("SELECT name FROM sender")).scalars().all() == ["Kommun A"]


def test_processes_that_start_together_migrate_once(engine: Engine) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            migrate(engine, "far")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert is_current(engine, "far")


def test_a_database_of_a_newer_release_is_refused(engine: Engine) -> None:
    migrate(engine, "far")
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'far9999'"))
    with pytest.raises(ConfigurationError, match="newer release"):
        migrate(engine, "far")
