"""The demonstrations that the tests from outside share."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.suite import ENGINE, STOP_SECONDS, Demonstration, Server, all_gone, mm_soap, stopped_at_the_end, until

collect_ignore = [] if ENGINE == "celery" else ["test_exactly_once.py", "test_spool.py"]
"""Those tests kill PostgreSQL and RabbitMQ: `make scaled-out` starts some for them."""

_SHOWN_OF_A_LOG = 20_000
"""Characters."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show with a failure what the servers of its demonstration said: why a connection broke, only they know."""
    report = yield
    if report.failed:
        values = getattr(item, "funcargs", {}).values()
        servers = [each for each in values if isinstance(each, Server)]
        servers += [server for each in values if isinstance(each, Demonstration) for server in each.servers]
        for errors in dict.fromkeys(server.errors for server in servers):
            if errors.exists():
                report.sections.append((f"Log {errors}", errors.read_text(errors="replace")[-_SHOWN_OF_A_LOG:]))
    return report


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every server that a test left has stopped at the end."""
    yield
    until(all_gone, STOP_SECONDS + 5, "servers that were left")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration that was never served, to be copied."""
    folder = tmp_path_factory.mktemp("template") / "demo"
    made = mm_soap("init", folder, "--demo")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="session")
def demonstration(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A demonstration that many tests may send to; all its parties are served by one process."""
    with stopped_at_the_end(Demonstration.copy_of(template, tmp_path_factory.mktemp("shared") / "demo")) as shared:
        shared.change("trust", anchors=["pki/ca.pem", str(VECTORS_CERTIFICATE)])
        shared.serve()
        yield shared


@pytest.fixture(scope="session")
def served(demonstration: Demonstration) -> Server:
    """What serves the shared demonstration."""
    return demonstration.servers[0]


@pytest.fixture
def fresh(template: Path, tmp_path: Path) -> Iterator[Demonstration]:
    """A demonstration of one's own, not served yet."""
    with stopped_at_the_end(Demonstration.copy_of(template, tmp_path / "demo")) as own:
        yield own


@pytest.fixture(scope="module")
def fresh_for_module(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A demonstration of a module's own, not served yet."""
    with stopped_at_the_end(Demonstration.copy_of(template, tmp_path_factory.mktemp("module") / "demo")) as own:
        yield own


VECTORS_CERTIFICATE = Path(__file__).parents[1] / "vectors" / "signer-cert.pem"
