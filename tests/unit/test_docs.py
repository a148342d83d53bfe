"""The documentation against the code: links, command lines, settings, and the parts that are generated."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from mm_soap.cli.app import app
from mm_soap.config import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = typer.main.get_command(app)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """Yield page and content of each block in one of these languages."""
    for page in PAGES:
        for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if match[1] in languages:
                yield name_of(page), match[2]


def lines_of(program: str) -> list[tuple[str, list[str]]]:
    """Return page and words of each line in a shell block that runs a program."""
    found = []
    for page, content in blocks("sh", "console"):
        for line in content.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ ").partition(" > ")[0], comments=True)
            if words and Path(words[0]).name == program:
                found.append((page, words[1:]))
    return found


def mentions() -> list[tuple[str, list[str]]]:
    """Return page and words of each command that is named in running text."""
    found = []
    for page in PAGES:
        prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
        found += [(name_of(page), shlex.split(match)) for match in re.findall(r"`mm-soap ([^`]*)`", prose)]
    return found


def descend(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words name, and what is left of them."""
    command: Any = COMMAND
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [target.partition("#")[0] for target in LINK.findall(prose) if "://" not in target]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize(
    ("page", "words"), lines_of("mm-soap"), ids=lambda value: value if isinstance(value, str) else " ".join(value)[:60]
)
def test_every_command_line_in_a_block_parses(page: str, words: list[str]) -> None:
    command, rest = descend(words)
    assert not getattr(command, "commands", None), f"{page}: there is no command {words}"
    command.make_context("mm-soap", list(rest))  # raises for an unknown or a missing option


@pytest.mark.parametrize(
    ("page", "words"), mentions(), ids=lambda value: value if isinstance(value, str) else " ".join(value)[:60]
)
def test_every_command_in_running_text_exists(page: str, words: list[str]) -> None:
    if words[0] == "COMMAND":
        return
    command, rest = descend(words)
    assert command is not COMMAND or rest[0].startswith("-"), f"{page}: there is no command {words[0]}"
    known = {"--help", *(option for one in command.params for option in one.opts)}
    assert [word for word in rest if word.startswith("-") and word not in known] == []


def test_every_make_target_exists() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    # With -C it is another Makefile, of a client that a guide copies; the guides are run, in interop/.
    used = {(page, words[0]) for page, words in lines_of("make") if words[0] != "-C"}
    assert {one for one in used if one[1] not in targets} == set()


def test_every_script_that_a_block_runs_is_there() -> None:
    every = [*lines_of("python"), *lines_of("python3")]
    # A guide copies a client into a folder of that name; the guides are run, in interop/.
    scripts = [(page, words[0]) for page, words in every if "/" in words[0] and not words[0].startswith("client")]
    assert scripts
    assert [one for one in scripts if not (ROOT / one[1]).is_file()] == []


def test_settings_in_blocks_are_settings() -> None:
    found = list(blocks("toml"))
    assert found
    for _page, content in found:
        Settings(**tomllib.loads(content))  # raises for a key that is none


def test_what_python_blocks_import_is_there() -> None:
    found = list(blocks("python"))
    assert found
    for page, content in found:
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mm_soap"):
                module = importlib.import_module(str(node.module))
                assert [one.name for one in node.names if not hasattr(module, one.name)] == [], page


def test_generated_parts_are_up_to_date() -> None:
    stale = [name_of(p) for p, text in generator().pages().items() if p.read_text(encoding="utf-8") != text]
    assert stale == [], "run .venv/bin/python docs/generate.py"


def test_every_command_has_its_own_heading() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    names = {name for name, command in generator().walk(COMMAND) if not getattr(command, "commands", None)}
    assert set(re.findall(r"^## (mm-soap .*)$", text, re.MULTILINE)) == names


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8")))
        found = [(page.parent / one.partition("#")[0]).resolve() for one in targets if "://" not in one]
        waiting += [one for one in found if one.suffix == ".md" and one not in reached]
    assert [name_of(page) for page in PAGES if page not in reached] == []


def test_unreleased_changes_have_a_security_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased = re.split(r"^## ", text, flags=re.MULTILINE)[1]
    assert unreleased.startswith("[Unreleased]")
    assert "\n### Security\n" in unreleased
