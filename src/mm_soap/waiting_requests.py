"""Asking the register what waits for more signatures, and abandoning it. Over the wire alone.

Source: contract, services, Recipient: the operations getPending and deletePending.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.account_client import ask_recipient, text_in
from mm_soap.errors import Refusal, RemoteFault
from mm_soap.register_client import Port
from mm_soap.xml import RECIPIENT_V1, RECIPIENT_V2, RECIPIENT_V3, qname

_NONE: Final = (Refusal.NOT_FOUND.code, Refusal.NOT_AUTHORISED.code)
"""Nothing waits, or what waits does not concern this operator."""


class Waiting(StrEnum):
    """What waits."""

    REGISTER = "register"
    LEAVE = "leave"
    MOVE = "move"
    SENDERS = "senders"


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that waits for more signatures.

    Args:
        kind: what was asked for.
        recipient: whose account it is about.
        operator: the registered name of the operator that it would lead to, or at which the account is; empty for
            `Waiting.SENDERS`.
        since: the day it was asked for, where the register tells it.
        signed: who signed, by number and name.
        possible: who may sign, by number and name.
        accepted: for `Waiting.SENDERS`, the numbers of the senders that would be accepted.
    """

    kind: Waiting
    recipient: str = field(repr=False)
    operator: str
    since: str
    signed: tuple[tuple[str, str], ...] = field(repr=False)
    possible: tuple[tuple[str, str], ...] = field(repr=False)
    accepted: frozenset[str] = frozenset()

    def signed_by(self, person: str) -> bool:
        """Tell whether a person has signed it."""
        return any(number == person for number, _ in self.signed)


class WaitingRequests:
    """What waits at the register. Safe for threads.

    Args:
        recipient: carries calls to the Recipient service.

    Every method raises ``RemoteFault`` or ``TransportError`` when the register refused, or could not be asked.
    """

    def __init__(self, recipient: Port) -> None:
        self._recipient = recipient

    def of(self, recipient: str, person: str) -> list[WaitingRequest]:
        """Return what waits for a recipient, and registrations and deregistrations of others that concern a person."""
        who = f"<userIdentity>{escape(person)}</userIdentity>"
        named = f"<recipientId>{escape(recipient)}</recipientId>"
        rows = [
            *self._ask("getPendingAccountRequest", RECIPIENT_V3, named + who),
            *self._ask("getPendingAccountRequest", RECIPIENT_V3, who),
        ]
        found = {(one.recipient, one.kind): one for one in map(_account_request, rows)}
        identity = _identity(recipient, person)
        for operation, read in _READERS.items():
            try:
                answer = self._ask(operation, RECIPIENT_V2, identity)
            except RemoteFault as fault:
                if fault.code not in _NONE:
                    raise
            else:
                one = read(answer, recipient)
                found[one.recipient, one.kind] = one
        return list(found.values())

    def abandon(self, kind: Waiting, recipient: str, person: str) -> None:
        """Abandon what waits. The caller has made sure that the person may."""
        if kind in (Waiting.REGISTER, Waiting.LEAVE):
            inner = f"<recipientId>{escape(recipient)}</recipientId><userIdentity>{escape(person)}</userIdentity>"
            self._ask("deletePendingAccountRequest", RECIPIENT_V3, inner)
            return
        operation = {
            Waiting.MOVE: "deletePendingChangeServiceSupplier",
            Waiting.SENDERS: "deletePendingAccountPreferences",
        }[kind]
        inner = f"<organizationIdentity>{_identity(recipient, person)}</organizationIdentity>"
        self._ask(operation, RECIPIENT_V2, inner)

    def _ask(self, operation: str, namespace: str, inner: str) -> etree._Element:
        return ask_recipient(self._recipient, operation, namespace, inner)


def _account_request(row: etree._Element) -> WaitingRequest:
    kind = Waiting.LEAVE if text_in(row, "Type") == "Delete" else Waiting.REGISTER
    return WaitingRequest(
        *(kind, text_in(row, "Id"), text_in(row, "ServiceSupplier"), text_in(row, "Timestamp")),
        signed=_persons(row, "SignedBy"),
        possible=_persons(row, "PossibleSigners"),
    )


def _change(answer: etree._Element, recipient: str) -> WaitingRequest:
    to = next(answer.iter("{*}serviceSupplier"), None)
    return WaitingRequest(
        *(Waiting.MOVE, recipient, "" if to is None else text_in(to, "Name"), ""),
        signed=_persons(answer, "SignedBy"),
        possible=_persons(answer, "PossibleSigners"),
    )


def _preferences(answer: etree._Element, recipient: str) -> WaitingRequest:
    return WaitingRequest(
        *(Waiting.SENDERS, recipient, "", ""),
        signed=_persons(answer, "SignedBy"),
        possible=_persons(answer, "PossibleSigners"),
        accepted=frozenset(text_in(row, "Id") for row in answer.iter(qname(RECIPIENT_V1, "AcceptedSenders"))),
    )


_READERS: Final[dict[str, Callable[[etree._Element, str], WaitingRequest]]] = {
    "getPendingChangeServiceSupplier": _change,
    "getPendingAccountPreferences": _preferences,
}


def _identity(recipient: str, person: str) -> str:
    return f"<Id>{escape(recipient)}</Id><UserIdentity>{escape(person)}</UserIdentity>"


def _persons(element: etree._Element, name: str) -> tuple[tuple[str, str], ...]:
    return tuple((text_in(one, "Id"), text_in(one, "Name")) for one in element.iter(f"{{*}}{name}"))
