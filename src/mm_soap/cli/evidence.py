"""The commands of mm-soap evidence and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

evidence_app = typer.Typer(no_args_is_help=True, help="What came, byte for byte, as the parties keep it.")

Config = Annotated[Path, typer.Option("--config", help="The settings file, mm-soap.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
AnyId = Annotated[str, typer.Argument(help="A distribution id, message id, TransId or CallId.", metavar="ID")]
Party = Annotated[
    str | None, typer.Option(help="far, dispatcher or operator:NUMBER; all parties in the settings without it.")
]


@evidence_app.command("show")
def evidence_show(any_id: AnyId, config: Config, json: Json = False) -> None:
    """List what is kept of a message or a call, and its verdict. That it was looked at is noted."""
    from mm_soap.cli import evidence_access

    evidence_access.show(config, any_id, json)


@evidence_app.command("export")
def evidence_export(
    any_id: AnyId,
    file: Annotated[Path, typer.Argument(help="The ZIP file to write. It must not be there yet.")],
    config: Config,
    to_head: Annotated[
        bool, typer.Option("--to-head", help="With all records from there to the head of the chain.")
    ] = False,
) -> None:
    """Write what is kept of a message into a ZIP file that others can check. That it was exported is noted."""
    from mm_soap.cli import evidence_access

    evidence_access.export(config, any_id, file, to_head)


@evidence_app.command("verify")
def evidence_verify(
    config: Config,
    party: Party = None,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            help="What `mm-soap evidence head` printed earlier, or a log of `mm-soap serve`: the chain must still hold "
            "it. May stand several times."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check that no record is missing, changed or out of its place. Status 1 if one is. That it was run is noted."""
    from mm_soap.cli import evidence_access

    evidence_access.verify(config, party, tuple(head or ()), json)


@evidence_app.command("head")
def evidence_head(
    config: Config,
    party: Party = None,
    sign: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="Sign it with the key of this organisation: the dispatcher, an operator or a sender in the settings.",
        ),
    ] = None,
) -> None:
    """Print where each chain ends, as JSON, to keep elsewhere. That it was asked for is noted."""
    from mm_soap.cli import evidence_access

    evidence_access.head(config, party, sign)
