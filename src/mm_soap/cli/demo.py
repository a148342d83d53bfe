"""mm-soap demo: the whole way of one real message, each party over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mm_soap.cli.output import console, print_json, progress_console
from mm_soap.clock import system_clock
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, OPERATOR_ONE, RECIPIENT, SETTINGS_FILE, init_demo
from mm_soap.errors import MmSoapError
from mm_soap.seeding import seed
from mm_soap.testing.documents import one_page_pdf

_TEXT = "Hej!\n\nDitt beslut finns i bilagan.\n\nHälsningar\nKommun A\n"
_SUBJECT = "Beslut om bygglov"


def demo(directory: Path | None, as_json: bool) -> None:
    """Start every party, send a message with a PDF, and show what each of them did with it."""
    with _folder(directory) as folder:
        with progress_console().status("Making keys, certificates and databases …"):
            init_demo(folder, system_clock, seed)
        config = folder / SETTINGS_FILE
        body, attachment = folder / "beslut.txt", folder / "beslut.pdf"
        body.write_text(_TEXT, encoding="utf-8")
        attachment.write_bytes(one_page_pdf("Beslut om bygglov", "Kommun A beviljar bygglov."))
        environment = {**os.environ, "MM_SOAP_PORT": str(_free_port())}
        with _served(config, environment) as url:
            if not as_json:
                console().print(f"[bold]Register, dispatcher and two operators serve at {url}[/]")
                console().print(f"{KOMMUN_A.name} signs a message with a PDF and hands it to {DISPATCHER.name} …\n")
            sent = _run(
                environment,
                *("send", "--config", str(config), "--sender", KOMMUN_A.number, "--recipient", RECIPIENT),
                *("--subject", _SUBJECT, "--body", str(body), "--attach", str(attachment), "--wait"),
            )
            trace = _run(environment, "trace", sent["distribution_id"], "--config", str(config))
            mailbox = _run(environment, "mailbox", "list", RECIPIENT, "--config", str(config))
            if as_json:
                print_json({"sent": sent, "trace": trace, "mailbox": mailbox})
                return
            _show(environment, "trace", sent["distribution_id"], "--config", str(config))
            console().print(f"\n[bold]In the mailbox at {OPERATOR_ONE.name}:[/]")
            _show(environment, "mailbox", "list", RECIPIENT, "--config", str(config))
            console().print(f"\n[green]✓[/] {sent['delivery_status']}: {_SUBJECT}, with {attachment.name}")
        if directory is not None:
            console().print(f"Go on with it: mm-soap serve --config {config}")


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="mm-soap-demo-") as temporary:
        yield Path(temporary) / "demo"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _served(config: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve in a process of its own, and give the URL once calls are accepted."""
    log = config.with_name("serve.log")
    with log.open("wb") as errors:
        command = [*_COMMAND, "serve", "--config", str(config)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise MmSoapError(f"The parties did not start: see {log}.")
            yield line.split()[1]
        finally:
            process.terminate()
            process.wait(30)


_COMMAND = (sys.executable, "-m", "mm_soap")


def _run(environment: dict[str, str], *arguments: str) -> Any:
    result = subprocess.run([*_COMMAND, *arguments, "--json"], env=environment, stdout=subprocess.PIPE, check=False)
    if result.returncode:
        raise MmSoapError(f"`mm-soap {arguments[0]}` ended with status {result.returncode}.")
    return json.loads(result.stdout)


def _show(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([*_COMMAND, *arguments], env=environment, check=True)
