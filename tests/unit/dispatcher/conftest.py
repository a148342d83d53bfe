from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.storage import migrate
from mm_soap.testing.databases import fresh_database

# The URL of a PostgreSQL database in which the tests may make schemas of their own.
POSTGRESQL = os.environ.get("MM_SOAP_TEST_POSTGRESQL")


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRESQL else ["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """The dispatcher's database, of each kind."""
    with fresh_database(tmp_path, POSTGRESQL if request.param == "postgresql" else None) as fresh:
        migrate(fresh, "dispatcher")
        yield fresh
