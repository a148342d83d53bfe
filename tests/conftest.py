"""What all tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from sqlalchemy import Engine

from mm_soap.testing.databases import fresh_database

settings.register_profile("no timing decides a test", deadline=None)
settings.load_profile("no timing decides a test")

POSTGRESQL = os.environ.get("MM_SOAP_TEST_POSTGRESQL") or None


def missing(reason: str) -> NoReturn:
    """Skip a test that needs what is not there; in CI, where all of it is installed, fail it."""
    if os.environ.get("TESTS_SKIP_NOTHING"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests: where several run at once, none waits for a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program or database is missing."""
    for marker in item.iter_markers("needs_program"):
        for program in marker.args:
            if shutil.which(program) is None:
                missing(f"the program {program} is not installed")
    # Here and not in a fixture: pytest then tells of all of them in one line.
    if POSTGRESQL is None and needs_postgresql(item):
        missing("MM_SOAP_TEST_POSTGRESQL names no PostgreSQL: `make postgresql` runs the tests with one")


def needs_postgresql(item: pytest.Item) -> bool:
    """Tell whether a test runs on PostgreSQL, alone or this time."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return "postgresql" in (parameters.get("postgresql_or_none"), *getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def postgresql() -> str:
    """The URL of a PostgreSQL database in which a test may make schemas of its own."""
    assert POSTGRESQL is not None
    return POSTGRESQL


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def postgresql_or_none(request: pytest.FixtureRequest) -> str | None:
    """None for SQLite, the URL for PostgreSQL: a test runs with each."""
    return POSTGRESQL if request.param == "postgresql" else None


@pytest.fixture
def engine(postgresql_or_none: str | None, tmp_path: Path) -> Iterator[Engine]:
    """An empty database, of each kind."""
    with fresh_database(tmp_path, postgresql_or_none) as fresh:
        yield fresh
