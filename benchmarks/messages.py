"""The messages that a benchmark sends: distinct, and signed before anything is measured."""

from __future__ import annotations

import random
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from mm_soap.config import SenderSettings
from mm_soap.demonstration import RECIPIENT
from mm_soap.dsig import sign_delivery
from mm_soap.message import Party, SecureDelivery, SupportInfo, build_delivery, new_message
from mm_soap.pki import Identity


@dataclass(frozen=True)
class Signed:
    """A message that is ready to be sent."""

    message_id: str
    document: bytes
    """The SignedDelivery, with the sender's signature."""


class Writer:
    """Writes and signs messages of one sender to one recipient.

    Args:
        sender: whose name, certificate and key are used.
    """

    def __init__(self, sender: SenderSettings) -> None:
        self._sender = Party(sender.organisation, sender.name)
        self.identity = Identity.load(sender.certificate, sender.key)
        self._chance = random.Random(20)

    def write(self, size: int, recipient: str = RECIPIENT) -> Signed:
        """Return a message whose decoded body has ``size`` bytes; it has no attachment."""
        # Random letters: a repeated text would be easier on caches than what people write.
        text = b64encode(self._chance.randbytes(size))[:size].decode("ascii")
        message = new_message("Benchmark", text=text, support=SupportInfo(text="Benchmark"))
        delivery = build_delivery(SecureDelivery(self._sender, recipient, (message,)))
        return Signed(message.id, sign_delivery(delivery, self.identity))


def moment(found: str | datetime) -> float:
    """Return what a party's database holds as a moment, as seconds since 1970: a text in SQLite."""
    if isinstance(found, str):
        found = datetime.fromisoformat(found).replace(tzinfo=UTC)
    return found.timestamp()
