"""mm-soap testbed: for whoever sends to a test bed. Its server is `mm-soap serve --testbed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

testbed_app = typer.Typer(no_args_is_help=True, help="Get what is needed to send to a test bed.")


@testbed_app.callback()
def _group() -> None:
    """Keep the command below a group, though it is the only one."""


@testbed_app.command()
def certificate(
    organisation: Annotated[str, typer.Option(help="Your organisation number, 12 digits that begin with 16.")],
    name: Annotated[str, typer.Option(help="The organisation's name, 2 to 64 characters.")],
    out: Annotated[Path, typer.Option(help="The folder for certificate and key; made if it is not there.")],
    url: Annotated[str, typer.Option(help="Where the test bed is.")] = "http://127.0.0.1:8080",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a key, have the test bed certify it, and write both. The key does not leave this machine."""
    from mm_soap.cli import certifying

    certifying.certificate(organisation, name, out, url, json)
