"""Each defence that the threat model names is shown by tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/.]+?\.py)(?:::(\w+))?`", PAGE)


def test_each_test_that_is_named_exists() -> None:
    assert len(NAMED) > 20
    for file, name in NAMED:
        path = ROOT / file
        assert path.is_file(), file
        functions = {one.name for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.FunctionDef)}
        tests = {one for one in functions if one.startswith("test_")}
        assert tests, f"{file} has no tests"
        assert not name or name in tests, f"{file} has no {name}"


def test_each_threat_has_a_defence_and_a_test() -> None:
    section = PAGE.partition("## Threats")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 15
    for row in rows:
        threat, defence, shown = row
        assert threat
        assert defence
        assert "`tests/" in shown, threat
