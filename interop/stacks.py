"""The clients, as their ``interop.toml`` files describe them."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CLIENTS = Path(__file__).parents[1] / "clients"
"""Where the folders of the clients are."""

FILE = "interop.toml"

STEPS: Mapping[str, str | None] = {
    "build": None,
    "ask": "ask",
    "fault": "follow",
    "send": "send",
    "follow": "send",
    "verify": "verify",
    "receive": "receive",
}
"""The columns of the matrix, each with the command without which a stack has no such step."""

_CLIENT = {"ask", "follow"}
_OPERATOR = {"receive"}


class BadStack(Exception):
    """An ``interop.toml`` that cannot be used; the text says why."""


@dataclass(frozen=True)
class Stack:
    """One kind of client."""

    name: str
    """As the matrix shows it."""
    language: str
    folder: Path
    packages: tuple[str, ...]
    """Debian packages that it needs."""
    programs: Mapping[str, str]
    """Programs that it needs, with the Debian package of each, which is installed only where the program is missing."""
    build: str
    version: str
    commands: Mapping[str, str]
    """The programs that it has. Words in braces are filled in.

    A client has ``ask`` and ``follow``, ``send`` where the stack can sign, and ``verify`` where it can verify. A
    mailbox operator has ``receive``.
    """

    @property
    def steps(self) -> Sequence[str]:
        """The columns of the matrix that it has."""
        return [step for step, command in STEPS.items() if command is None or command in self.commands]


def words(command: str, values: Mapping[str, str | Sequence[str]]) -> list[str]:
    """Return a command as a list of arguments, with the words in braces filled in; a sequence becomes several.

    Raises:
        BadStack: a word in braces is unknown.
    """
    made: list[str] = []
    for word in shlex.split(command):
        several = values.get(word[1:-1]) if word.startswith("{") and word.endswith("}") else None
        if several is not None and not isinstance(several, str):
            made += several
            continue
        try:
            made.append(word.format_map(values))
        except (KeyError, ValueError):
            raise BadStack(f"{word} in {command!r} cannot be filled in") from None
    return made


def read(folder: Path) -> Stack:
    """Return the stack of a folder.

    Raises:
        BadStack: its file is missing, is not TOML, or lacks something.
    """
    try:
        table = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        commands = dict(table["commands"])
        stack = Stack(
            table["stack"],
            table["language"],
            folder,
            tuple(table.get("packages", ())),
            dict(table.get("programs", {})),
            table["build"],
            table["version"],
            commands,
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadStack(f"{folder / FILE}: {type(error).__name__} {error}") from None
    if not (_CLIENT <= set(commands) <= _CLIENT | {"send", "verify"} or set(commands) == _OPERATOR):
        raise BadStack(f"{folder / FILE}: commands must be ask and follow, perhaps send and verify; or receive alone")
    return stack


def read_all(clients: Path = CLIENTS) -> list[Stack]:
    """Return every stack, by language and name."""
    found = [read(file.parent) for file in sorted(clients.glob(f"*/{FILE}"))]
    return sorted(found, key=lambda stack: (stack.language, stack.name))
