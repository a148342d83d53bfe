"""mm-soap mailbox: what the operators in the settings have stored, and whom they serve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mm_soap.bootstrap import mailbox_services
from mm_soap.cli.cases import case_document, case_rows
from mm_soap.cli.output import console, fail, new_file, plain, print_json, print_table
from mm_soap.config import load
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.message import safe_filename
from mm_soap.message.identifiers import is_identifier
from mm_soap.service_supplier import Inbox, MailboxService, StoredAttachment, StoredMessage, export_mailbox

_NO_MAILBOX: Final = "No operator in the settings has a mailbox for this recipient."


def list_messages(config: Path, recipient: str, as_json: bool) -> None:
    """Print the messages in a recipient's mailbox, at whichever operator in the settings has it."""
    service = service_of(config, recipient)
    found = service.list_messages(recipient)
    if as_json:
        print_json(
            [
                {
                    "message_id": one.message_id,
                    "subject": one.subject,
                    "sender": one.sender,
                    "received": one.received.isoformat(),
                    "kind": one.kind.value,
                }
                for one in found
            ]
        )
        return
    rows = [(_time(one.received), one.sender, one.kind.value, one.subject) for one in found]
    title = "1 message" if len(found) == 1 else f"{len(found)} messages"
    print_table(title, ("Received", "Sender", "Kind", "Subject"), rows)


def show_message(config: Path, recipient: str, message_id: str, folder: Path | None, as_json: bool) -> None:
    """Print one message, and write its attachments into a folder."""
    service = service_of(config, recipient)
    message = service.get_message(recipient, message_id)
    inbox, key = Inbox(service.database, service.contents), message.summary.key
    event = inbox.event(recipient, key)
    case = inbox.case(recipient, key) if event is not None and event.in_case else None
    saved = [] if folder is None else _save(message.attachments, folder)
    if as_json:
        print_json(_document(message, saved) | {"official_matter": case_document(event, case)})
        return
    summary = message.summary
    rows: list[tuple[object, ...]] = [
        ("from", f"{summary.sender_name} ({summary.sender})"),
        ("received", _time(summary.received)),
        ("kind", summary.kind.value),
    ]
    if message.forwarded is not None:
        rows.append(("forwarded by", message.forwarded.name))
    rows += case_rows(event, case)
    rows += [("attachment", one.filename) for one in message.attachments]
    rows += [("saved", path) for path in saved]
    print_table(summary.subject, ("", ""), rows)
    out = console()
    if message.forwarded is not None:
        out.print(plain(_text(message.forwarded.body)), "")
    out.print(plain(_text(message.body)))


def open_mailboxes(config: Path, recipients: Sequence[str], operator: str | None) -> None:
    """Open mailboxes at one operator."""
    settings = load(config)
    services = dict(zip((one.organisation for one in settings.operator), mailbox_services(settings), strict=True))
    if operator is None and len(services) != 1:
        raise ConfigurationError("Name the operator with --operator: the settings have none or several.")
    chosen = next(iter(services)) if operator is None else operator
    if chosen not in services:
        raise ConfigurationError("The settings have no [[operator]] of this number.")
    for recipient in recipients:
        if not is_identifier(recipient):
            raise ConfigurationError("A recipient is named by 12 digits: check what you gave.")
    services[chosen].open_mailboxes(recipients)
    console().print(plain(f"Open at {chosen}: {len(set(recipients))}"))


def close_mailbox(config: Path, recipient: str) -> None:
    """Close a mailbox, at whichever operator in the settings has it."""
    service_of(config, recipient).close_mailbox(recipient)
    console().print("Closed.")


def export(config: Path, recipient: str, file: Path) -> None:
    """Write a mailbox into a ZIP file that its owner alone can read; what could not be finished is removed."""
    service = service_of(config, recipient)
    pieces = export_mailbox(Inbox(service.database, service.contents), recipient)
    with new_file(file) as opened:
        opened.writelines(pieces)
    console().print(plain(f"Written: {file}"))


def service_of(config: Path, recipient: str) -> MailboxService:
    """Return the operator in the settings that has a recipient's mailbox; end with a sentence if none has."""
    settings = load(config)
    if not settings.operator:
        raise ConfigurationError(f"{config} has no [[operator]]: mailboxes are looked at where their operator runs.")
    for service in mailbox_services(settings):
        try:
            service.contact_of(recipient)
        except Refused as refused:
            if refused.refusal is not Refusal.NOT_FOUND:
                raise
        else:
            return service
    fail(_NO_MAILBOX)


def _save(attachments: Sequence[StoredAttachment], folder: Path) -> list[str]:
    """Write attachments under names that are safe on any system, and never over a file that is there."""
    saved = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in attachments:
            name = Path(safe_filename(one.filename))
            path, number = folder / name, 1
            while True:
                try:
                    with path.open("xb") as file:
                        file.write(one.body)
                    break
                except FileExistsError:
                    number += 1
                    path = folder / f"{name.stem} ({number}){name.suffix}"
            saved.append(str(path))
    except OSError as error:
        raise ConfigurationError(f"The attachments cannot be written into {folder}: {error.strerror}.") from None
    return saved


def _document(message: StoredMessage, saved: Sequence[str]) -> dict[str, Any]:
    summary, forwarded = message.summary, message.forwarded
    return {
        "message_id": summary.message_id,
        "subject": summary.subject,
        "sender": summary.sender,
        "sender_name": summary.sender_name,
        "received": summary.received.isoformat(),
        "kind": summary.kind.value,
        "trans_id": message.trans_id,
        "language": message.language,
        "content_type": message.content_type,
        "body": _text(message.body),
        "attachments": [
            {"filename": one.filename, "content_type": one.content_type, "bytes": len(one.body)}
            for one in message.attachments
        ],
        "saved": list(saved),
        "forwarded": None
        if forwarded is None
        else {
            "forwarder": forwarded.forwarder,
            "name": forwarded.name,
            "subject": forwarded.subject,
            "body": _text(forwarded.body),
        },
    }


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
