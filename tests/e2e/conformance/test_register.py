"""The kit against the suite's own register, and against registers that are wrong in one thing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mm_soap.clock import system_clock
from mm_soap.conformance import Case, Report, Verdict, run
from mm_soap.conformance.plan import read_plan
from mm_soap.conformance.register import ROLE
from tests.e2e.suite import Demonstration, Server, mm_soap

from .conftest import some_of
from .proxy import Wrong, standing_before
from .wrong_registers import WRONG

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(fresh_for_module: Demonstration) -> Server:
    """The register of a demonstration of this module's own."""
    return fresh_for_module.serve("far")


@pytest.fixture(scope="module")
def plan(served: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan that the command prints for it."""
    printed = mm_soap("conform", "plan", "--config", served.config, MM_SOAP_PORT=str(served.port))
    assert printed.returncode == 0, printed.stderr
    file = tmp_path_factory.mktemp("plan") / "plan.toml"
    file.write_text(printed.stdout, encoding="utf-8")
    return file


def judge(plan: Path, url: str, served: Server, cases: Iterable[Case[Any]] = ROLE.cases) -> Report:
    changed = plan.with_name("changed.toml")
    changed.write_text(plan.read_text(encoding="utf-8").replace(served.url, url), encoding="utf-8")
    target, lines = ROLE.target(read_plan(changed, ROLE.name, ROLE.plan))
    return run(ROLE.name, cases, target, lines, system_clock)


def test_the_suites_own_register_passes_everything(plan: Path, tmp_path: Path) -> None:
    result = mm_soap("conform", "register", "--plan", plan, "--report", tmp_path, "--json")
    found = json.loads(result.stdout)
    assert [case for case in found["cases"] if case["verdict"] != "passed"] == []
    assert result.returncode == 0
    assert found["conforms"] is True
    assert {file.name for file in tmp_path.iterdir()} == {"report.html", "report.json", "junit.xml", "messages"}


def test_what_stands_between_changes_nothing_by_itself(plan: Path, served: Server) -> None:
    with standing_before(served.url, Wrong()) as url:
        report = judge(plan, url, served)
    assert [(each.case.id, each.what) for each in report.findings if each.verdict is not Verdict.PASSED] == []


@pytest.mark.parametrize(("case", "wrong"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_register_is_caught_by_the_case_made_for_it_alone(
    case: str, wrong: Wrong, plan: Path, served: Server, request: pytest.FixtureRequest
) -> None:
    with standing_before(served.url, wrong) as url:
        report = judge(plan, url, served, some_of(ROLE.cases, {f"register.{case}"}, request.node.name))
    failed = {each.case.id: each.what for each in report.findings if each.verdict is Verdict.FAILED}
    assert set(failed) == {f"register.{case}"}, failed
    assert not report.conforms
    kit = [each.what for each in report.findings if each.what.startswith("The kit itself")]
    assert kit == []


def test_the_command_says_what_is_wrong(plan: Path, served: Server, tmp_path: Path) -> None:
    _, wrong = WRONG["faults with HTTP 200"]
    with standing_before(served.url, wrong) as url:
        file = tmp_path / "plan.toml"
        file.write_text(plan.read_text(encoding="utf-8").replace(served.url, url), encoding="utf-8")
        result = mm_soap("conform", "register", "--plan", file, "--report", tmp_path / "report")
        only = mm_soap("conform", "register", "--plan", file, "--report", tmp_path / "only", "--only", "wsdl", "--json")
    assert result.returncode == 1, result.stderr
    assert "register.fault.status" in result.stdout
    assert "Send faults with HTTP status 500." in result.stdout
    assert only.returncode == 0, only.stderr
    assert {case["group"] for case in json.loads(only.stdout)["cases"]} == {"wsdl"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no table [register]"),
        ("[register]\n", "register.recipient_url"),
        ("[register]\nsurplus = 1\n", "register."),
        ("[", "cannot be read"),
    ],
)
def test_a_wrong_plan_is_wrong_use(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text, encoding="utf-8")
    result = mm_soap("conform", "register", "--plan", file, "--report", tmp_path / "report")
    assert result.returncode == 2
    assert said in result.stderr


def test_a_case_that_is_not_there_is_wrong_use(plan: Path, tmp_path: Path) -> None:
    result = mm_soap("conform", "register", "--plan", plan, "--report", tmp_path, "--only", "nothing")
    assert result.returncode == 2
    assert "nothing" in result.stderr


def test_a_register_that_does_not_answer_is_told_so(plan: Path, served: Server, tmp_path: Path) -> None:
    report = judge(plan, "http://127.0.0.1:9", served)
    failed = {each.case.id for each in report.findings if each.verdict is Verdict.FAILED}
    assert failed == {f"register.{name}" for name in ("soap.content-type", "soap.not-xml", "wsdl.served")}
    assert report.count(Verdict.PASSED) == 0
