"""mm-soap far sender, dispatcher and operator: the parties that are connected to the register.

The four commands of the three kinds have one shape, which stands once: `party_app`. What differs is in a `Shape`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from cryptography import x509

from mm_soap.cli.far_register import As, Config, Json, administration
from mm_soap.cli.output import fail, print_json, print_table
from mm_soap.far.model import Dispatcher, Operator, Sender
from mm_soap.far.parties import KINDS, AnyParty, Entry
from mm_soap.pki import read_certificates

_NEEDED: Final = ("name", "service_address", "internal_address")


def _parameter(name: str, annotation: Any, default: Any = None) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _text(name: str, told: str, *, needed: bool = False) -> Parameter:
    """Return an option that takes a text."""
    if needed:
        return _parameter(name, Annotated[str, typer.Option(help=told)], Parameter.empty)
    return _parameter(name, Annotated[str | None, typer.Option(help=told)])


def _texts(name: str, told: str) -> Parameter:
    """Return an option that may stand several times."""
    return _parameter(name, Annotated[list[str] | None, typer.Option(help=f"{told}; may stand several times.")])


_NUMBER: Final = _parameter(
    "number",
    Annotated[str, typer.Argument(help="The organisation number, 12 digits.", metavar="NUMBER")],
    Parameter.empty,
)
_CONFIG: Final = _parameter("config", Config, Parameter.empty)
_CERTIFICATE: Final = _parameter(
    "certificate",
    Annotated[
        Path | None,
        typer.Option(help="PEM file: its certificate, which must name the same organisation."),
    ],
)
_CLOSED: Final = _parameter("closed", Annotated[bool, typer.Option("--all", help="With those that are closed.")], False)
_AS: Final = _parameter("as_name", As)
_JSON: Final = _parameter("json", Json, False)


@dataclass(frozen=True)
class Shape:
    """What the commands of one kind of party have of their own.

    Args:
        kind: the party.
        what: what the group of commands says of it.
        add: what the command says; so do the three that follow.
        change: see ``add``.
        list: see ``add``.
        close: see ``add``.
        adding: the options of ``add``, beside those that all have.
        changing: the options of ``change``, likewise.
        make: makes the party of ``add`` from its number, its name and those options.
        changes: makes, from the number and what was given to ``change``, what the administration is to change; None
            where nothing was given.
        columns: what ``list`` shows for people: fields by their titles.
    """

    kind: type[Any]
    what: str
    add: str
    change: str
    list: str
    close: str
    adding: tuple[Parameter, ...]
    changing: tuple[Parameter, ...]
    make: Callable[..., Any]
    changes: Callable[..., Callable[[Any], Mapping[str, Any]] | None]
    columns: Mapping[str, str]


def party_app(shape: Shape) -> typer.Typer:
    """Return the commands add, change, list and close of a kind of party."""
    app = typer.Typer(no_args_is_help=True, help=shape.what)
    kind = shape.kind

    def add(
        number: str, config: Path, name: str, certificate: Path | None, as_name: str | None, json: bool, **own: Any
    ) -> None:
        with administration(config, as_name) as admin:
            entry = admin.add(shape.make(number, name, **own), _certificate(certificate))
        _told(entry, "connected", json)

    def change(
        number: str, config: Path, certificate: Path | None, as_name: str | None, json: bool, **own: Any
    ) -> None:
        changes = shape.changes(number, **own)
        if changes is None and certificate is None:
            fail("Say what to change: see --help.", 2)
        with administration(config, as_name) as admin:
            entry = admin.change(kind, number, changes or _nothing, _certificate(certificate))
        _told(entry, "as it should be", json)

    def list_(config: Path, closed: bool, json: bool) -> None:
        with administration(config, None) as admin:
            documents = [one.document() for one in admin.entries(kind, closed=closed)]
        if json:
            print_json(documents)
            return
        shown = {**shape.columns, "Certificate (SHA-256)": "certificate", **({"Closed": "closed"} if closed else {})}
        rows = [[as_cell(document[field]) for field in shown.values()] for document in documents]
        print_table(f"{len(documents)} {KINDS[kind]}s", tuple(shown), rows)

    def close(number: str, config: Path, as_name: str | None, json: bool) -> None:
        with administration(config, as_name) as admin:
            entry = admin.close(kind, number)
        _told(entry, "closed", json)

    name, new_name = _text("name", "Its name.", needed=True), _text("name", "Its new name.")
    _offer(app, "add", shape.add, add, _NUMBER, _CONFIG, name, *shape.adding, _CERTIFICATE, _AS, _JSON)
    _offer(app, "change", shape.change, change, _NUMBER, _CONFIG, new_name, *shape.changing, _CERTIFICATE, _AS, _JSON)
    _offer(app, "list", shape.list, list_, _CONFIG, _CLOSED, _JSON)
    _offer(app, "close", shape.close, close, _NUMBER, _CONFIG, _AS, _JSON)
    return app


def _offer(app: typer.Typer, name: str, told: str, run: Callable[..., None], *parameters: Parameter) -> None:
    """Add a command whose options are given as data."""

    def command(**given: Any) -> None:
        run(**given)

    # Typer reads a command's options from its signature.
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    app.command(name, help=told)(command)


def as_cell(value: Any) -> str | None:
    """Return a value of a party's document as people read it."""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _changed_texts(number: str, **values: str | None) -> Callable[[Any], Mapping[str, Any]] | None:
    """Return the values that were given; an empty one stands for none, where none is possible."""
    given = {name: value for name, value in values.items() if value is not None}
    changes = {name: value or (value if name in _NEEDED else None) for name, value in given.items()}
    return (lambda before: changes) if changes else None


def _nothing(before: Any) -> Mapping[str, Any]:
    return {}


def _changed_dispatcher(
    number: str,
    name: str | None,
    sender: list[str] | None,
    add_sender: list[str] | None,
    remove_sender: list[str] | None,
) -> Callable[[Dispatcher], Mapping[str, Any]] | None:
    if sender and (add_sender or remove_sender):
        fail("Give either the whole list with --sender, or changes with --add-sender and --remove-sender.", 2)
    if not (name is not None or sender or add_sender or remove_sender):
        return None

    def changes(before: Dispatcher) -> Mapping[str, Any]:
        senders = set(sender or before.senders)
        unknown = set(remove_sender or ()) - senders
        if unknown:
            fail(f"The dispatcher {number} is not listed for {', '.join(sorted(unknown))}.")
        listed = _sorted((senders | set(add_sender or ())) - set(remove_sender or ()))
        return {**({} if name is None else {"name": name}), "senders": listed}

    return changes


def _new_sender(number: str, name: str, attention: str | None) -> Sender:
    return Sender(number, name, attention or None)


def _new_dispatcher(number: str, name: str, sender: list[str] | None) -> Dispatcher:
    return Dispatcher(number, name, _sorted(sender or ()))


def _new_operator(
    number: str, name: str, service_address: str, internal_address: str | None, ui_address: str | None, logo: str | None
) -> Operator:
    internal = internal_address or service_address
    return Operator(number, name, service_address, internal, ui_address or None, logo or None)


def _told(entry: Entry[Any], state: str, json: bool) -> None:
    if json:
        print_json(entry.document())
        return
    party: AnyParty = entry.party
    typer.echo(f"The {KINDS[type(party)]} {party.number}, {party.name}, is {state}.")
    if entry.certificate:
        typer.echo(f"Its certificate has the SHA-256 fingerprint {entry.certificate}.")


def _sorted(numbers: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(numbers)))


def _certificate(path: Path | None) -> x509.Certificate | None:
    return read_certificates(path)[0] if path else None


_ATTENTION: Final = _text("attention", "The part of the organisation; empty for none.")
_SENDERS: Final = _texts("sender", "A sender that it may sign for")

SHAPES: Final = (
    Shape(
        Sender,
        "Those who may send.",
        "Connect a sender, or one that was closed anew.",
        "Change a sender; what is not given stays.",
        "List the senders.",
        "Disconnect a sender: it is taken off the lists of all dispatchers. Its history stays.",
        (_ATTENTION,),
        (_ATTENTION,),
        _new_sender,
        _changed_texts,
        {"Number": "number", "Name": "name", "Attention": "attention"},
    ),
    Shape(
        Dispatcher,
        "Those who may hand over messages, and for whom.",
        "Approve a dispatcher, or one that was closed anew. One that sends for itself lists its own number too.",
        "Change a dispatcher; what is not given stays. --sender replaces the whole list.",
        "List the dispatchers and the senders for which each may sign.",
        "Disconnect a dispatcher: it may sign for nobody any more. Its history stays.",
        (_SENDERS,),
        (_SENDERS, _texts("add_sender", "One more sender"), _texts("remove_sender", "One less")),
        _new_dispatcher,
        _changed_dispatcher,
        {"Number": "number", "Name": "name", "Signs for": "senders"},
    ),
    Shape(
        Operator,
        "The mailbox operators.",
        "Connect a mailbox operator, or one that was closed anew.",
        "Change a mailbox operator; what is not given stays.",
        "List the mailbox operators.",
        "Disconnect a mailbox operator. It must have no accounts left. Its history stays.",
        (
            _text("service_address", "The URL of its Service endpoint.", needed=True),
            _text("internal_address", "Its URL inside the infrastructure; the same unless given."),
            _text("ui_address", "The URL of its web pages."),
            _text("logo", "The URL of its logo."),
        ),
        (
            _text("service_address", "The URL of its Service endpoint."),
            _text("internal_address", "Its URL inside the infrastructure."),
            _text("ui_address", "The URL of its web pages; empty for none."),
            _text("logo", "The URL of its logo; empty for none."),
        ),
        _new_operator,
        _changed_texts,
        {"Number": "number", "Name": "name", "Service": "service_address"},
    ),
)
"""The kinds of parties, in the order in which they are shown."""
