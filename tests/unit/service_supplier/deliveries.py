"""Verified deliveries for the tests of the operator, without signatures: what verifying leaves, made by hand."""

from __future__ import annotations

from datetime import date
from typing import Any
from unittest.mock import sentinel

from mm_soap.dsig import Form, VerifiedDelivery, VerifiedSeal
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Message, Party, SecureDelivery, build_delivery, new_message
from mm_soap.pki import OrganisationCertificate

KOMMUN_A, KOMMUN_B, DISPATCHER = "162021004748", "162021003898", "165560000001"
RECIPIENT, STRANGER = "192705178354", "191212121212"


class FakeDirectory:
    """A directory in memory: the senders, and for each dispatcher whom it may sign for."""

    def __init__(self) -> None:
        self.senders = {KOMMUN_A, KOMMUN_B}
        self.dispatchers = {DISPATCHER: {KOMMUN_A, KOMMUN_B}, KOMMUN_A: {KOMMUN_A}}
        self.operator: str | None = "165599999918"
        self.away = False

    def sender_connected(self, organisation: str) -> bool:
        if self.away:
            raise Refused(Refusal.UNAVAILABLE)
        return organisation in self.senders

    def may_dispatch(self, dispatcher: str, sender: str) -> bool:
        return sender in self.dispatchers.get(dispatcher, ())

    def operator_of(self, recipient: str, sender: str) -> str | None:
        return self.operator


def a_message(subject: str = "Beslut", **more: Any) -> Message:
    return new_message(subject, text="Hej på dig.", **more)


def sealed(
    *messages: Message,
    name: str = "1",
    seal: str = "1",
    sender: str = KOMMUN_A,
    recipient: str = RECIPIENT,
    signer: str | None = None,
    sealer: str = DISPATCHER,
    signatures_ok: bool = True,
) -> VerifiedSeal:
    """A sealed delivery; ``name`` and ``seal`` stand for its signed and its sealed bytes."""
    content = SecureDelivery(Party(sender, "Kommun"), recipient, messages or (a_message(),))
    root = build_delivery(content)
    signed_by = certified(signer or sender)
    inner = VerifiedDelivery(root, f"signed {name}".encode(), signed_by, Form.AS_CAME, f"digest of {name}")
    return VerifiedSeal(
        root,
        f"sealed {name} {seal}".encode(),
        certified(sealer),
        Form.AS_CAME,
        f"digest of {name} under {seal}",
        date(2026, 3, 1),
        signatures_ok,
        inner,
    )


def certified(organisation: str) -> OrganisationCertificate:
    return OrganisationCertificate(organisation, sentinel.certificate)
