"""mm-soap far consents: who may use the mailbox of somebody else, because that recipient consented."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy import Connection

from mm_soap.cli.far_register import As, Config, Json, administration_of, register_database
from mm_soap.cli.output import print_json, print_table
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.far.audit import record_change
from mm_soap.far.rights import Consent, ConsentKind, Consents

consents_app = typer.Typer(no_args_is_help=True, help="Who may use the mailbox of somebody else, by consent.")


class Kind(StrEnum):
    """What a consent lets a person do, in the words of the command."""

    READ = "read"
    READ_UNREAD = "read-unread"
    MANAGE = "manage"


_KINDS: Final = {
    Kind.READ: ConsentKind.READ,
    Kind.READ_UNREAD: ConsentKind.READ_UNREAD,
    Kind.MANAGE: ConsentKind.MANAGE,
}
_WORDS: Final = {kind: word.value for word, kind in _KINDS.items()}

Recipient = Annotated[str, typer.Argument(help="Whose mailbox it is, 12 digits.", metavar="RECIPIENT")]
User = Annotated[
    str, typer.Argument(help="Who may use it: a personal number, 12 digits, or a foreign identity.", metavar="USER")
]
What = Annotated[Kind, typer.Option("--kind", help="What that person may do.")]


@consents_app.command("list")
def consents_list(
    recipient: Recipient,
    config: Config,
    cancelled: Annotated[bool, typer.Option("--all", help="With those that were cancelled.")] = False,
    json: Json = False,
) -> None:
    """List the consents that a recipient gave, in that order."""
    with _consents(config, None, "") as consents:
        found = [one for one in consents.of(recipient) if cancelled or one.cancelled is None]
    if json:
        print_json([_document(one) for one in found])
        return
    ends = ("Cancelled",) if cancelled else ()
    rows = [
        [one.user, _WORDS[one.kind], _time(one.given), *([_time(one.cancelled)] if cancelled else [])] for one in found
    ]
    print_table(f"{len(found)} consents of {recipient}", ("User", "May", "Given", *ends), rows)


@consents_app.command("give")
def consents_give(
    recipient: Recipient, user: User, config: Config, kind: What, as_name: As = None, json: Json = False
) -> None:
    """Let a person use a recipient's mailbox. That the recipient wants it is for whoever runs this to know."""
    with _consents(config, as_name, "consent given") as consents:
        _told(consents.give(recipient, user, _KINDS[kind]), "given", json)


@consents_app.command("cancel")
def consents_cancel(
    recipient: Recipient, user: User, config: Config, kind: What, as_name: As = None, json: Json = False
) -> None:
    """End a consent. It stays known, with the time of its end."""
    with _consents(config, as_name, "consent cancelled") as consents:
        _told(consents.cancel(recipient, user, _KINDS[kind]), "cancelled", json)


@contextmanager
def _consents(config: Path, as_name: str | None, what: str) -> Iterator[Consents]:
    settings = load(config)
    with register_database(settings, config) as engine:
        admin = administration_of(engine, settings, as_name)

        def changed(connection: Connection, key: int, one: Consent) -> None:
            # The audit holds no personal numbers: the consent's number leads to whose it is.
            kept = {"consent": key, "kind": one.kind.value, "given": one.given.isoformat()}
            before = dict(kept) if one.cancelled else None
            after = {**kept, "cancelled": one.cancelled.isoformat()} if one.cancelled else kept
            record_change(connection, admin.a_change(what, after, before))

        yield Consents(engine, system_clock, changed, check_digits=settings.rules.check_digits)


def _told(one: Consent, state: str, json: bool) -> None:
    if json:
        print_json(_document(one))
    else:
        typer.echo(f"The consent of {one.recipient} to {one.user}, {_WORDS[one.kind]}, is {state}.")


def _document(one: Consent) -> dict[str, Any]:
    return {
        "recipient": one.recipient,
        "user": one.user,
        "kind": _WORDS[one.kind],
        "given": one.given.isoformat(),
        "cancelled": one.cancelled.isoformat() if one.cancelled else None,
    }


def _time(moment: Any) -> str | None:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else None
