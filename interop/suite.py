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

from mm_soap.config import ENVIRONMENT_PREFIX
from mm_soap.contract import ports
from mm_soap.demonstration import KOMMUN_A, SETTINGS_FILE, DemoOrganisation
from mm_soap.pki import Identity

_STOP_SECONDS = 45
_COMMAND = (sys.executable, "-m", "mm_soap")


class NoSuite(Exception):
    """The demonstration did not start; the text says why."""


@dataclass(frozen=True)
class Suite:
    """A demonstration that is served."""

    url: str
    folder: Path
    """With its settings, keys and databases."""

    def address(self, service: str) -> str:
        """Return the address of a service, such as ``recipient``."""
        return self.url + ports()[service].path

    @property
    def certificate(self) -> Path:
        """The certificate of the organisation that sends."""
        return self._pki / f"{KOMMUN_A.number}.pem"

    @property
    def key(self) -> Path:
        """Its private key."""
        return self._pki / f"{KOMMUN_A.number}.key"

    @property
    def authorities(self) -> Path:
        """The certificates of the test authority."""
        return self._pki / "ca.pem"

    @property
    def other_authorities(self) -> Path:
        """Certificates of an authority that issued none of the organisations' certificates."""
        return self._pki / "e-identification-ca.pem"

    def identity(self, organisation: DemoOrganisation) -> Identity:
        """Return the certificate and key of an organisation of the demonstration."""
        return Identity.load(self._pki / f"{organisation.number}.pem", self._pki / f"{organisation.number}.key")

    def far(self, *arguments: str) -> None:
        """Run ``mm-soap far`` on the register.

        Raises:
            NoSuite: the command failed.
        """
        command = [*_COMMAND, "far", *arguments, "--config", str(self.folder / SETTINGS_FILE)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise NoSuite(f"mm-soap far {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")

    def attachment(self, subject: str) -> bytes | None:
        """Return the one attachment of the one message with a subject, from its mailbox; None if there is none such.

        Read from the database, past mm-soap's own code.
        """
        rows = self._mailboxes(
            "SELECT a.body FROM message m JOIN attachment a ON a.delivery = m.delivery AND a.message = m.position"
            " WHERE m.subject = ?",
            subject,
        )
        return rows[0] if len(rows) == 1 else None

    def sealed_deliveries(self) -> list[bytes]:
        """Return the requests of deliverSecure that operator one accepted, as they came to it on the wire."""
        return self._mailboxes("SELECT content FROM evidence WHERE operation = 'deliverSecure' ORDER BY id")

    def _mailboxes(self, question: str, *values: str) -> list[bytes]:
        file = self.folder / "data" / "operator-1.sqlite3"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
            return [bytes(row[0]) for row in database.execute(question, values).fetchall()]

    @property
    def _pki(self) -> Path:
        return self.folder / "pki"


@contextmanager
def serving(folder: Path) -> Iterator[Suite]:
    """Make a demonstration in a folder, serve it, and stop it at the end.

    Raises:
        NoSuite: it did not start.
    """
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]
    subprocess.run([*_COMMAND, "init", str(folder), "--demo"], check=True, stdout=subprocess.DEVNULL)
    environment = {**os.environ, f"{ENVIRONMENT_PREFIX}PORT": str(free_port())}
    with (folder / "suite.log").open("wb") as log:
        process = subprocess.Popen(
            [*_COMMAND, "serve", "--config", str(folder / SETTINGS_FILE)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise NoSuite((folder / "suite.log").read_text(errors="replace")[-2000:])
            yield Suite(line.removeprefix("ready ").strip(), folder)
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
