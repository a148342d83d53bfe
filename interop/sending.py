"""Messages that mm-soap's own sender signs and sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from lxml import etree

from interop.suite import Suite
from mm_soap.demonstration import KOMMUN_A, DemoOrganisation
from mm_soap.dsig import sign_delivery
from mm_soap.message import Notification, Party, SecureDelivery, build_delivery, build_notification, new_message
from mm_soap.sender import DistributionStatus, NotificationClient, NotificationStatus, SenderClient
from mm_soap.testing.documents import one_page_pdf

_SECONDS = 120


class NotInTime(Exception):
    """Something that was waited for did not happen; the text says what."""


@dataclass(frozen=True)
class Sent:
    """A message that is on its way."""

    sender: DemoOrganisation
    distribution_id: str
    pdf: bytes
    """Its attachment, which no other message has."""


def send(suite: Suite, recipient: str, sender: DemoOrganisation) -> Sent:
    """Sign a message with a PDF, and hand it to the dispatcher."""
    pdf = one_page_pdf("Beslut", str(uuid4()))
    message = new_message("Beslut å & <ä>", text="Hej!\n", attachments=[("beslut.pdf", "application/pdf", pdf)])
    delivery = SecureDelivery(Party(sender.number, sender.name), recipient, (message,))
    document = sign_delivery(build_delivery(delivery), suite.identity(sender))
    return Sent(sender, SenderClient(suite.address("message")).distribute(document), pdf)


def outcome(suite: Suite, message: Sent) -> str:
    """Wait until a message has ended, and return its last status, such as ``Delivered``.

    Raises:
        NotInTime: it did not end within two minutes.
    """
    client = SenderClient(suite.address("message"))
    last: list[DistributionStatus] = []

    def ended() -> bool:
        last[:] = [client.status(message.sender.number, message.distribution_id)]
        return last[0].ended

    until(ended, "a delivery to end")
    return last[0].delivery_status or str(last[0].type)


def notify(suite: Suite, text: str, *recipients: str) -> dict[str, bool]:
    """Send a notification of class 1 and return what became of it for each recipient.

    Raises:
        NotInTime: it did not end within two minutes.
    """
    client = NotificationClient(suite.address("notification"))
    message = new_message("Ny post å & <ä>", text=text)
    document = etree.tostring(
        build_notification(Notification(Party(KOMMUN_A.number, KOMMUN_A.name), recipients, message))
    )
    distribution_id = client.distribute(document)
    found: list[NotificationStatus] = []

    def ended() -> bool:
        found[:] = client.status(KOMMUN_A.number, distribution_id) or ()
        return bool(found)

    until(ended, "a notification to end")
    return {each.recipient: each.delivered for each in found}


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is true, at most two minutes.

    Raises:
        NotInTime: it did not come true.
    """
    end = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > end:
            raise NotInTime(f"waited {_SECONDS} seconds for {what}")
        time.sleep(0.05)
