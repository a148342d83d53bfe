"""Requests and answers of the Recipient service.

Answers are written as text, since one may hold a thousand rows: every name in them is a constant, and every value is
escaped. The operator of a row is written once for each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.far.model import MOST_IDS, AccountStatus, Operator, Reachability
from mm_soap.xml import RECIPIENT_V1, RECIPIENT_V3, SENDER, qname

_ID: Final = qname(RECIPIENT_V3, "recipientId")
_SENDER: Final = qname(RECIPIENT_V3, "senderOrgNr")
_NAMES: Final = f'xmlns="{RECIPIENT_V3}" xmlns:r="{RECIPIENT_V1}" xmlns:s="{SENDER}"'


def check_number_of_ids(payload: etree._Element) -> None:
    """Check that a request asks about 1000 ids at most.

    Raises:
        Refused: ``TOO_MANY``.
    """
    if next(islice(payload.iterchildren(_ID), MOST_IDS, None), None) is not None:
        raise Refused(Refusal.TOO_MANY, "recipientId")


def read_ids(payload: etree._Element) -> Sequence[str]:
    """Return the ids that isRegistered or isReachable asks about, in their order."""
    return [_text(child) for child in payload.iterchildren(_ID)]


def read_sender(payload: etree._Element) -> str:
    """Return the sender that isReachable asks for."""
    child = payload.find(_SENDER)
    return "" if child is None else _text(child)


def _text(element: etree._Element) -> str:
    # .text ends at the first comment; the value does not.
    return (element.text or "") if len(element) == 0 else str(element.xpath("string()"))


def registered_answer(statuses: Sequence[AccountStatus]) -> bytes:
    """Return the answer of isRegistered."""
    written: dict[str, str] = {}
    rows = "".join([f"<return>{_status(one, written)}</return>" for one in statuses])
    return f"<isRegisteredResponse {_NAMES}>{rows}</isRegisteredResponse>".encode()


def reachable_answer(answers: Sequence[Reachability]) -> bytes:
    """Return the answer of isReachable."""
    written: dict[str, str] = {}
    rows = "".join(
        [
            f"<return><r:AccountStatus>{_status(one.status, written)}</r:AccountStatus>"
            f"<r:SenderAccepted>{'true' if one.sender_accepted else 'false'}</r:SenderAccepted>"
            f"{_moment('LastSenderAcceptChange', one.last_sender_accept_change)}</return>"
            for one in answers
        ]
    )
    return f"<isReachableResponse {_NAMES}>{rows}</isReachableResponse>".encode()


def _status(one: AccountStatus, written: dict[str, str]) -> str:
    operator = ""
    if one.operator is not None:
        operator = written.get(one.operator.number) or written.setdefault(
            one.operator.number, operator_element(one.operator)
        )
    return (
        f"<r:RecipientId>{escape(one.recipient)}</r:RecipientId><r:Type>{one.account_type}</r:Type>"
        f"<r:Pending>{'true' if one.pending else 'false'}</r:Pending>"
        f"{operator}{_moment('LastRegistration', one.last_registration)}"
    )


def _moment(name: str, at: datetime | None) -> str:
    return "" if at is None else f"<r:{name}>{at.isoformat()}</r:{name}>"


def operator_element(one: Operator, name: str = "r:ServiceSupplier") -> str:
    """Return an operator as an element of that name, with the prefixes ``r`` and ``s`` as in the other answers."""
    return (
        f"<{name}><r:Id>{escape(one.number)}</r:Id><r:Name>{escape(one.name)}</r:Name>"
        f"{'' if one.logo is None else f'<r:Logo>{escape(one.logo)}</r:Logo>'}"
        f"<r:ServiceAdress>{escape(one.service_address)}</r:ServiceAdress>"
        f"{'' if one.ui_address is None else f'<r:UIAdress>{escape(one.ui_address)}</r:UIAdress>'}"
        f"<r:InternalServiceAdress>{escape(one.internal_address)}</r:InternalServiceAdress></{name}>"
    )
