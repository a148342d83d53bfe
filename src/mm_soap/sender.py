"""The sender's side of the Message service: hand a signed delivery to a dispatcher, and ask how far it came."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from mm_soap.errors import Refusal, RemoteFault, TransportError
from mm_soap.soap import SoapClient
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, qname, text_of

_DISTRIBUTED: Final = qname(MESSAGE_V3, "distributeSecureResponse")
_STATUS: Final = qname(MESSAGE_V3, "checkDistributionStatusResponse")
_TRIES: Final = 3


@dataclass(frozen=True)
class DistributionStatus:
    """How far a delivery came, as the dispatcher says."""

    type: str | None
    """``Digital``, ``Paper`` or ``Not``; None while it is not unpacked yet."""
    delivery_status: str | None
    """``Delivered``, ``Pending`` or ``DeliveryFailed``; None unless the type is Digital."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.delivery_status in ("Delivered", "DeliveryFailed") or self.type in ("Paper", "Not")


def distribute_secure_request(document: bytes) -> bytes:
    """Return Message.distributeSecure with a signed delivery, its bytes as they are under the name they travel by.

    Source: the contract's signing rules, "The digest input".
    """
    head, _, tail = document.replace(b"SignedDelivery", b"signedDelivery", 1).rpartition(b"SignedDelivery")
    return b'<distributeSecure xmlns="%s">%ssignedDelivery%s</distributeSecure>' % (MESSAGE_V3.encode(), head, tail)


class SenderClient:
    """Calls one dispatcher. Safe for threads.

    Args:
        address: the address of the Message service, such as ``https://example.se/Message/v3``.
        timeout: how long one answer may take, in seconds.
        tls: what an https address is spoken to by, with the sender's certificate: from `mm_soap.soap.client_context`.
    """

    def __init__(self, address: str, *, timeout: float = 30.0, tls: ssl.SSLContext | None = None) -> None:
        self._client = SoapClient(address, timeout=timeout, tls=tls)

    def distribute(self, document: bytes) -> str:
        """Hand over a signed delivery; if no answer comes, the same bytes again, which get the same distribution id.

        Args:
            document: what :func:`mm_soap.dsig.sign_delivery` returned.

        Returns:
            The distribution id.

        Raises:
            RemoteFault, TransportError: it was refused, or no answer came at the last try either.
        """
        body = distribute_secure_request(document)
        for attempt in range(1, _TRIES):
            try:
                return text_of(self._client.call(body, expected=_DISTRIBUTED)[0]).strip()
            except TransportError:
                time.sleep(attempt)
        return text_of(self._client.call(body, expected=_DISTRIBUTED)[0]).strip()

    def status(self, sender: str, distribution_id: str) -> DistributionStatus:
        """Ask how far a delivery came.

        Raises:
            RemoteFault: with code 5003, if this sender has no such delivery.
            TransportError: no answer came.
        """
        body = (
            f'<checkDistributionStatus xmlns="{MESSAGE_V3}"><senderId>{escape(sender)}</senderId>'
            f"<distributionId>{escape(distribution_id)}</distributionId></checkDistributionStatus>"
        )
        try:
            answer = self._client.call(body.encode(), expected=_STATUS)
        except RemoteFault as fault:
            if fault.code == Refusal.NOT_FINISHED.code:
                return DistributionStatus(None, None)
            raise
        told = answer[0].find(qname(MESSAGE_V1, "DeliveryStatus"))
        return DistributionStatus(
            text_of(answer[0].find(qname(MESSAGE_V1, "Type"))), text_of(told) if told is not None else None
        )
