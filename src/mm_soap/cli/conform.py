"""The commands of mm-soap conform and their options: one for each role that the kit can judge, and one for plans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mm_soap.conformance.roles import ROLES

conform_app = typer.Typer(no_args_is_help=True, help="Tell whether a foreign party keeps the contract, and why not.")

Config = Annotated[Path, typer.Option("--config", help="The settings file, mm-soap.toml.")]
PlanFile = Annotated[
    Path, typer.Option("--plan", help="A TOML file with a table for the role: addresses and test identities.")
]
Folder = Annotated[Path, typer.Option("--report", help="A folder for report.html, report.json, junit.xml, messages.")]
Unmasked = Annotated[bool, typer.Option("--unmasked", help="Keep bodies and personal numbers in the reports.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="A case, or the beginning of the ids of several; may stand several times."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@conform_app.command()
def plan(config: Config) -> None:
    """Print a plan for the served parties of a demonstration."""
    from mm_soap.cli import conforming

    conforming.print_plan(config)


def _command(role: str) -> Callable[..., None]:
    def conform(
        plan: PlanFile, report: Folder, unmasked: Unmasked = False, only: Only = None, json: Json = False
    ) -> None:
        from mm_soap.cli import conforming

        conforming.conform(role, plan, report, tuple(only or ()), unmasked=unmasked, as_json=json)

    return conform


for _role, _what in ROLES.items():
    conform_app.command(_role, help=f"Judge {_what}.")(_command(_role))
