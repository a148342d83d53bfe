"""mm-soap send and mm-soap status: the sender's side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mm_soap.bootstrap import databases
from mm_soap.bootstrap_revocation import server_status
from mm_soap.bootstrap_transport import tls_of
from mm_soap.cli.output import REFUSED, fail, print_json, print_table, progress_console
from mm_soap.clock import system_clock
from mm_soap.config import SenderSettings, Settings, load
from mm_soap.dispatcher import WayTaken, standing_of, ways_taken
from mm_soap.dsig import sign_delivery
from mm_soap.errors import ConfigurationError, Refusal, RemoteFault
from mm_soap.message import (
    NOT_SENSITIVE,
    Limits,
    Message,
    Party,
    SecureDelivery,
    SupportInfo,
    build_delivery,
    check_delivery,
    content_type_for,
    new_message,
)
from mm_soap.pki import Identity
from mm_soap.sender import DistributionStatus, SenderClient
from mm_soap.storage import reading


@dataclass(frozen=True)
class Letter:
    """What the command line says of a message."""

    sender: str
    recipient: str
    subject: str
    body: Path
    attachments: tuple[Path, ...]
    sensitive: bool = True


def send(config: Path, letter: Letter, wait: float | None, as_json: bool) -> None:
    """Sign and send one message; with ``wait``, follow it for that many seconds."""
    settings = load(config)
    sender = sender_of(settings, letter.sender)
    message = text_message(letter.subject, letter.body, letter.attachments, sensitive=letter.sensitive)
    delivery = SecureDelivery(Party(sender.organisation, sender.name), letter.recipient, (message,))
    check_delivery(delivery, Limits(settings.rules.max_message_bytes, settings.rules.check_digits))
    document = sign_delivery(build_delivery(delivery), Identity.load(sender.certificate, sender.key))
    client = client_of(settings, sender)
    distribution_id = client.distribute(document)
    result: dict[str, object] = {"distribution_id": distribution_id, "message_id": message.id}
    if wait is None:
        _print("Sent", result, as_json)
        return
    status = _follow(client, sender.organisation, distribution_id, wait)
    _print("Sent", result | _told(status), as_json)
    if status.delivery_status != "Delivered":
        raise SystemExit(REFUSED)


def status(config: Path, distribution_id: str, sender: str | None, as_json: bool) -> None:
    """Print how far a message came."""
    settings = load(config)
    senders = [sender_of(settings, sender)] if sender else list(settings.sender)
    if not senders:
        raise ConfigurationError(f"{config} names no [[sender]]: add one, with its certificate and key.")
    for one in senders:
        try:
            found = client_of(settings, one).status(one.organisation, distribution_id)
        except RemoteFault as fault:
            if fault.code != Refusal.NOT_FOUND.code:
                raise
            if _notification_status(settings, one, distribution_id, as_json):
                return
            continue
        told = {"distribution_id": distribution_id, "sender": one.organisation, **_told(found)}
        if not found.ended and not one.dispatcher_url:
            told |= _waits(settings, distribution_id)
        _print_ways(told, _ways(settings, one, distribution_id), as_json)
        return
    fail("No sender in the settings has a message with this id: check the id, or give --sender.")


def _notification_status(settings: Settings, sender: SenderSettings, distribution_id: str, as_json: bool) -> bool:
    from mm_soap.cli import notifying

    try:
        found = notifying.client_of(settings, sender).status(sender.organisation, distribution_id)
    except RemoteFault as fault:
        if fault.code != Refusal.NOT_FOUND.code:
            raise
        return False
    result: dict[str, object] = {"distribution_id": distribution_id, "sender": sender.organisation}
    shown = result if as_json or found is not None else {**result, "type": "not processed yet"}
    notifying.show("Status", shown, found, as_json)
    return True


def _ways(settings: Settings, sender: SenderSettings, distribution_id: str) -> Sequence[WayTaken]:
    """Return the channels that a message took besides the mailbox, where its dispatcher is in the settings."""
    if settings.dispatcher is None or sender.dispatcher_url not in ("", settings.base_url):
        return ()
    with reading(databases(settings)["dispatcher"]) as connection:
        return ways_taken(connection, sender.organisation, distribution_id)


def _print_ways(result: dict[str, object], ways: Sequence[WayTaken], as_json: bool) -> None:
    rows = [
        {
            "channel": way.channel.value,
            "step": way.step.value,
            "since": way.begun.isoformat(),
            "attempts": way.tries,
            "reason": way.reason,
        }
        for way in ways
    ]
    if as_json:
        print_json({**result, "channels": rows} if rows else result)
        return
    _print("Status", result, as_json)
    if rows:
        heads = ("channel", "step", "since", "attempts", "reason")
        shown = [{**row, "since": _moment(row["since"]), "step": str(row["step"]).replace("_", " ")} for row in rows]
        print_table("Channels", heads, [tuple(row[head] for head in heads) for row in shown])


def _told(status: DistributionStatus) -> dict[str, object]:
    return {"type": status.type, "delivery_status": status.delivery_status}


def _waits(settings: Settings, distribution_id: str) -> dict[str, object]:
    """Return why a delivery waits, and until when, where the dispatcher is of this installation."""
    if settings.dispatcher is None:
        return {}
    with reading(databases(settings)["dispatcher"]) as connection:
        standing = standing_of(connection, distribution_id)
    if standing is None or not standing.waits:
        return {}
    reason, again = standing.told(system_clock())
    return {"waits": reason, "next_attempt": again.isoformat() if again else None}


def _print(title: str, result: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    shown = {key: value for key, value in result.items() if value is not None}
    if result.get("type", "") is None:
        shown["type"] = "not unpacked yet"
    if "next_attempt" in shown:
        shown["next_step"] = _moment(shown.pop("next_attempt"))
    print_table(title, ("", ""), [(key.replace("_", " "), value) for key, value in shown.items()])


def _moment(iso: object) -> str:
    """Return a time as people read it, in this machine's time zone."""
    return f"{datetime.fromisoformat(str(iso)).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def sender_of(settings: Settings, organisation: str) -> SenderSettings:
    """Return a sender of the settings.

    Raises:
        ConfigurationError: there is none of this number.
    """
    for one in settings.sender:
        if one.organisation == organisation:
            return one
    raise ConfigurationError("The settings have no [[sender]] of this number: add it, with its certificate and key.")


def client_of(settings: Settings, sender: SenderSettings) -> SenderClient:
    """Return what calls a sender's dispatcher."""
    url = sender.dispatcher_url or settings.base_url
    server = server_status(settings, system_clock)
    return SenderClient(f"{url}/Message/v3", tls=tls_of(settings, sender, url), server=server)


def _follow(client: SenderClient, sender: str, distribution_id: str, seconds: float) -> DistributionStatus:
    deadline = time.monotonic() + seconds
    pause = 0.05
    with progress_console().status("Waiting for the delivery …"):
        while True:
            found = client.status(sender, distribution_id)
            if found.ended or time.monotonic() >= deadline:
                return found
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)


def text_message(subject: str, file: Path, attachments: Sequence[Path], *, sensitive: bool = True) -> Message:
    """Return a message from files.

    Args:
        subject: its subject.
        file: the text, in UTF-8; HTML by its extension.
        attachments: the files to attach.
        sensitive: whether it may go no other way than to the mailbox and on paper.

    Raises:
        ConfigurationError: a file cannot be read, is no text, or cannot be attached.
    """
    try:
        body = _read(file).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} must be text in UTF-8: convert it.") from None
    html = file.suffix.lower() in (".html", ".htm")
    return new_message(
        subject,
        text=None if html else body,
        html=body if html else None,
        attachments=[(path.name, _content_type(path), _read(path)) for path in attachments],
        support=SupportInfo(text="Kontakta avsändaren vid frågor."),
        metadata=() if sensitive else (NOT_SENSITIVE,),
    )


def _content_type(path: Path) -> str:
    found = content_type_for(path.name)
    if found is None:
        raise ConfigurationError(f"{path.name} cannot be attached: use .pdf, .doc, .docx, .dotx or .ics.")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
