"""Asking the register, as any party does: over the wire alone.

Answers of Authority change seldom and are needed for every message, so they are kept for a stated time. Reachability is
asked anew for every delivery.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.clock import Clock
from mm_soap.errors import Refusal, Refused, RemoteFault, TransportError
from mm_soap.xml import AUTHORITY, DISPATCHER, RECIPIENT_V1, RECIPIENT_V3, SENDER, qname, text_of

_log = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 5.0
"""Seconds that a call waits for another one that asks the register already."""
_PAUSE_WHEN_AWAY: Final = 1.0
"""Seconds between two questions while the register is away."""


class Port(Protocol):
    """What carries a call: :class:`mm_soap.soap.SoapClient`, or a fake."""

    def call(self, body: bytes, *, expected: str) -> etree._Element:
        """Send the operation element and return the validated answer element."""
        ...


@dataclass(frozen=True, slots=True)
class Reached:
    """What the register says of one recipient for one sender."""

    recipient: str
    registered: bool
    """There is an account and it is not pending."""
    sender_accepted: bool
    operator: str | None
    """Organisation number of the recipient's operator."""
    address: str | None
    """The address of that operator's Service."""


@dataclass(frozen=True)
class _Parties:
    senders: frozenset[str]
    dispatchers: Mapping[str, frozenset[str]]
    asked: datetime


class RegisterClient:
    """The register as a dispatcher or an operator sees it. Safe for threads.

    Args:
        recipient: carries calls to the Recipient service.
        authority: carries calls to the Authority service.
        max_age: how long the lists of senders and dispatchers are used before they are asked again.
        clock: the time.
    """

    def __init__(self, recipient: Port, authority: Port, *, max_age: timedelta, clock: Clock) -> None:
        self._recipient = recipient
        self._authority = authority
        self._max_age = max_age
        self._clock = clock
        self._lock = threading.Lock()
        self._known: _Parties | None = None
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        self._tried = threading.Event()

    def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
        """Ask isReachable for at most 1000 recipients.

        Returns:
            One answer for each, in the order of the question. The contract wants that of the register; one that answers
            for the same recipients in another order is understood, since each answer names its recipient. Answers for
            other recipients are returned as they came.

        Raises:
            RemoteFault, TransportError: the register refused, or could not be asked.
        """
        ids = "".join(f"<recipientId>{escape(each)}</recipientId>" for each in recipients)
        body = f'<isReachable xmlns="{RECIPIENT_V3}"><senderOrgNr>{escape(sender)}</senderOrgNr>{ids}</isReachable>'
        answer = self._recipient.call(body.encode(), expected=_IS_REACHABLE)
        return _in_order([_reached(row) for row in answer], recipients)

    def sender_connected(self, organisation: str) -> bool:
        """Tell whether an organisation is a connected sender, from an answer not older than ``max_age``.

        Raises:
            Refused: ``UNAVAILABLE`` if the register is away and no such answer is there.
        """
        return organisation in self._parties().senders

    def may_dispatch(self, dispatcher: str, sender: str) -> bool:
        """Tell whether a dispatcher is listed for a sender, from an answer not older than ``max_age``.

        Raises:
            Refused: ``UNAVAILABLE`` if the register is away and no such answer is there.
        """
        return sender in self._parties().dispatchers.get(dispatcher, frozenset())

    def start(self) -> None:
        """Keep the lists fresh in the background, so that no call has to wait for them.

        In a process that serves several parties this is more than speed: calls that all waited for the register could
        take every thread that the register needs to answer.
        """
        self._stopping.clear()
        self._keeper = threading.Thread(target=self._keep_fresh, name="register-client", daemon=True)
        self._keeper.start()

    def settle(self) -> None:
        """Wait until the lists were asked for once, whether they came or not."""
        self._tried.wait(_LONGEST_WAIT)

    def stop(self) -> None:
        """End the work in the background. A question under way is not waited for."""
        self._stopping.set()

    def _keep_fresh(self) -> None:
        while not self._stopping.is_set():
            try:
                self._known = self._ask()
                pause = max(0.1, self._max_age.total_seconds() / 2)
            except (RemoteFault, TransportError) as error:
                _log.warning("The register could not be asked for senders and dispatchers: %s", error)
                pause = _PAUSE_WHEN_AWAY
            self._tried.set()
            self._stopping.wait(pause)

    def _parties(self) -> _Parties:
        known = self._fresh()
        if known is not None:
            return known
        if not self._lock.acquire(timeout=_LONGEST_WAIT):
            raise Refused(Refusal.UNAVAILABLE)
        try:  # one thread asks, the others wait for its answer
            known = self._fresh()
            if known is None:
                known = self._known = self._ask()
        except (RemoteFault, TransportError) as error:
            _log.error("The register could not be asked for senders and dispatchers: %s", error)
            raise Refused(Refusal.UNAVAILABLE) from None
        finally:
            self._lock.release()
        return known

    def _fresh(self) -> _Parties | None:
        known = self._known
        return known if known is not None and self._clock() - known.asked < self._max_age else None

    def _ask(self) -> _Parties:
        asked = self._clock()
        senders = self._authority.call(f'<getSenders xmlns="{AUTHORITY}"/>'.encode(), expected=_GET_SENDERS)
        dispatchers = self._authority.call(f'<getDispatchers xmlns="{AUTHORITY}"/>'.encode(), expected=_GET_DISPATCHERS)
        return _Parties(
            frozenset(_text(row, SENDER, "Id") for row in senders),
            {
                _text(row, DISPATCHER, "Id"): frozenset(
                    text_of(each).strip() for each in row.iterfind(qname(DISPATCHER, "Senders"))
                )
                for row in dispatchers
            },
            asked,
        )


_IS_REACHABLE: Final = qname(RECIPIENT_V3, "isReachableResponse")
_GET_SENDERS: Final = qname(AUTHORITY, "getSendersResponse")
_GET_DISPATCHERS: Final = qname(AUTHORITY, "getDispatchersResponse")


def _text(element: etree._Element, namespace: str, name: str) -> str:
    return (element.findtext(qname(namespace, name)) or "").strip()


def _in_order(answers: list[Reached], recipients: Sequence[str]) -> list[Reached]:
    if [each.recipient for each in answers] == list(recipients):
        return answers
    named = {each.recipient: each for each in answers}
    if len(named) != len(answers) or named.keys() != set(recipients):
        return answers
    return [named[each] for each in recipients]


def _reached(row: etree._Element) -> Reached:
    status = row[0]
    supplier = status.find(qname(RECIPIENT_V1, "ServiceSupplier"))
    return Reached(
        recipient=_text(status, RECIPIENT_V1, "RecipientId"),
        registered=_text(status, RECIPIENT_V1, "Type") != "Not"
        and _text(status, RECIPIENT_V1, "Pending") in ("false", "0")
        and supplier is not None,
        sender_accepted=_text(row, RECIPIENT_V1, "SenderAccepted") in ("true", "1"),
        operator=_text(supplier, RECIPIENT_V1, "Id") if supplier is not None else None,
        address=_text(supplier, RECIPIENT_V1, "ServiceAdress") if supplier is not None else None,
    )
