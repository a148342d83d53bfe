"""mm-soap far: the register's parties, accounts, consents, companies and persons, and who changed them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mm_soap.cli.far_consents import consents_app
from mm_soap.cli.far_files import files_apps
from mm_soap.cli.far_history import history
from mm_soap.cli.far_parties import SHAPES, as_cell, party_app
from mm_soap.cli.far_register import Config, Json, administration
from mm_soap.cli.output import print_json, print_table
from mm_soap.far.audit import Change
from mm_soap.far.parties import KINDS

far_app = typer.Typer(no_args_is_help=True, help="Administer the register: its parties, accounts, companies, persons.")
for _shape in SHAPES:
    far_app.add_typer(party_app(_shape), name=KINDS[_shape.kind])
for _name, _app in files_apps().items():
    far_app.add_typer(_app, name=_name)
far_app.add_typer(consents_app, name="consents")
far_app.command()(history)


@far_app.command()
def audit(
    config: Config,
    party: Annotated[str | None, typer.Option(help="The changes of this organisation alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    json: Json = False,
) -> None:
    """Show who changed what in the register, the newest first."""
    with administration(config, None) as admin:
        changes = admin.changes(party, limit)
    if json:
        print_json([_change_document(change) for change in changes])
        return
    rows = [(f"{c.at.astimezone():%Y-%m-%d %H:%M:%S}", _who(c), c.what, c.party, _difference(c)) for c in changes]
    print_table(f"{len(changes)} changes", ("When", "Who", "What", "Party", "Changed"), rows)


def _who(change: Change) -> str:
    return change.who if change.who == change.login else f"{change.who} ({change.login})"


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "at": change.at.isoformat(),
        "who": change.who,
        "login": change.login,
        "what": change.what,
        "party": change.party,
        "before": change.before,
        "after": change.after,
    }


def _difference(change: Change) -> str:
    before, after = change.before or {}, change.after or {}
    names = [name for name in after if before.get(name) != after[name]]
    return "; ".join(f"{name.replace('_', ' ')} {as_cell(after[name])}" for name in names)
