"""The commands of mm-soap mailbox and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

mailbox_app = typer.Typer(no_args_is_help=True, help="The mailboxes of the operators in the settings.")

Config = Annotated[Path, typer.Option("--config", help="The settings file, mm-soap.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Recipient = Annotated[str, typer.Argument(help="The recipient's identifier, 12 digits.")]
Operator = Annotated[
    str | None, typer.Option(help="The operator's organisation number; needed where the settings have several.")
]


@mailbox_app.command("list")
def mailbox_list(recipient: Recipient, config: Config, json: Json = False) -> None:
    """List the messages in a recipient's mailbox, newest first."""
    from mm_soap.cli import mailboxes

    mailboxes.list_messages(config, recipient, json)


@mailbox_app.command("show")
def mailbox_show(
    recipient: Recipient,
    message_id: Annotated[str, typer.Argument(help="The message's id, as list prints it with --json.")],
    config: Config,
    save: Annotated[Path | None, typer.Option(help="A folder to write the attachments into.")] = None,
    json: Json = False,
) -> None:
    """Show a message, and save its attachments. It stays unread."""
    from mm_soap.cli import mailboxes

    mailboxes.show_message(config, recipient, message_id, save, json)


@mailbox_app.command("export")
def mailbox_export(
    recipient: Recipient,
    file: Annotated[Path, typer.Argument(help="The ZIP file to write. It must not be there yet.")],
    config: Config,
) -> None:
    """Write everything in a mailbox into a ZIP file: messages, attachments, and a page that lists them."""
    from mm_soap.cli import mailboxes

    mailboxes.export(config, recipient, file)


@mailbox_app.command("open")
def mailbox_open(
    recipients: Annotated[list[str], typer.Argument(help="The recipients' identifiers, 12 digits each.")],
    config: Config,
    operator: Operator = None,
) -> None:
    """Open mailboxes at an operator. The register is not told: that is what register is for."""
    from mm_soap.cli import mailboxes

    mailboxes.open_mailboxes(config, recipients, operator)


@mailbox_app.command("close")
def mailbox_close(recipient: Recipient, config: Config) -> None:
    """Close a mailbox. Nothing comes to it any more; [operator.retention] says when it is deleted."""
    from mm_soap.cli import mailboxes

    mailboxes.close_mailbox(config, recipient)


@mailbox_app.command("contact")
def mailbox_contact(
    recipient: Recipient,
    config: Config,
    email: Annotated[str | None, typer.Option(help="The recipient's own e-mail address; empty for none.")] = None,
    mobile: Annotated[str | None, typer.Option(help="The recipient's mobile number; empty for none.")] = None,
    language: Annotated[str | None, typer.Option(help="sv or en.")] = None,
    want: Annotated[
        list[str] | None, typer.Option(help="EMail, SMS or none: which notifications; may stand several times.")
    ] = None,
    frequency: Annotated[
        str | None, typer.Option(help="each or daily: how often secure post is told of, on each channel.")
    ] = None,
    try_again: Annotated[
        list[str] | None, typer.Option(help="EMail or SMS: the address works after all; may stand several times.")
    ] = None,
    json: Json = False,
) -> None:
    """Set where a recipient's notifications are sent on to, and show it. What is not named stays."""
    from mm_soap.cli import contacting

    changes = contacting.Changes(email, mobile, language, want, frequency, try_again)
    contacting.contact(config, recipient, changes, json)


@mailbox_app.command("bounce")
def mailbox_bounce(config: Config, json: Json = False) -> None:
    """Read an e-mail that came back from standard input, and count it against its address.

    For a mail server that pipes what comes to the operator's address into it. It ends with 0, also where the e-mail is
    no report of a failed delivery or of none that was sent from here, and with 75 where it is to be tried again.
    """
    from mm_soap.cli import contacting

    contacting.bounce(config, json)
