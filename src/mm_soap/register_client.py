"""Asking the register, as any party does: over the wire alone.

Answers of Authority change seldom and are needed for every message, so they are kept for a stated time. Reachability is
asked anew for every delivery.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.errors import Refusal, Refused, RemoteFault, TransportError
from mm_soap.unexpected import Repeated
from mm_soap.xml import AUTHORITY, DISPATCHER, RECIPIENT_V1, RECIPIENT_V3, SENDER, qname, text_of

_log = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 5.0
"""Seconds that a call waits for another one that asks the register already."""
_SHORTEST_PAUSE: Final = 0.1
"""Seconds between two questions in the background, however young the lists must be."""
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
    asked: float
    """When they were asked for, by the client's own measure of time."""


class RegisterClient:
    """The register as a dispatcher or an operator sees it. Safe for threads.

    Args:
        recipient: carries calls to the Recipient service.
        authority: carries calls to the Authority service.
        max_age: how old the lists of senders and dispatchers may be, in seconds.
        grace: how much older they may be while the register is away, in seconds.
        elapsed: seconds since some moment. Not the time of day: a clock that is set back makes no list younger.
        ask_again: ask anew before saying no from an answer that is kept, so that who was connected a moment ago is
            known at once.
    """

    def __init__(
        self,
        recipient: Port,
        authority: Port,
        *,
        max_age: float,
        grace: float = 0.0,
        elapsed: Callable[[], float] = time.monotonic,
        ask_again: bool = False,
    ) -> None:
        self._recipient = recipient
        self._authority = authority
        self._max_age = max_age
        self._longest = max_age + grace
        self._elapsed = elapsed
        self._asks_again = ask_again
        self._lock = threading.Lock()
        self._known: _Parties | None = None
        self._not_before = float("-inf")
        self._keeper = Repeated(
            "register-client", self._keep_fresh, _log, "The question for senders and dispatchers", _PAUSE_WHEN_AWAY
        )
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
        """Tell whether an organisation is a connected sender, from lists that are not too old.

        Raises:
            Refused: ``UNAVAILABLE`` if the register is away, and was for longer than the grace.
        """
        return self._holds(lambda parties: organisation in parties.senders)

    def may_dispatch(self, dispatcher: str, sender: str) -> bool:
        """Tell whether a dispatcher is listed for a sender, from lists that are not too old.

        Raises:
            Refused: ``UNAVAILABLE`` if the register is away, and was for longer than the grace.
        """
        return self._holds(lambda parties: sender in parties.dispatchers.get(dispatcher, frozenset()))

    def operator_of(self, recipient: str, sender: str) -> str | None:
        """Ask the register for a recipient's mailbox operator; None if it has no mailbox, or not yet.

        Raises:
            Refused: ``UNAVAILABLE`` if the register could not be asked.
        """
        try:
            (reached,) = self.reachable(sender, [recipient])
        except (RemoteFault, TransportError, ValueError) as error:
            _log.error("The register could not be asked for a mailbox operator: %s", type(error).__name__)
            raise Refused(Refusal.UNAVAILABLE) from None
        return reached.operator if reached.registered and reached.recipient == recipient else None

    def start(self) -> None:
        """Keep the lists fresh in the background, so that no call has to wait for them.

        In a process that serves several parties this is more than speed: calls that all waited for the register could
        take every thread that the register needs to answer.
        """
        self._keeper.start()

    def settle(self) -> None:
        """Wait until the lists were asked for once, whether they came or not."""
        self._tried.wait(_LONGEST_WAIT)

    def stop(self) -> None:
        """End the work in the background. A question under way is not waited for."""
        self._keeper.stop(wait=False)
        self._not_before = float("-inf")

    def _keep_fresh(self) -> float:
        try:
            with self._lock:
                self._known = self._ask()
        except (RemoteFault, TransportError) as error:
            # Until the next question has its answer the calls go on with what is known.
            self._not_before = float("inf")
            _log.warning("The register could not be asked for senders and dispatchers: %s", error)
            return _PAUSE_WHEN_AWAY
        finally:
            self._tried.set()
        self._not_before = float("-inf")
        return max(_SHORTEST_PAUSE, self._max_age / 2)

    def _holds(self, asked: Callable[[_Parties], bool]) -> bool:
        known = self._parties()
        if asked(known) or not self._asks_again:
            return asked(known)
        other = self._parties(but=known)
        if other is known:  # it could not be asked, so nobody is refused for good
            raise Refused(Refusal.UNAVAILABLE)
        return asked(other)

    def _parties(self, but: _Parties | None = None) -> _Parties:
        """Return lists that are fresh, and other ones than those in ``but``."""
        known = self._not_older(self._max_age)
        if known is not None and known is not but:
            return known
        stale = self._not_older(self._longest)
        if stale is not None and self._elapsed() < self._not_before:
            return stale  # the register was away a moment ago, and no call needs to wait to find that out again
        if not self._lock.acquire(timeout=_LONGEST_WAIT):
            return self._in_grace()
        try:  # one thread asks, the others wait for its answer
            known = self._not_older(self._max_age)
            if known is None or known is but:
                known = self._known = self._ask()
        except (RemoteFault, TransportError) as error:
            self._not_before = self._elapsed() + _PAUSE_WHEN_AWAY
            _log.error("The register could not be asked for senders and dispatchers: %s", error)
            return self._in_grace()
        finally:
            self._lock.release()
        return known

    def _in_grace(self) -> _Parties:
        stale = self._not_older(self._longest)
        if stale is None:
            raise Refused(Refusal.UNAVAILABLE)
        return stale

    def _not_older(self, age: float) -> _Parties | None:
        known = self._known
        return known if known is not None and self._elapsed() - known.asked < age else None

    def _ask(self) -> _Parties:
        asked = self._elapsed()
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

_RECIPIENT_ID, _TYPE, _PENDING, _SUPPLIER, _SENDER_ACCEPTED, _OPERATOR_ID, _SERVICE_ADDRESS = (
    qname(RECIPIENT_V1, name)
    for name in ("RecipientId", "Type", "Pending", "ServiceSupplier", "SenderAccepted", "Id", "ServiceAdress")
)


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
    # Read for every message: to look for each name by itself takes nearly four times as long.
    status = row[0]
    account, supplier = _texts(status), status.find(_SUPPLIER)
    operator = _texts(supplier) if supplier is not None else {}
    return Reached(
        recipient=account.get(_RECIPIENT_ID, ""),
        registered=account.get(_TYPE) != "Not" and account.get(_PENDING) in ("false", "0") and supplier is not None,
        sender_accepted=_texts(row).get(_SENDER_ACCEPTED) in ("true", "1"),
        operator=operator.get(_OPERATOR_ID),
        address=operator.get(_SERVICE_ADDRESS),
    )


def _texts(element: etree._Element) -> dict[str, str]:
    """Return the text of each child of an element in which no name stands twice."""
    return {child.tag: (child.text or "").strip() for child in element}
