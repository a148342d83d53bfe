"""The kit against parties that let nobody in without a client certificate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.suite import Demonstration, mm_soap, stopped_at_the_end

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plan that the command prints for a served demonstration that speaks TLS."""
    folder = tmp_path_factory.mktemp("tls") / "demo"
    made = mm_soap("init", folder, "--demo", "--tls")
    assert made.returncode == 0, made.stderr
    with stopped_at_the_end(Demonstration(folder)) as own:
        server = own.serve()
        printed = mm_soap("conform", "plan", "--config", own.config, MM_SOAP_PORT=str(server.port))
        assert printed.returncode == 0, printed.stderr
        file = folder / "plan.toml"
        file.write_text(printed.stdout, encoding="utf-8")
        yield file


@pytest.mark.parametrize("role", ["register", "dispatcher", "operator"])
def test_the_suites_own_parties_conform_over_mutual_tls(plan: Path, role: str, tmp_path: Path) -> None:
    result = mm_soap("conform", role, "--plan", plan, "--report", tmp_path, "--json")
    found = json.loads(result.stdout)
    failed = [(case["id"], case["what"]) for case in found["cases"] if case["verdict"] == "failed"]
    assert failed == []
    assert found["counts"]["passed"] > 30
    assert result.returncode == 0


def test_without_a_certificate_nothing_is_judged(plan: Path, tmp_path: Path) -> None:
    bare = plan.with_name("bare.toml")
    lines = plan.read_text(encoding="utf-8").splitlines()
    bare.write_text("\n".join(line for line in lines if not line.startswith("client_")), encoding="utf-8")
    result = mm_soap("conform", "register", "--plan", bare, "--report", tmp_path, "--only", "isRegistered", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["counts"]["passed"] == 0
