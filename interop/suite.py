"""The demonstration that the clients talk to: all parties in one process, served as anybody serves them."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mm_soap.config import ENVIRONMENT_PREFIX, load
from mm_soap.contract import ports
from mm_soap.demonstration import KOMMUN_A, SETTINGS_FILE

_STOP_SECONDS = 45


class NoSuite(Exception):
    """The demonstration did not start; the text says why."""


@dataclass(frozen=True)
class Suite:
    """A demonstration that is served."""

    register: str
    """The address of Recipient."""
    message: str
    """The address of Message."""
    certificate: Path
    key: Path
    mailboxes: Path
    """The database of operator one."""

    def attachment(self, subject: str) -> bytes | None:
        """Return the one attachment of the one message with a subject, from its mailbox; None if there is none such.

        Read from the database, past mm-soap's own code.
        """
        with closing(sqlite3.connect(f"file:{self.mailboxes}?mode=ro", uri=True, timeout=10)) as database:
            rows = database.execute(
                "SELECT a.body FROM message m JOIN attachment a ON a.delivery = m.delivery AND a.message = m.position"
                " WHERE m.subject = ?",
                (subject,),
            ).fetchall()
        return bytes(rows[0][0]) if len(rows) == 1 else None


@contextmanager
def serving(folder: Path) -> Iterator[Suite]:
    """Make a demonstration in a folder, serve it, and stop it at the end.

    Raises:
        NoSuite: it did not start.
    """
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]
    command = [sys.executable, "-m", "mm_soap"]
    subprocess.run([*command, "init", str(folder), "--demo"], check=True, stdout=subprocess.DEVNULL)
    file = folder / SETTINGS_FILE
    environment = {**os.environ, f"{ENVIRONMENT_PREFIX}PORT": str(free_port())}
    with (folder / "suite.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "serve", "--config", str(file)], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise NoSuite((folder / "suite.log").read_text(errors="replace")[-2000:])
            url = line.removeprefix("ready ").strip()
            settings = load(file)
            sender = next(each for each in settings.sender if each.organisation == KOMMUN_A.number)
            yield Suite(
                url + ports()["recipient"].path,
                url + ports()["message"].path,
                sender.certificate.resolve(),
                sender.key.resolve(),
                Path(settings.operator[0].database),
            )
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
