"""The sender's side of the Message and Notification services: hand in to a dispatcher, and ask how far it came."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from mm_soap.errors import Refusal, RemoteFault, TransportError
from mm_soap.soap import SoapClient
from mm_soap.soap.known_server import ServerStatus
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, NOTIFICATION_V3, qname, text_of

_DISTRIBUTED: Final = qname(MESSAGE_V3, "distributeSecureResponse")
_STATUS: Final = qname(MESSAGE_V3, "checkDistributionStatusResponse")
_NOTIFICATION_DISTRIBUTED: Final = qname(NOTIFICATION_V3, "distributeResponse")
_NOTIFICATION_STATUS: Final = qname(NOTIFICATION_V3, "checkDistributionStatusResponse")
_TRIES: Final = 3


@dataclass(frozen=True)
class DistributionStatus:
    """How far a delivery came, as the dispatcher says."""

    type: str | None
    """``Digital``, ``Paper`` or ``Not``; None while it is not unpacked yet."""
    delivery_status: str | None
    """``Delivered``, ``Pending`` or ``DeliveryFailed``; None where the dispatcher tries no delivery."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.delivery_status != "Pending" and self.type is not None


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
        server: tells of the revocation of the dispatcher's certificates; None to look at none.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
        server: ServerStatus | None = None,
    ) -> None:
        self._client = SoapClient(address, timeout=timeout, tls=tls, server=server)

    def distribute(self, document: bytes) -> str:
        """Hand over a signed delivery; if no answer comes, or a technical fault, the same bytes again.

        They get the same distribution id, should the first call have been accepted.

        Args:
            document: what :func:`mm_soap.dsig.sign_delivery` returned.

        Returns:
            The distribution id.

        Raises:
            RemoteFault, TransportError: it was refused, or no answer or a technical fault came at the last try either.
        """
        return _handed_in(self._client, distribute_secure_request(document), _DISTRIBUTED)

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


@dataclass(frozen=True)
class NotificationStatus:
    """What became of a notification for one recipient, as the dispatcher says."""

    recipient: str = field(repr=False)
    delivered: bool
    channels: tuple[str, ...]
    """``EMail`` and ``SMS``, by which the operator sent it on."""


class NotificationClient:
    """Calls Notification of one dispatcher. Safe for threads.

    Args:
        address: the address of the Notification service, such as ``https://example.se/Notification/v3``.
        timeout: how long one answer may take, in seconds.
        tls: as for `SenderClient`.
        server: as for `SenderClient`.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
        server: ServerStatus | None = None,
    ) -> None:
        self._client = SoapClient(address, timeout=timeout, tls=tls, server=server)

    def distribute(self, document: bytes) -> str:
        """Hand in a notification; without an answer, or after a technical fault, the same bytes again.

        The same bytes get the same distribution id.

        Args:
            document: the serialised element that :func:`mm_soap.message.build_notification` returned.

        Returns:
            The distribution id.

        Raises:
            RemoteFault, TransportError: it was refused, or no answer or a technical fault came at the last try either.
        """
        head, _, tail = document.replace(b"NotificationDelivery", b"notificationDelivery", 1).rpartition(
            b"NotificationDelivery"
        )
        body = b'<distribute xmlns="%s">%snotificationDelivery%s</distribute>' % (NOTIFICATION_V3.encode(), head, tail)
        return _handed_in(self._client, body, _NOTIFICATION_DISTRIBUTED)

    def status(self, sender: str, distribution_id: str) -> list[NotificationStatus] | None:
        """Ask what became of a notification.

        Returns:
            One for each recipient; None while it is still on its way to one of them.

        Raises:
            RemoteFault: with code 5003, if this sender has no such notification.
            TransportError: no answer came.
        """
        body = (
            f'<checkDistributionStatus xmlns="{NOTIFICATION_V3}"><sender>{escape(sender)}</sender>'
            f"<distributionId>{escape(distribution_id)}</distributionId></checkDistributionStatus>"
        )
        try:
            answer = self._client.call(body.encode(), expected=_NOTIFICATION_STATUS)
        except RemoteFault as fault:
            if fault.code == Refusal.NOT_FINISHED.code:
                return None
            raise
        return [
            NotificationStatus(
                text_of(row[0]),
                text_of(row[1][0]).strip() in ("true", "1"),
                tuple(text_of(each) for each in row[1].iterchildren(qname(NOTIFICATION_V3, "NotifiedByChannel"))),
            )
            for row in answer
        ]


def _handed_in(client: SoapClient, body: bytes, expected: str) -> str:
    for attempt in range(1, _TRIES):
        try:
            return text_of(client.call(body, expected=expected)[0]).strip()
        except (RemoteFault, TransportError) as error:
            if isinstance(error, RemoteFault) and not error.technical:
                raise
            time.sleep(attempt)
    return text_of(client.call(body, expected=expected)[0]).strip()
