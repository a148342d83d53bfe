"""mm-soap far history: what happened to the accounts of one recipient, also after they are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Final

import typer

from mm_soap.cli.far_register import As, Config, Json, administration_of, register_database
from mm_soap.cli.output import print_json, print_table
from mm_soap.config import load
from mm_soap.errors import Refusal, Refused
from mm_soap.far.accounts import HistoryEntry, Step, read_history
from mm_soap.far.audit import record_change
from mm_soap.far.model import is_recipient
from mm_soap.storage import writing

_WITHOUT_EFFECT: Final = (Step.ABANDONED, Step.REPLACED)

Recipient = Annotated[str, typer.Argument(help="Whose accounts, 12 digits.", metavar="RECIPIENT")]
Sentences = Annotated[bool, typer.Option("--sentences", help="With the sentence that was signed, or imported.")]


def history(
    recipient: Recipient, config: Config, sentences: Sentences = False, as_name: As = None, json: Json = False
) -> None:
    """Show what happened to a recipient's accounts, the oldest first. That it was read is noted."""
    if not is_recipient(recipient):
        raise Refused(Refusal.BAD_IDENTIFIER, "RecipientId")
    settings = load(config)
    with register_database(settings, config) as engine:
        admin = administration_of(engine, settings, as_name)
        # Noted before it is shown: who cannot write the audit does not get to read.
        with writing(engine) as connection:
            found = read_history(connection, recipient)
            record_change(connection, admin.a_change("history read", _noted(found, sentences)))
    without_effect = {entry.request for entry in found if entry.request and entry.step in _WITHOUT_EFFECT}
    if json:
        print_json([_document(entry, without_effect, sentences) for entry in found])
        return
    columns = ("When", "What", "Operator", "Who", "Signatures", *(("Sentence",) if sentences else ()))
    rows = [
        (
            f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
            f"{entry.kind.value}: {entry.step.value}",
            entry.operator,
            _who(entry),
            _signed(entry, without_effect),
            *((entry.sentence,) if sentences else ()),
        )
        for entry in found
    ]
    print_table(f"{len(found)} steps in the history of {recipient}", columns, rows)


def _noted(found: Sequence[HistoryEntry], sentences: bool) -> dict[str, Any]:
    # The audit holds no personal numbers: the numbers of requests and imports lead to whose they are.
    requests = sorted({entry.request for entry in found if entry.request is not None})
    imports = sorted({entry.importer.number for entry in found if entry.importer is not None})
    return {"steps": len(found), "requests": requests, "imports": imports, "sentences": sentences}


def _who(entry: HistoryEntry) -> str | None:
    if entry.importer is None:
        return entry.caller
    one = entry.importer
    return one.who if one.who == one.login else f"{one.who} ({one.login})"


def _signed(entry: HistoryEntry, without_effect: Collection[int | None]) -> str:
    ended = ", counts no more" if entry.request in without_effect else ""
    return "\n".join(f"{each.name} ({each.signer}{ended})" for each in entry.signatures)


def _document(entry: HistoryEntry, without_effect: Collection[int | None], sentences: bool) -> dict[str, Any]:
    importer = entry.importer and {
        "who": entry.importer.who,
        "login": entry.importer.login,
        "file_sha256": entry.importer.file_sha256,
        "audit": entry.importer.number,
    }
    counts = entry.request not in without_effect
    signatures = [
        {"signer": each.signer, "name": each.name, "received": each.received.isoformat(), "counts": counts}
        for each in entry.signatures
    ]
    return {
        "at": entry.at.isoformat(),
        "kind": entry.kind.value,
        "step": entry.step.value,
        "request": entry.request,
        "operator": entry.operator,
        "caller": entry.caller,
        "call_id": entry.call_id or None,
        "importer": importer,
        "signatures": signatures,
        **({"sentence": entry.sentence} if sentences else {}),
    }
