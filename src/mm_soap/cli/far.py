"""mm-soap far: the parties that are connected to the register, and who changed them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509

from mm_soap.cli.far_consents import consents_app
from mm_soap.cli.far_files import files_apps
from mm_soap.cli.far_register import As, Config, Json, administration
from mm_soap.cli.output import fail, print_json, print_table
from mm_soap.far.audit import Change
from mm_soap.far.model import Dispatcher, Operator, Sender
from mm_soap.far.parties import KINDS, AnyParty, Entry
from mm_soap.pki import read_certificates

far_app = typer.Typer(no_args_is_help=True, help="Administer the register: its parties, accounts, companies, persons.")
sender_app = typer.Typer(no_args_is_help=True, help="Those who may send.")
dispatcher_app = typer.Typer(no_args_is_help=True, help="Those who may hand over messages, and for whom.")
operator_app = typer.Typer(no_args_is_help=True, help="The mailbox operators.")
far_app.add_typer(sender_app, name="sender")
far_app.add_typer(dispatcher_app, name="dispatcher")
far_app.add_typer(operator_app, name="operator")
for _name, _app in files_apps().items():
    far_app.add_typer(_app, name=_name)
far_app.add_typer(consents_app, name="consents")

_NEEDED = ("name", "service_address", "internal_address")

Number = Annotated[str, typer.Argument(help="The organisation number, 12 digits.", metavar="NUMBER")]
Name = Annotated[str, typer.Option("--name", help="Its name.")]
NewName = Annotated[str | None, typer.Option("--name", help="Its new name.")]
Certificate = Annotated[
    Path | None, typer.Option("--certificate", help="PEM file: its certificate, which must name the same organisation.")
]
Closed = Annotated[bool, typer.Option("--all", help="With those that are closed.")]
Attention = Annotated[str | None, typer.Option("--attention", help="The part of the organisation; empty for none.")]
SendersOf = Annotated[
    list[str] | None, typer.Option("--sender", help="A sender that it may sign for; may stand several times.")
]


@sender_app.command("add")
def sender_add(
    number: Number,
    config: Config,
    name: Name,
    attention: Attention = None,
    certificate: Certificate = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Connect a sender, or one that was closed anew."""
    with administration(config, as_name) as admin:
        _told(admin.add(Sender(number, name, attention or None), _certificate(certificate)), "connected", json)


@sender_app.command("change")
def sender_change(
    number: Number,
    config: Config,
    name: NewName = None,
    attention: Attention = None,
    certificate: Certificate = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Change a sender; what is not given stays."""
    changes = _given(name=name, attention=attention)
    _change(Sender, number, config, lambda _: changes, certificate, as_name, json, bool(changes))


@sender_app.command("list")
def sender_list(config: Config, closed: Closed = False, json: Json = False) -> None:
    """List the senders."""
    _list(Sender, config, closed, json, {"Number": "number", "Name": "name", "Attention": "attention"})


@sender_app.command("close")
def sender_close(number: Number, config: Config, as_name: As = None, json: Json = False) -> None:
    """Disconnect a sender: it is taken off the lists of all dispatchers. Its history stays."""
    with administration(config, as_name) as admin:
        _told(admin.close(Sender, number), "closed", json)


@dispatcher_app.command("add")
def dispatcher_add(
    number: Number,
    config: Config,
    name: Name,
    sender: SendersOf = None,
    certificate: Certificate = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Approve a dispatcher, or one that was closed anew. One that sends for itself lists its own number too."""
    with administration(config, as_name) as admin:
        party = Dispatcher(number, name, _sorted(sender or ()))
        _told(admin.add(party, _certificate(certificate)), "connected", json)


@dispatcher_app.command("change")
def dispatcher_change(
    number: Number,
    config: Config,
    name: NewName = None,
    sender: SendersOf = None,
    add_sender: Annotated[list[str] | None, typer.Option(help="One more sender; may stand several times.")] = None,
    remove_sender: Annotated[list[str] | None, typer.Option(help="One less; may stand several times.")] = None,
    certificate: Certificate = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Change a dispatcher; what is not given stays. --sender replaces the whole list."""
    if sender and (add_sender or remove_sender):
        fail("Give either the whole list with --sender, or changes with --add-sender and --remove-sender.", 2)

    def changes(before: Dispatcher) -> Mapping[str, Any]:
        senders = set(sender or before.senders)
        unknown = set(remove_sender or ()) - senders
        if unknown:
            fail(f"The dispatcher {number} is not listed for {', '.join(sorted(unknown))}.")
        return {**_given(name=name), "senders": _sorted((senders | set(add_sender or ())) - set(remove_sender or ()))}

    given = bool(name or sender or add_sender or remove_sender)
    _change(Dispatcher, number, config, changes, certificate, as_name, json, given)


@dispatcher_app.command("list")
def dispatcher_list(config: Config, closed: Closed = False, json: Json = False) -> None:
    """List the dispatchers and the senders for which each may sign."""
    _list(Dispatcher, config, closed, json, {"Number": "number", "Name": "name", "Signs for": "senders"})


@dispatcher_app.command("close")
def dispatcher_close(number: Number, config: Config, as_name: As = None, json: Json = False) -> None:
    """Disconnect a dispatcher: it may sign for nobody any more. Its history stays."""
    with administration(config, as_name) as admin:
        _told(admin.close(Dispatcher, number), "closed", json)


@operator_app.command("add")
def operator_add(
    number: Number,
    config: Config,
    name: Name,
    service_address: Annotated[str, typer.Option(help="The URL of its Service endpoint.")],
    internal_address: Annotated[
        str | None, typer.Option(help="Its URL inside the infrastructure; the same unless given.")
    ] = None,
    ui_address: Annotated[str | None, typer.Option(help="The URL of its web pages.")] = None,
    logo: Annotated[str | None, typer.Option(help="The URL of its logo.")] = None,
    certificate: Certificate = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Connect a mailbox operator, or one that was closed anew."""
    party = Operator(
        number, name, service_address, internal_address or service_address, ui_address or None, logo or None
    )
    with administration(config, as_name) as admin:
        _told(admin.add(party, _certificate(certificate)), "connected", json)


@operator_app.command("change")
def operator_change(
    number: Number,
    config: Config,
    name: NewName = None,
    service_address: Annotated[str | None, typer.Option(help="The URL of its Service endpoint.")] = None,
    internal_address: Annotated[str | None, typer.Option(help="Its URL inside the infrastructure.")] = None,
    ui_address: Annotated[str | None, typer.Option(help="The URL of its web pages; empty for none.")] = None,
    logo: Annotated[str | None, typer.Option(help="The URL of its logo; empty for none.")] = None,
    certificate: Certificate = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Change a mailbox operator; what is not given stays."""
    changes = _given(
        name=name,
        service_address=service_address,
        internal_address=internal_address,
        ui_address=ui_address,
        logo=logo,
    )
    _change(Operator, number, config, lambda _: changes, certificate, as_name, json, bool(changes))


@operator_app.command("list")
def operator_list(config: Config, closed: Closed = False, json: Json = False) -> None:
    """List the mailbox operators."""
    _list(Operator, config, closed, json, {"Number": "number", "Name": "name", "Service": "service_address"})


@operator_app.command("close")
def operator_close(number: Number, config: Config, as_name: As = None, json: Json = False) -> None:
    """Disconnect a mailbox operator. It must have no accounts left. Its history stays."""
    with administration(config, as_name) as admin:
        _told(admin.close(Operator, number), "closed", json)


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


def _change(
    kind: type[Any],
    number: str,
    config: Path,
    changes: Callable[[Any], Mapping[str, Any]],
    certificate: Path | None,
    as_name: str | None,
    json: bool,
    given: bool,
) -> None:
    if not given and certificate is None:
        fail("Say what to change: see --help.", 2)
    with administration(config, as_name) as admin:
        _told(admin.change(kind, number, changes, _certificate(certificate)), "as it should be", json)


def _list(kind: type[Any], config: Path, closed: bool, json: bool, columns: Mapping[str, str]) -> None:
    with administration(config, None) as admin:
        found = admin.entries(kind, closed=closed)
    documents = [one.document() for one in found]
    if json:
        print_json(documents)
        return
    shown = {**columns, "Certificate (SHA-256)": "certificate", **({"Closed": "closed"} if closed else {})}
    rows = [[_cell(document[field]) for field in shown.values()] for document in documents]
    print_table(f"{len(found)} {KINDS[kind]}s", tuple(shown), rows)


def _told(entry: Entry[Any], state: str, json: bool) -> None:
    if json:
        print_json(entry.document())
        return
    party: AnyParty = entry.party
    typer.echo(f"The {KINDS[type(party)]} {party.number}, {party.name}, is {state}.")
    if entry.certificate:
        typer.echo(f"Its certificate has the SHA-256 fingerprint {entry.certificate}.")


def _given(**values: str | None) -> dict[str, Any]:
    """Return the values that were given; an empty one stands for none, where none is possible."""
    given = {name: value for name, value in values.items() if value is not None}
    return {name: value or (value if name in _NEEDED else None) for name, value in given.items()}


def _sorted(numbers: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(numbers)))


def _certificate(path: Path | None) -> x509.Certificate | None:
    return read_certificates(path)[0] if path else None


def _cell(value: Any) -> str | None:
    return ", ".join(value) if isinstance(value, (list, tuple)) else value


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
    return "; ".join(f"{name.replace('_', ' ')} {_cell(after[name])}" for name in names)
