"""Runs the guides of the documentation as their readers do: every command, in order, in an empty folder.

A guide is a page in Markdown. Its ``sh`` blocks are run in one shell, so a later block may use what an earlier one set.
The ``text`` block after one is what the reader should see: line by line, where ``...`` stands for anything, and alone
on its line for any number of lines. A comment ``<!-- exit status N -->`` before a block says that it ends with another
status than 0; such a block runs in a subshell. Blocks in other languages are not run.

``$CHECKOUT`` is the folder with the project, and ``mm-soap`` is on the PATH: the guides ask for both. The address
``http://127.0.0.1:8080`` becomes one with a free port.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from interop.suite import free_port
from mm_soap.config import ENVIRONMENT_PREFIX

CHECKOUT = Path(__file__).parents[1]
"""The folder of the project."""

_PAGES = CHECKOUT / "docs" / "how-to"
_LIMIT = timedelta(minutes=30)
"""After which a guide is taken to hang. How long each took is printed, and decides nothing."""
_STOP_SECONDS = 30
_PORT = "127.0.0.1:8080"
_BLOCK = re.compile(
    r"(?:^<!-- exit status (?P<status>\d+) -->\n)?^```sh\n(?P<script>.*?)^```$(?:\n\n```text\n(?P<shown>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_KEPT = re.compile(
    r"(PIP|NPM_CONFIG|COMPOSER|MAVEN|SSL|JAVA|NODE|REQUESTS|CURL|TESTS)_.*|.*_PROXY|LANG|LC_ALL|TMPDIR|USER",
    re.IGNORECASE,
)
"""Of the environment: what says where packages come from. Everything else is made anew."""


class _Wrong(Exception):
    pass


@dataclass(frozen=True)
class Block:
    """Commands of a guide, and what they show."""

    script: str
    shown: str | None
    status: int


@dataclass(frozen=True)
class Tried:
    """How a guide fared."""

    page: Path
    wrong: str | None
    """What was wrong, for whoever mends it; None where all was right."""
    seconds: float


def pages(folder: Path = _PAGES) -> list[Path]:
    """Return the guides: those that connect a system, and the one on signatures."""
    return [*sorted(folder.glob("connect-*.md")), folder / "why-a-signature-fails.md"]


def chosen(found: Sequence[Path], clients: Sequence[str]) -> list[Path]:
    """Return the guides that use one of these clients; all of them where none is named."""
    texts = {page: page.read_text(encoding="utf-8") for page in found}
    return [page for page in found if not clients or any(f'clients/{one}"' in texts[page] for one in clients)]


def run_guides(clients: Sequence[str], console: Console) -> list[Tried]:
    """Run the guides that use these clients, all guides where none is named, and print how each fared."""
    tried = []
    for page in chosen(pages(), clients):
        tried.append(one := run(page))
        mark = "[red]no[/]" if one.wrong else "[green]yes[/]"
        console.print(f"{page.stem:24} {'guide':8} {mark}  {one.seconds:.1f} s")
        if one.wrong:
            console.print(one.wrong, markup=False, soft_wrap=True)
    return tried


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page that are run, in order."""
    return [Block(one["script"], one["shown"], int(one["status"] or 0)) for one in _BLOCK.finditer(text)]


def matches(shown: str, output: str) -> bool:
    """Tell whether an output is what a guide shows."""
    parts = []
    for line in shown.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n")
    return re.fullmatch("".join(parts), output if output.endswith("\n") or not output else f"{output}\n") is not None


def run(page: Path) -> Tried:
    """Run one guide from an empty folder, with a home of its own."""
    started = time.monotonic()
    wrong = None
    with tempfile.TemporaryDirectory(prefix="mm-soap-guide-") as name:
        try:
            _run(blocks(page.read_text(encoding="utf-8")), Path(name))
        except _Wrong as error:
            wrong = str(error)
    return Tried(page, wrong, time.monotonic() - started)


def _run(steps: Sequence[Block], folder: Path) -> None:
    if not steps:
        raise _Wrong("the page has no commands")
    work, notes = folder / "work", folder / "notes"
    for each in (work, notes, folder / "home", folder / "bin"):
        each.mkdir()
    port = free_port()
    script = notes / "guide.sh"
    script.write_text("".join(_part(step, notes, number, port) for number, step in enumerate(steps)), encoding="utf-8")
    _command(folder / "bin" / "mm-soap")
    done = _shell(script, work, _environment(folder, port))
    for number, step in enumerate(steps):
        output = notes / f"{number}.out"
        said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        said = _COLOUR.sub("", said).replace(f"127.0.0.1:{port}", _PORT)
        if not (notes / f"{number}.done").exists():
            raise _Wrong(f"{done}; it stopped in these commands:\n{step.script}and they said:\n{said[-2000:]}")
        if step.shown is not None and not matches(step.shown, said):
            raise _Wrong(f"these commands:\n{step.script}should say:\n{step.shown}and said:\n{said[-2000:]}")


def _part(step: Block, notes: Path, number: int, port: int) -> str:
    script = step.script.replace(_PORT, f"127.0.0.1:{port}")
    output, done = (shlex.quote(str(notes / f"{number}.{kind}")) for kind in ("out", "done"))
    if step.status:
        script = f"status=0\n( set +e\n{script}) || status=$?\n[ $status = {step.status} ]\n"
    return f"exec > {output} 2>&1\nset -e\n{script}set +x\n: > {done}\n"


def _shell(script: Path, work: Path, environment: Mapping[str, str]) -> str:
    """Run a script and all that it starts, and say how it ended."""
    process = subprocess.Popen(
        ["bash", str(script)], cwd=work, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return f"exit status {process.wait(_LIMIT.total_seconds())}"
    except subprocess.TimeoutExpired:
        return f"it took more than {_LIMIT}"
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what a guide that failed left running. The group is that of the shell, which nobody else joins."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        ends = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < ends:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                return
            process.poll()
            time.sleep(0.2)


def _command(path: Path) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mm_soap "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def _environment(folder: Path, port: int) -> dict[str, str]:
    home = Path.home()
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    folders = [str(Path(one).absolute()) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    own = str(Path(sys.prefix) / "bin")
    path = [one for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one != own]
    return {
        "LANG": "C.UTF-8",
        # What was fetched once is not fetched again; nothing else of the real home is there.
        "PIP_CACHE_DIR": str(home / ".cache" / "pip"),
        "MAVEN_OPTS": f"-Dmaven.repo.local={home / '.m2' / 'repository'}",
        "NPM_CONFIG_CACHE": str(home / ".npm"),
        "NPM_CONFIG_USERCONFIG": str(home / ".npmrc"),
        "COMPOSER_CACHE_DIR": str(home / ".cache" / "composer"),
        **kept,
        **({"PYTHONPATH": os.pathsep.join(folders)} if folders else {}),
        "HOME": str(folder / "home"),
        "PATH": os.pathsep.join([str(folder / "bin"), *path]),
        "CHECKOUT": str(CHECKOUT),
        f"{ENVIRONMENT_PREFIX}PORT": str(port),
    }
