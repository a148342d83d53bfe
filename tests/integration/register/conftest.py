from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.testing.databases import fresh_database

from .world import World

# The URL of a PostgreSQL database in which the tests may make schemas of their own.
POSTGRESQL = os.environ.get("MM_SOAP_TEST_POSTGRESQL")


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRESQL else ["sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database, of each kind."""
    with fresh_database(tmp_path, POSTGRESQL if request.param == "postgresql" else None) as fresh:
        yield fresh


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)
