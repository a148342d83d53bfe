"""mm-soap init."""

from __future__ import annotations

from pathlib import Path

from mm_soap.cli.output import console, print_json, progress_console
from mm_soap.clock import system_clock
from mm_soap.demonstration import RECIPIENT, SETTINGS_FILE, init_demo
from mm_soap.seeding import seed


def init(directory: Path, tls: bool, as_json: bool) -> None:
    """Make a demonstration in a folder."""
    with progress_console().status("Making keys, certificates and databases …"):
        init_demo(directory, system_clock, seed, tls=tls)
    file = directory / SETTINGS_FILE
    if as_json:
        print_json({"config": str(file), "data": str(directory / "data"), "pki": str(directory / "pki")})
        return
    console().print(f"Made {file}. Next: mm-soap serve --config {file}")
    console().print(f"A recipient with a mailbox: {RECIPIENT}")
