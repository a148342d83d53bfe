"""mm-soap send and mm-soap status: the sender's side."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from mm_soap.bootstrap_transport import tls_of
from mm_soap.cli.output import REFUSED, fail, print_json, print_table, progress_console
from mm_soap.config import SenderSettings, Settings, load
from mm_soap.dsig import sign_delivery
from mm_soap.errors import ConfigurationError, Refusal, RemoteFault
from mm_soap.message import (
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


@dataclass(frozen=True)
class Letter:
    """What the command line says of a message."""

    sender: str
    recipient: str
    subject: str
    body: Path
    attachments: tuple[Path, ...]


def send(config: Path, letter: Letter, wait: float | None, as_json: bool) -> None:
    """Sign and send one message; with ``wait``, follow it for that many seconds."""
    settings = load(config)
    sender = sender_of(settings, letter.sender)
    message = _message(letter)
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
            if fault.code == Refusal.NOT_FOUND.code:
                continue
            raise
        _print("Status", {"distribution_id": distribution_id, "sender": one.organisation, **_told(found)}, as_json)
        return
    fail("No sender in the settings has a message with this id: check the id, or give --sender.")


def _told(status: DistributionStatus) -> dict[str, object]:
    return {"type": status.type, "delivery_status": status.delivery_status}


def _print(title: str, result: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    shown = {key: value for key, value in result.items() if value is not None}
    if result.get("type", "") is None:
        shown["type"] = "not unpacked yet"
    print_table(title, ("", ""), [(key.replace("_", " "), value) for key, value in shown.items()])


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
    return SenderClient(f"{url}/Message/v3", tls=tls_of(settings, sender) if url.startswith("https:") else None)


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


def _message(letter: Letter) -> Message:
    try:
        body = _read(letter.body).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{letter.body} must be text in UTF-8: convert it.") from None
    html = letter.body.suffix.lower() in (".html", ".htm")
    return new_message(
        letter.subject,
        text=None if html else body,
        html=body if html else None,
        attachments=[(path.name, _content_type(path), _read(path)) for path in letter.attachments],
        support=SupportInfo(text="Kontakta avsändaren vid frågor."),
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
