"""The commands of mm-soap conform and their options: one for each role that the kit can judge, and one for plans."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
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


class FirstAnswer(StrEnum):
    """What becomes of the first delivery while the kit listens."""

    answered = "answered"
    lost = "lost"
    technical = "technical"
    refused = "refused"


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


@conform_app.command()
def sender(
    plan: PlanFile,
    report: Folder,
    host: Annotated[str | None, typer.Option("--host", help="Where to listen, instead of the plan's host.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Instead of the plan's port; 0 takes a free one.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="End after so many seconds.")] = None,
    calls: Annotated[int | None, typer.Option("--until-calls", min=1, help="End after so many requests.")] = None,
    first: Annotated[
        FirstAnswer,
        typer.Option("--first", help="What becomes of the first delivery, to see what the sender then does."),
    ] = FirstAnswer.answered,
    unfinished: Annotated[
        int,
        typer.Option(
            "--unfinished", min=0, help="So many times a status is answered with fault 5004 before it is told."
        ),
    ] = 1,
    unmasked: Unmasked = False,
    json: Json = False,
) -> None:
    """Listen as dispatcher and mailbox operator, and tell what is wrong with what a sender or dispatcher sends."""
    from mm_soap.cli import listening
    from mm_soap.conformance.sender.ledger import First

    chosen = First(first.value)
    listening.listen(listening.Listening(plan, report, host, port, seconds, calls, chosen, unfinished, unmasked, json))
