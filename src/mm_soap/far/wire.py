"""Requests and answers of the Authority service.

Answers are written as text: every name in them is a constant, and every value is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.far.model import Dispatcher, Sender
from mm_soap.xml import AUTHORITY, DISPATCHER, SENDER

# The elements of this service's messages are unqualified, all other schemas' are qualified.
_OPEN: Final = '<a:{0}Response xmlns:a="{1}" xmlns:s="{2}" xmlns:d="{3}">'


def read_organisation(payload: etree._Element) -> str:
    """Return the id that isSenderAccepted asks about."""
    child = payload.find("arg0")
    return "" if child is None else str(child.xpath("string()"))


def senders_answer(senders: Sequence[Sender]) -> bytes:
    """Return the answer of getSenders."""
    rows = "".join(
        f"<return><s:Id>{escape(one.number)}</s:Id><s:Name>{escape(one.name)}</s:Name>"
        f"{f'<s:Attention>{escape(one.attention)}</s:Attention>' if one.attention is not None else ''}</return>"
        for one in senders
    )
    return _answer("getSenders", rows)


def dispatchers_answer(dispatchers: Sequence[Dispatcher]) -> bytes:
    """Return the answer of getDispatchers."""
    rows = "".join(
        f"<return><d:Id>{escape(one.number)}</d:Id><d:Name>{escape(one.name)}</d:Name>"
        f"{''.join(f'<d:Senders>{escape(number)}</d:Senders>' for number in one.senders)}</return>"
        for one in dispatchers
    )
    return _answer("getDispatchers", rows)


def accepted_answer(accepted: bool) -> bytes:
    """Return the answer of isSenderAccepted."""
    return _answer("isSenderAccepted", f"<return>{'true' if accepted else 'false'}</return>")


def _answer(operation: str, rows: str) -> bytes:
    opened = _OPEN.format(operation, AUTHORITY, SENDER, DISPATCHER)
    return f"{opened}{rows}</a:{operation}Response>".encode()
