"""Notifications and forwarded deliveries as the kit sends them, and how the answers for many recipients are read."""

from __future__ import annotations

from typing import Final
from uuid import uuid4
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.conformance.model import Broken
from mm_soap.conformance.signed import within
from mm_soap.message import MOST_RECIPIENTS
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, NOTIFICATION_V3, SENDER

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
        f'<Header xmlns="{NOTIFICATION_V3}">{header(sender, name, *recipients)}</Header>'
        f'<Message xmlns="{NOTIFICATION_V3}"><header><Id xmlns="{MESSAGE_V3}">{uuid4()}</Id>'
        f'<Subject xmlns="{MESSAGE_V3}">Prov</Subject><Supportinfo xmlns="{MESSAGE_V3}"><Text>Prov</Text></Supportinfo>'
        f'<Language xmlns="{MESSAGE_V3}">svSE</Language></header><body>{_TEXT}</body></Message>'
    )


def forwarded(person: str, name: str, *recipients: str) -> str:
    """Return the header and the message of a ForwardDelivery, in a namespace that is declared around them."""
    return (
        f"<Header>{header(person, name, *recipients)}</Header>"
        f'<Message><Subject xmlns="{MESSAGE_V1}">Prov</Subject><Body xmlns="{MESSAGE_V1}">{_TEXT}</Body></Message>'
    )


def too_many(recipient: str) -> tuple[str, ...]:
    """Return one recipient more than a delivery may have."""
    return (recipient,) * (MOST_RECIPIENTS + 1)


def rows(payload: etree._Element, row: str, flag: str) -> dict[str, bool]:
    """Return what an answer says of each recipient.

    Args:
        payload: what stands in its Body.
        row: the local name of the element for one recipient.
        flag: the local name of the element that says whether it was delivered.

    Raises:
        Broken: a row says nothing, two are for one recipient, or a channel was used for one to whom nothing was
            delivered.
    """
    found: dict[str, bool] = {}
    for each in payload.iter(f"{{*}}{row}"):
        recipient = within(each, "RecipientId")
        told = {"true": True, "1": True, "false": False, "0": False}.get(within(each, flag))
        if not recipient or told is None:
            raise Broken(f"Each recipient needs RecipientId and {flag}.", row)
        if not told and within(each, "NotifiedByChannel"):
            raise Broken("NotifiedByChannel may stand only where DeliveredFlag is true.", f"{row}/NotifiedByChannel")
        if recipient in found:
            raise Broken("The answer must have one row for each recipient, and no other.", row)
        found[recipient] = told
    return found


def must_tell(found: dict[str, bool], wanted: dict[str, bool], where: str) -> None:
    """Demand what an answer says of each recipient.

    Raises:
        Broken: it names other recipients, or says something else of one.
    """
    if found.keys() != wanted.keys():
        raise Broken("The answer must have one row for each recipient, and no other.", where)
    for recipient, delivered in wanted.items():
        if found[recipient] is not delivered:
            what = "has a mailbox and takes post from the sender" if delivered else "cannot get it"
            raise Broken(f"It must be {str(delivered).lower()} for the recipient who {what}.", where)
