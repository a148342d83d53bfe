"""mm-soap notify: a notification of class 1, the sender's side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from mm_soap.bootstrap_revocation import server_status
from mm_soap.bootstrap_transport import tls_of
from mm_soap.cli.output import REFUSED, print_json, print_table, progress_console
from mm_soap.cli.sending import sender_of, text_message
from mm_soap.clock import system_clock
from mm_soap.config import SenderSettings, Settings, load
from mm_soap.message import (
    Email,
    Limits,
    Notification,
    Party,
    Sms,
    build_notification,
    check_notification,
)
from mm_soap.sender import NotificationClient, NotificationStatus


@dataclass(frozen=True)
class Notice:
    """What the command line says of a notification."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    body: Path
    email_from: str | None
    email_text: str | None
    sms: str | None


def notify(config: Path, notice: Notice, wait: float | None, as_json: bool) -> None:
    """Hand in a notification; with ``wait``, follow it for that many seconds."""
    settings = load(config)
    sender = sender_of(settings, notice.sender)
    email = None
    if notice.email_from and notice.email_text:
        email = Email(notice.email_from, notice.subject, notice.email_text)
    sms = Sms(sender.name[:11], notice.sms) if notice.sms else None
    message = text_message(notice.subject, notice.body, ())
    party = Party(sender.organisation, sender.name)
    notification = Notification(party, tuple(dict.fromkeys(notice.recipients)), message, email, sms)
    check_notification(notification, Limits(settings.rules.max_message_bytes, settings.rules.check_digits))
    client = client_of(settings, sender)
    distribution_id = client.distribute(etree.tostring(build_notification(notification), encoding="UTF-8"))
    result: dict[str, object] = {"distribution_id": distribution_id, "message_id": message.id}
    found = None if wait is None else _follow(client, sender.organisation, distribution_id, wait)
    show("Sent", result, found, as_json)
    if wait is not None and not (found and all(one.delivered for one in found)):
        raise SystemExit(REFUSED)


def client_of(settings: Settings, sender: SenderSettings) -> NotificationClient:
    """Return what calls Notification of a sender's dispatcher."""
    url = f"{sender.dispatcher_url or settings.base_url}/Notification/v3"
    server = server_status(settings, system_clock)
    return NotificationClient(url, tls=tls_of(settings, sender, url), server=server)


def show(title: str, result: dict[str, object], found: Sequence[NotificationStatus] | None, as_json: bool) -> None:
    """Print what became of a notification; ``found`` is None while that is not known."""
    if as_json:
        rows = [
            {"recipient": one.recipient, "delivered": one.delivered, "channels": list(one.channels)}
            for one in found or ()
        ]
        print_json({**result, "recipients": rows if found is not None else None})
        return
    print_table(title, ("", ""), [(key.replace("_", " "), value) for key, value in result.items()])
    if found is not None:
        told = [(one.recipient, "yes" if one.delivered else "no", ", ".join(one.channels)) for one in found]
        print_table("Recipients", ("Recipient", "Delivered", "Notified by"), told)


def _follow(
    client: NotificationClient, sender: str, distribution_id: str, seconds: float
) -> Sequence[NotificationStatus] | None:
    deadline = time.monotonic() + seconds
    pause = 0.05
    with progress_console().status("Waiting for the notification …"):
        while True:
            found = client.status(sender, distribution_id)
            if found is not None or time.monotonic() >= deadline:
                return found
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
