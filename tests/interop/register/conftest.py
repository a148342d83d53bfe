"""A served register, and two foreign clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.e2e.conftest import nothing_is_left, template
from tests.e2e.postgresql import on_postgresql
from tests.e2e.suite import Demonstration, stopped_at_the_end

from .installation import Installation, served_register
from .java_client import JavaClient, build
from .zeep_client import ZeepClient

__all__ = ["nothing_is_left", "template"]


@pytest.fixture(scope="module")
def database() -> str | None:
    """The URL of a PostgreSQL database; None for the demonstration's own SQLite."""
    return None


@pytest.fixture(scope="module")
def installation(
    template: Path, database: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("register")
    (folder / "signatures").mkdir()
    with ExitStack() as stack:
        made = stack.enter_context(stopped_at_the_end(Demonstration.copy_of(template, folder / "demo")))
        if database:
            stack.enter_context(on_postgresql(made, database))
        yield stack.enter_context(served_register(made, folder / "signatures"))


@pytest.fixture(scope="module")
def zeep(installation: Installation) -> Iterator[ZeepClient]:
    with closing(ZeepClient(installation.url, installation.signatures)) as client:
        yield client


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Java client goes, once it is built."""
    return tmp_path_factory.mktemp("java")


@pytest.fixture(scope="module")
def java(installation: Installation, classes: Path) -> Iterator[JavaClient]:
    if not (classes / "RegisterSteps.class").exists():
        build(installation.url, classes)
    with closing(JavaClient(installation.url, installation.signatures, classes)) as client:
        yield client
