"""Requests of class 1 and forwarded deliveries, of which the form of the answer is judged."""

from __future__ import annotations

from typing import Final
from uuid import uuid4
from xml.sax.saxutils import escape

from mm_soap.conformance.carrying import Answer
from mm_soap.conformance.signed import FAULT
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, SCHEMA, SENDER, SOAP_ENVELOPE, qname

NOTIFICATION: Final = f"{SCHEMA}/Notification/v3"
_SOAP_FAULT: Final = qname(SOAP_ENVELOPE, "Fault")
_TEXT: Final = (
    f'<ContentType xmlns="{MESSAGE_V1}">text/plain</ContentType>'
    f'<Body xmlns="{MESSAGE_V1}">RGV0dGEgw6RyIGV0dCBwcm92Lg==</Body>'
)


def header(sender: str, name: str, *recipients: str) -> str:
    """Return the children of a DeliveryHeader."""
    to = "".join(f'<Recipient xmlns="{MESSAGE_V1}">{escape(one)}</Recipient>' for one in recipients)
    return (
        f'<Sender xmlns="{MESSAGE_V1}"><Id xmlns="{SENDER}">{escape(sender)}</Id>'
        f'<Name xmlns="{SENDER}">{escape(name)}</Name></Sender>{to}'
    )


def notification(sender: str, name: str, *recipients: str) -> str:
    """Return the children of a NotificationDelivery."""
    return (
        f'<Header xmlns="{NOTIFICATION}">{header(sender, name, *recipients)}</Header>'
        f'<Message xmlns="{NOTIFICATION}"><header><Id xmlns="{MESSAGE_V3}">{uuid4()}</Id>'
        f'<Subject xmlns="{MESSAGE_V3}">Prov</Subject><Supportinfo xmlns="{MESSAGE_V3}"><Text>Prov</Text></Supportinfo>'
        f'<Language xmlns="{MESSAGE_V3}">svSE</Language></header><body>{_TEXT}</body></Message>'
    )


def forwarded(person: str, name: str, recipient: str) -> str:
    """Return the header and the message of a ForwardDelivery, in a namespace that is declared around them."""
    return (
        f"<Header>{header(person, name, recipient)}</Header>"
        f'<Message><Subject xmlns="{MESSAGE_V1}">Prov</Subject><Body xmlns="{MESSAGE_V1}">{_TEXT}</Body></Message>'
    )


def answer_or_fault(answer: Answer, expected: str) -> None:
    """Check the form of an answer, or of a fault that is the caller's to mend: some parties lack the operation.

    Raises:
        Broken: it has neither form.
    """
    if answer.payload().tag == _SOAP_FAULT:
        answer.refusal(FAULT)
    else:
        answer.result(expected)
