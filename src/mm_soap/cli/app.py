"""The commands of mm-soap and their options. What they do stands in the modules beside this one.

Each command loads its module when it runs: all of them together take a second to load.
"""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer
from setproctitle import setproctitle

from mm_soap.cli.conform import conform_app
from mm_soap.cli.evidence import evidence_app
from mm_soap.cli.far import far_app
from mm_soap.cli.mailbox import mailbox_app
from mm_soap.cli.output import WRONG_USE, fail
from mm_soap.cli.testbed import testbed_app
from mm_soap.errors import ConfigurationError, MmSoapError, Refused, RemoteFault, TransportError
from mm_soap.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Secure digital post over SOAP: address register, dispatcher and mailbox operator.",
)
app.add_typer(mailbox_app, name="mailbox")
app.add_typer(evidence_app, name="evidence")
app.add_typer(far_app, name="far")
app.add_typer(conform_app, name="conform")
app.add_typer(testbed_app, name="testbed")

Config = Annotated[Path, typer.Option("--config", help="The settings file, mm-soap.toml.")]
_DATES = ["%Y-%m-%d"]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="A folder to make: settings, data and certificates.")],
    demo: Annotated[bool, typer.Option("--demo", help="With demonstration organisations and a test CA.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="The parties speak TLS, with certificates on both sides.")] = False,
    json: Json = False,
) -> None:
    """Make the settings, databases and test certificates of a demonstration."""
    if not demo:
        fail("Add --demo: a production installation is set up by hand, see docs/how-to/run-one-party.md.", WRONG_USE)
    from mm_soap.cli import setting_up

    setting_up.init(directory, tls, json)


@app.command()
def serve(
    config: Annotated[
        Path | None,
        typer.Option(help="The settings file, mm-soap.toml. A test bed makes its own in mm-soap-testbed without it."),
    ] = None,
    party: Annotated[
        list[str] | None,
        typer.Option(help="far, dispatcher, operator or operator:NUMBER; may stand several times. All without it."),
    ] = None,
    testbed: Annotated[
        bool, typer.Option("--testbed", help="As a test bed: anybody may send, and /testbed shows what arrived.")
    ] = False,
) -> None:
    """Serve until stopped. Prints "ready URL" once calls are accepted."""
    from mm_soap.cli import serving

    serving.serve(config, party or [], testbed)


@app.command()
def worker(config: Config) -> None:
    """Make deliveries until stopped, as one of any number of workers. Prints "ready" once it works."""
    from mm_soap.cli import serving

    serving.work(config)


@app.command()
def send(
    config: Config,
    sender: Annotated[str, typer.Option(help="The sender's organisation number, 12 digits.")],
    recipient: Annotated[str | None, typer.Option(help="The recipient's identifier, 12 digits.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="At most 255 characters; with --batch, for rows without one.")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="A file with the text: .txt, or .html; with --batch, for rows without one.")
    ] = None,
    attach: Annotated[list[Path] | None, typer.Option(help="A file to attach; may stand several times.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is delivered or has failed.")] = False,
    timeout: Annotated[float, typer.Option(help="How long to wait, in seconds.")] = 60.0,
    not_sensitive: Annotated[
        bool, typer.Option("--not-sensitive", help="Mark it as fit for e-mail and SMS, if it cannot go to a mailbox.")
    ] = False,
    batch: Annotated[
        Path | None, typer.Option(help="Send each row of a .csv or .jsonl file, or of a folder with an index.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="With --batch: the report to write; beside the file without it.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="With --batch: what was done is kept here; beside the file without it.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=64, help="With --batch: messages sent at once.")] = 4,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="With --batch: also those without a mailbox, for another channel.")
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="With --batch: leave rows out that cannot be sent, and send the rest.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --batch: check and ask, send nothing.")] = False,
    json: Json = False,
) -> None:
    """Sign a message and hand it to the dispatcher; or, with --batch, a message for each row of a file."""
    if batch is not None:
        if recipient or attach or wait:
            fail("Leave out --recipient, --attach and --wait: with --batch the rows say it all.", WRONG_USE)
        from mm_soap.cli import batch as batches

        how = batches.How(report, journal, connections, everyone, leave_out, dry_run, timeout)
        batches.send_batch(config, sender, batch, batches.Defaults(subject or "", body), how, json)
        return
    if recipient is None or subject is None or body is None:
        fail("Give --recipient, --subject and --body, or --batch FILE.", WRONG_USE)
    from mm_soap.cli import sending

    letter = sending.Letter(sender, recipient, subject, body, tuple(attach or ()), not not_sensitive)
    sending.send(config, letter, timeout if wait else None, json)


@app.command()
def notify(
    config: Config,
    sender: Annotated[str, typer.Option(help="The sender's organisation number, 12 digits.")],
    recipient: Annotated[list[str], typer.Option(help="A recipient's identifier; 1 to 1000 times.")],
    subject: Annotated[str, typer.Option(help="At most 255 characters; 254 with an e-mail.")],
    body: Annotated[Path, typer.Option(help="A file with the text for the mailbox: .txt, or .html.")],
    email_from: Annotated[str | None, typer.Option(help="The address that the e-mail comes from.")] = None,
    email: Annotated[str | None, typer.Option(help="The text of the e-mail; nothing sensitive.")] = None,
    sms: Annotated[
        str | None, typer.Option(help="The text message: at most 160 characters, nothing sensitive.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has come to its end for everybody.")] = False,
    timeout: Annotated[float, typer.Option(help="How long to wait, in seconds.")] = 60.0,
    json: Json = False,
) -> None:
    """Hand a notification, of class 1, to the dispatcher. It is not signed, and has no attachments."""
    from mm_soap.cli import notifying

    if (email_from is None) != (email is None):
        fail("Give --email-from and --email together.", WRONG_USE)
    notice = notifying.Notice(sender, tuple(recipient), subject, body, email_from, email, sms)
    notifying.notify(config, notice, timeout if wait else None, json)


@app.command()
def status(
    distribution_id: Annotated[str, typer.Argument(help="What send or notify printed.", metavar="ID")],
    config: Config,
    sender: Annotated[str | None, typer.Option(help="Whose it is; each sender in the settings without it.")] = None,
    json: Json = False,
) -> None:
    """Ask the dispatcher how far a message came."""
    from mm_soap.cli import sending

    sending.status(config, distribution_id, sender, json)


@app.command()
def trace(
    any_id: Annotated[str, typer.Argument(help="A distribution id, message id, TransId or CallId.", metavar="ID")],
    config: Config,
    json: Json = False,
) -> None:
    """Show which way a message went, step by step, as the parties in the settings wrote it down."""
    from mm_soap.cli import tracing

    tracing.trace(config, any_id, json)


@app.command()
def report(
    config: Config,
    since: Annotated[
        datetime | None, typer.Option(formats=_DATES, help="The first day, as in 2026-11-01; all without it.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DATES, help="The last day; today without it.")] = None,
    json: Json = False,
) -> None:
    """Count, for each sender of the dispatcher in the settings, which way messages went and how they ended."""
    from mm_soap.cli import reporting

    reporting.report(config, since, until, json)


@app.command()
def certificates(config: Config, json: Json = False) -> None:
    """Show when the certificates in the settings expire, and which are revoked. Status 1 if one is, or expires soon."""
    from mm_soap.cli import certificates as certificates_command

    certificates_command.certificates(config, json)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A signed or sealed delivery, alone or in its SOAP envelope.")],
    trust: Annotated[list[Path] | None, typer.Option(help="PEM file: a CA, or the signer's own certificate.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings: their authorities count where --trust names none, and revocation is looked at as they say."
        ),
    ] = None,
    allow_sha1: Annotated[bool, typer.Option("--allow-sha1", help="Accept SHA-1 in the sender's signature.")] = False,
    canonical: Annotated[
        Path | None,
        typer.Option(
            "--canonical", metavar="DIR", help="Write the bytes that are hashed into this folder, to compare."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check the signatures of a file, and say what is wrong with it, and why."""
    from mm_soap.cli import verifying

    verifying.verify(file, tuple(trust or ()), config, allow_sha1, canonical, json)


@app.command()
def demo(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Keep the demonstration in this folder; a temporary one without it.")
    ] = None,
    json: Json = False,
) -> None:
    """Start all parties, send a message with a PDF from Kommun A, and show the way it took."""
    from mm_soap.cli import demo as demo_command

    demo_command.demo(directory, json)


def main() -> None:
    """Run the command. Every error of mm-soap ends in one sentence and a status, never in a traceback."""
    _hide_arguments(sys.argv[1:])
    try:
        app()
    except ConfigurationError as error:
        _end(str(error), WRONG_USE)
    except RemoteFault as fault:
        _end(f"The call was refused with code {fault.code}: {fault.description} (CallId {fault.call_id})")
    except Refused as refused:
        _end(f"{refused.description} (code {refused.refusal.code})")
    except TransportError as error:
        _end(f"The call failed: {error}. Check the address, and whether it is served there.")
    except MmSoapError as error:
        _end(str(error))


def _hide_arguments(arguments: list[str]) -> None:
    """Leave personal numbers, subjects and file names out of what the system shows of this process to all its users."""
    words = list(takewhile(str.isalpha, arguments))
    if words[:1] not in (["serve"], ["worker"]):  # of these, whoever operates them wants to see the settings
        setproctitle(" ".join(("mm-soap", *words[:2])))


def _end(sentence: str, status: int = 1) -> None:
    try:
        fail(sentence, status)
    except typer.Exit as end:
        sys.exit(end.exit_code)
