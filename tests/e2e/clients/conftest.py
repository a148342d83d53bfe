"""The served demonstration, as the clients see it: an address, and a folder with keys."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.suite import Demonstration, Server

CLIENTS = Path(__file__).parents[3] / "clients"


@dataclass(frozen=True)
class Installation:
    """What an integrator is given: where the services are, and the organisations' certificates and keys."""

    url: str
    folder: Path

    def certificate(self, organisation: str) -> Path:
        return self.folder / "pki" / f"{organisation}.pem"

    def key(self, organisation: str) -> Path:
        return self.folder / "pki" / f"{organisation}.key"

    def signer_options(self, organisation: str) -> tuple[object, ...]:
        return "--certificate", self.certificate(organisation), "--key", self.key(organisation)


@pytest.fixture(scope="session")
def installation(demonstration: Demonstration, served: Server) -> Installation:
    """A demonstration that is served by a process of its own."""
    return Installation(served.url, served.config.parent)


def run_script(script: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a client as an integrator does: by its file, in a process of its own."""
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
