"""mm-soap mailbox: what the operators in the settings have stored, and whom they serve."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mm_soap.bootstrap import mailbox_services
from mm_soap.cli.cases import case_document, case_rows
from mm_soap.cli.output import console, fail, plain, print_json, print_table
from mm_soap.config import load
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.message import safe_filename
from mm_soap.message.identifiers import is_identifier
from mm_soap.service_supplier import Contact, Inbox, MailboxService, StoredAttachment, StoredMessage, export_mailbox

_NO_MAILBOX: Final = "No operator in the settings has a mailbox for this recipient."
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOBILE: Final = re.compile(r"\+?[0-9]{5,15}")
_KINDS: Final = frozenset({"EMail", "SMS"})

Changes = tuple[str | None, str | None, str | None, list[str] | None]
"""E-mail address, mobile number, language and wanted kinds; None for what stays."""


def list_messages(config: Path, recipient: str, as_json: bool) -> None:
    """Print the messages in a recipient's mailbox, at whichever operator in the settings has it."""
    service = _service_of(config, recipient)
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
    service = _service_of(config, recipient)
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
    _service_of(config, recipient).close_mailbox(recipient)
    console().print("Closed.")


def contact(config: Path, recipient: str, changes: Changes, as_json: bool) -> None:
    """Change a recipient's contact settings, and print them."""
    service = _service_of(config, recipient)
    before = service.contact_of(recipient)
    after = _changed(before, changes)
    if after != before:
        service.set_contact(recipient, after)
    shown = {**asdict(after), "wanted": sorted(after.wanted)}
    if as_json:
        print_json(shown)
    else:
        print_table("Contact", ("", ""), [(key, ", ".join(value) if key == "wanted" else value or "none")
                                          for key, value in shown.items()])  # fmt: skip


def export(config: Path, recipient: str, file: Path) -> None:
    """Write a mailbox into a ZIP file that its owner alone can read; what could not be finished is removed."""
    service = _service_of(config, recipient)
    pieces = export_mailbox(Inbox(service.database, service.contents), recipient)
    try:
        opened = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already: name another file.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None
    try:
        with opened:
            opened.writelines(pieces)
    except BaseException as failure:
        file.unlink(missing_ok=True)
        if isinstance(failure, OSError):
            raise ConfigurationError(f"{file} cannot be written: {failure.strerror}.") from None
        raise
    console().print(plain(f"Written: {file}"))


def _changed(before: Contact, changes: Changes) -> Contact:
    email, mobile, language, wanted = changes
    if email and (len(email) > 256 or not _EMAIL.fullmatch(email)):
        raise ConfigurationError("--email must be an e-mail address of at most 256 characters.")
    digits = re.sub(r"[ -]", "", mobile) if mobile else mobile
    if digits and not _MOBILE.fullmatch(digits):
        raise ConfigurationError("--mobile must be a number of 5 to 15 digits; a plus may stand before it.")
    if language is not None and language not in ("sv", "en"):
        raise ConfigurationError("--language must be sv or en.")
    kinds = None if wanted is None else frozenset(wanted) - {"none"}
    if kinds is not None and not kinds <= _KINDS:
        raise ConfigurationError("--want must be EMail, SMS or none.")
    return replace(
        before,
        email=before.email if email is None else email or None,
        mobile=before.mobile if digits is None else digits or None,
        language=language or before.language,
        wanted=before.wanted if kinds is None else kinds,
    )


def _service_of(config: Path, recipient: str) -> MailboxService:
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
