"""Forwarding a delivery to another recipient, at whichever operator that one has.

The sealed delivery goes out as it was signed and sealed: the bytes of both signatures stay. Source: contract, services,
deliverForward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape

import pybase64
from lxml import etree

from mm_soap.dsig import VerifiedSeal
from mm_soap.dsig.cut import cut
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Forwarding
from mm_soap.soap import SoapClient
from mm_soap.soap.envelope import payload_of
from mm_soap.xml import MESSAGE_V1, SENDER, SERVICE_V1, SERVICE_V3, parse_untrusted, qname, text_of

_DELIVER_SECURE: Final = qname(SERVICE_V3, "deliverSecure")
_RESPONSE: Final = qname(SERVICE_V3, "deliverForwardResponse")

VerifySeal = Callable[[bytes, etree._Element], VerifiedSeal]
"""Verifies the sealed delivery in a request: the request's bytes, and the element in their tree."""


def forward_request(original: bytes, words: Forwarding, verify: VerifySeal) -> bytes:
    """Return Service.deliverForward of a delivery that came.

    Args:
        original: the deliverSecure request that brought it, as it came.
        words: who forwards what to whom, and with which words.
        verify: verifies the delivery once more, and so finds the form in which it was sealed.

    Raises:
        Refused: the delivery does not verify any more, such as when a certificate has expired since.
    """
    payload = payload_of(parse_untrusted(original))
    if payload.tag != _DELIVER_SECURE or len(payload) != 1:
        raise Refused(Refusal.NOT_FOUND, "SealedDelivery")
    document = verify(original, payload[0]).document
    sealed = cut(document, parse_untrusted(document))
    prefix = b"f"
    while sealed.mentions(prefix.decode()):
        prefix += b"f"
    attributes = b"".join(b" %s=%s" % pair for pair in sealed.attributes)
    original_delivery = b"<%s:OrginalDelivery%s>%s</%s:OrginalDelivery>" % (prefix, attributes, sealed.content, prefix)
    named = f"<MessageIdToForward>{escape(words.message_id)}</MessageIdToForward>" if words.message_id else ""
    return b"".join(
        (
            f'<deliverForward xmlns="{SERVICE_V3}" xmlns:{prefix.decode()}="{SERVICE_V3}"><forwardMessage>'.encode(),
            _head(words).encode(),
            original_delivery,
            named.encode(),
            b"</forwardMessage></deliverForward>",
        )
    )


def deliver_forward(client: SoapClient, request: bytes, recipient: str) -> bool:
    """Send a request to a recipient's operator and return whether the recipient got it.

    The same request again is answered as the first time, so after a lost answer it may be sent again.

    Raises:
        RemoteFault, TransportError: the operator refused, or did not answer.
    """
    try:
        answer = client.call(request, expected=_RESPONSE)
    finally:
        client.close()
    for status in answer.iter(qname(SERVICE_V1, "Status")):
        if text_of(status.find(qname(SERVICE_V1, "RecipientId"))).strip() == recipient:
            return text_of(status.find(qname(SERVICE_V1, "Delivered"))).strip() in ("true", "1")
    return False


def _head(words: Forwarding) -> str:
    recipients = "".join(f"<m:Recipient>{escape(one)}</m:Recipient>" for one in words.recipients)
    return (
        f'<Header xmlns:m="{MESSAGE_V1}" xmlns:s="{SENDER}"><m:Sender><s:Id>{escape(words.sender.id)}</s:Id>'
        f"<s:Name>{escape(words.sender.name)}</s:Name></m:Sender>{recipients}</Header>"
        f'<Message xmlns:m="{MESSAGE_V1}"><m:Subject>{escape(words.subject)}</m:Subject>'
        f"<m:Body><m:ContentType>{escape(words.content_type)}</m:ContentType>"
        f"<m:Body>{pybase64.b64encode_as_string(words.body)}</m:Body></m:Body></Message>"
    )
