"""Writes the parts of the reference that follow from the code: `.venv/bin/python docs/generate.py`.

A generated part stands between two comments, ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. The rest is by hand.
A test compares the pages with what this would write.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import typer
from typer.testing import CliRunner

from mm_soap.cli.app import app
from mm_soap.config import ENVIRONMENT_PREFIX, reference
from mm_soap.contract import ports
from mm_soap.dispatcher import message_handlers, notification_handlers
from mm_soap.dsig.diagnosis import Cause, Kind
from mm_soap.errors import Refusal
from mm_soap.far import authority_handlers
from mm_soap.far.callers import Callers
from mm_soap.recipient import recipient_handlers
from mm_soap.service_supplier import service_handlers

DOCS: Final = Path(__file__).parent
PUBLIC_PACKAGES: Final = (
    "channels",
    "companies",
    "conformance",
    "contract",
    "dispatcher",
    "dsig",
    "dsig.diagnosis",
    "far",
    "far.accounts",
    "far.rights",
    "message",
    "persons",
    "pki",
    "recipient",
    "service_supplier",
    "soap",
    "storage",
    "testing",
    "user_signatures",
)
"""The packages whose ``__all__`` others may rely on."""


def settings() -> str:
    """Return the tables of settings, one for each table of the file."""
    tables: dict[str, list[str]] = {}
    for row in reference():
        table, _, key = row.key.rpartition(".")
        variable = "" if "[]" in row.key else f"`{ENVIRONMENT_PREFIX}{row.key.replace('.', '__').upper()}`"
        line = f"| `{key}` | {row.type} | {_code(row.default)} | {row.meaning} | {variable} |"
        tables.setdefault(table, []).append(line)
    parts = []
    for table, lines in tables.items():
        written = table.removesuffix("[]").replace("[]", "")
        name = f"[[{written}]]" if table.endswith("[]") else f"[{written}]" if table else "Without a table"
        heading = f"## {_code(name) if table else name}"
        parts.append("\n".join([heading, "", "| key | type | default | meaning | variable |", _RULE * 5 + "|", *lines]))
    return "\n\n".join(parts)


def errors() -> str:
    """Return the table of refusals, by code."""
    members = sorted(Refusal, key=lambda one: one.code)
    lines = [f"| {one.code} | `{one.name}` | {one.value.text} |" for one in members]
    return "\n".join(["| ErrorCode | reason | Description |", _RULE * 3 + "|", *lines])


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command's name and the table of its arguments and options."""
    for name, command in walk(typer.main.get_command(app)):
        if not getattr(command, "commands", None):
            lines = [_parameter(one) for one in command.params if "--help" not in one.opts]
            head = ["| argument or option | needed | default | meaning |", _RULE * 4 + "|"]
            yield name, "\n".join([f"{_sentence(command)}\n", *head, *lines])


def walk(command: Any, name: str = "mm-soap") -> Iterator[tuple[str, Any]]:
    """Yield a command and all below it, each with its full name."""
    yield name, command
    for sub, below in getattr(command, "commands", {}).items():
        yield from walk(below, f"{name} {sub}")


def operations() -> str:
    """Return the table of all operations and whether they are available."""
    nothing: Any = None
    callers: Any = Callers  # Nothing is called: the methods have only to be there.
    built = {
        "recipient": recipient_handlers(nothing, nothing, callers),
        "authority": authority_handlers(nothing, callers, nothing, nothing),
        "message": message_handlers(nothing, nothing),
        "notification": notification_handlers(nothing),
        "service": service_handlers(nothing, nothing, nothing, nothing),
    }
    lines = [
        f"| `{port.path}` | {name} | {'yes' if name in built.get(port.name, {}) else 'no: fault 5000'} |"
        for port in ports().values()
        for name in port.operations
    ]
    return "\n".join(["| path | operation | available |", _RULE * 3 + "|", *lines])


def public_names() -> str:
    """Return the public names of each package with the first line of what is said of them."""
    parts = []
    for package in PUBLIC_PACKAGES:
        module = importlib.import_module(f"mm_soap.{package}")
        lines = [f"| `{name}` | {_meaning(module, name)} |" for name in module.__all__]
        parts.append("\n".join([f"### `mm_soap.{package}`", "", "| name | what |", _RULE * 2 + "|", *lines]))
    return "\n\n".join(parts)


def causes() -> str:
    """Return the table of what a diagnosis finds, with the examples that show it."""
    shown: dict[str, list[str]] = {}
    folder = DOCS.parent / "tests" / "vectors" / "broken"
    trust = [word for file in sorted(folder.glob("*.pem")) for word in ("--trust", str(file))]
    for file in sorted(folder.glob("*.xml")):
        result = CliRunner().invoke(app, ["verify", str(file), *trust, "--json"])
        for problem in json.loads(result.stdout)["problems"][1:]:
            shown.setdefault(problem["rule"], []).append(f"[{file.stem}](../../tests/vectors/broken/{file.name})")
    parts = []
    for kind in Kind:
        lines = [
            f"| `{one.name}` | {one.remedy} | {', '.join(dict.fromkeys(shown.get(one.name, [])))} |"
            for one in Cause
            if one.kind is kind
        ]
        heading = kind.value[0].upper() + kind.value[1:]
        parts.append("\n".join([f"### {heading}", "", "| rule | remedy | example |", _RULE * 3 + "|", *lines]))
    return "\n\n".join(parts)


def pages() -> dict[Path, str]:
    """Return every page with generated parts as it should be."""
    folder = DOCS / "reference"
    found = {
        "settings.md": {"settings": settings()},
        "errors.md": {"errors": errors()},
        "commands.md": dict(commands()),
        "contract.md": {"operations": operations()},
        "public-api.md": {"names": public_names()},
        "../how-to/why-a-signature-fails.md": {"causes": causes()},
    }
    return {(folder / name).resolve(): _filled(folder / name, parts) for name, parts in found.items()}


_RULE: Final = "| --- "
_MEANINGS: Final = {"PRECHECKS": "What is checked before the schema, by operation name."}
"""For constants with no text below them."""


def _filled(page: Path, parts: dict[str, str]) -> str:
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        between = re.compile(f"(<!-- begin {re.escape(name)} -->\n).*?(<!-- end {re.escape(name)} -->)", re.DOTALL)
        text, count = between.subn(lambda match, part=part: f"{match[1]}\n{part}\n\n{match[2]}", text)
        if count != 1:
            raise SystemExit(f"{page} needs one part named {name}")
    return text


def _code(text: str) -> str:
    return text if text == "required" else f"`{text}`"


def _sentence(command: Any) -> str:
    return " ".join(str(command.help).split())


def _parameter(one: Any) -> str:
    flag = bool(getattr(one, "is_flag", False))
    argument = one.param_type_name == "argument"
    value = one.metavar or one.name.upper().rstrip("_")
    flags = "`, `".join([one.opts[0], *one.secondary_opts])
    name = value if argument else flags if flag else f"{one.opts[0]} {value}"
    default = "" if one.required or flag or one.default in (None, (), []) else f"`{one.default}`"
    return f"| `{name}` | {'yes' if one.required else 'no'} | {default} | {one.help or ''} |"


def _meaning(package: Any, name: str) -> str:
    value = getattr(package, name)
    if callable(value):
        value = inspect.unwrap(value)
    if inspect.isclass(value) or inspect.isfunction(value):
        return " ".join(inspect.cleandoc(value.__doc__ or "").partition("\n\n")[0].split())
    return _said_below(Path(package.__file__).parent, name) or _MEANINGS.get(name, "")


def _said_below(folder: Path, name: str) -> str:
    """Return the first paragraph of the text below the assignment of a name, as Python's own tools do."""
    is_target: Callable[[Any], bool] = lambda node: any(  # noqa: E731
        isinstance(target, ast.Name) and target.id == name
        for target in (getattr(node, "targets", None) or [getattr(node, "target", None)])
    )
    for file in sorted(folder.glob("*.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for node, after in pairwise(body):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and is_target(node) and isinstance(after, ast.Expr):
                value = after.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    return " ".join(inspect.cleandoc(value.value).partition("\n\n")[0].split())
    return ""


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
