"""What lies between the calls of a sender: its retries, its Ids, and the ids that it asks for. And the answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from uuid import uuid4

from mm_soap.conformance.sender import answers
from mm_soap.conformance.sender.answers import Reply
from mm_soap.conformance.sender.model import Mark, Request, Sheet
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.errors import Refusal, Refused
from mm_soap.message import SecureDelivery
from mm_soap.xml import text_of

_DELIVERIES: Final = frozenset({"distributeSecure", "deliverSecure", "deliverForward", "distribute", "notify"})
_BODY: Final = "the delivery"


class First(Enum):
    """What becomes of the first delivery, instead of an answer."""

    ANSWERED = "answered"
    LOST = "lost"
    """It is accepted, and the connection closed without an answer."""
    TECHNICAL = "technical"
    """Fault 4000."""
    REFUSED = "refused"
    """Fault 5002."""


@dataclass
class _Accepted:
    operation: str
    sender: str
    recipients: tuple[str, ...]
    number: int
    """Of the request."""
    asked: int = 0
    unfinished: int = 0
    """How many times 5004 was answered."""


@dataclass(frozen=True)
class _Stopped:
    """A delivery that got no answer, or one that stands in its way."""

    number: int
    operation: str
    digest: str
    delivery: SecureDelivery | None


@dataclass
class Ledger:
    """Remembers the calls, and answers them.

    Args:
        plan: who has a mailbox.
        first: what becomes of the first delivery.
        unfinished: how many times the status of a delivery is answered with 5004 before it is told.
    """

    plan: SenderPlan
    first: First = First.ANSWERED
    unfinished: int = 1
    _ids: dict[str, _Accepted] = field(default_factory=dict)
    _by_digest: dict[tuple[str, str], str] = field(default_factory=dict)
    _messages: dict[tuple[str, str], str] = field(default_factory=dict)
    """The digest of the delivery that a sender's message Id belongs to."""
    _waiting: _Stopped | None = None
    """Waits for its repetition."""
    _refused: _Stopped | None = None
    """Must not be repeated."""

    def answer(self, request: Request, sheet: Sheet) -> Reply:
        """Note what a request tells together with those before it, and return the answer."""
        operation = sheet.operation.name if sheet.operation is not None else ""
        if operation in _DELIVERIES:
            self._note_repetition(operation, sheet)
        if sheet.http is not None:
            return answers.http_error(sheet.http)
        if sheet.refused is not None:
            return answers.refusal(request, sheet, sheet.refused)
        if operation == "checkDistributionStatus":
            return self._status(request, sheet)
        if operation in _DELIVERIES:
            return self._delivery(request, sheet, operation)
        return answers.refusal(request, sheet, Refused(Refusal.UNKNOWN_OPERATION))

    def _note_repetition(self, operation: str, sheet: Sheet) -> None:
        waiting, refused = self._waiting, self._refused
        if refused is not None:
            again = sheet.digest != "" and sheet.digest == refused.digest
            what = f"Request {refused.number} was refused with 5002, and came again unchanged."
            sheet.judges("retry.not-after-refusal", not again, what, _BODY)
        if waiting is None or waiting.operation != operation:
            return
        if sheet.digest and sheet.digest == waiting.digest:
            sheet.keeps("retry.happens", "retry.same-bytes")
            self._waiting = None
        elif _is_the_same(sheet.delivery, waiting.delivery):
            sheet.keeps("retry.happens")
            self._waiting = None
            if sheet.digest:
                same_id = bool(_ids(sheet.delivery) & _ids(waiting.delivery))
                what = f"Request {waiting.number} came again with other signed bytes"
                more = "." if same_id else " and a new Id: the recipient would get it twice."
                sheet.breaks("retry.same-bytes", what + more, _BODY)

    def _delivery(self, request: Request, sheet: Sheet, operation: str) -> Reply:
        key = (operation, sheet.digest)
        known = self._by_digest.get(key)
        if known is None:
            self._note_ids(sheet)
        first, self.first = self.first, First.ANSWERED
        stopped = _Stopped(request.number, operation, sheet.digest, sheet.delivery)
        if first is First.TECHNICAL:
            self._waiting = stopped
            sheet.notes.append("answered with fault 4000, as asked for")
            return answers.refusal(request, sheet, Refused(Refusal.UNEXPECTED))
        if first is First.REFUSED:
            self._refused = stopped
            sheet.notes.append("answered with fault 5002, as asked for")
            return answers.refusal(request, sheet, Refused(Refusal.NOT_AUTHORISED))
        if known is None:
            known = self._by_digest[key] = str(uuid4())
            self._ids[known] = _Accepted(operation, sheet.sender, sheet.recipients, request.number)
            self._messages.update({(sheet.sender, one): sheet.digest for one in _ids(sheet.delivery)})
        else:
            sheet.notes.append("the same as before, and answered so")
        if first is First.LOST:
            self._waiting = stopped
            sheet.notes.append("accepted, and the connection closed without an answer, as asked for")
            return Reply(0, b"", cut=True)
        if operation in ("distributeSecure", "distribute"):
            return answers.distributed(operation, known)
        return answers.delivered(operation, known, self._there(sheet.recipients))

    def _note_ids(self, sheet: Sheet) -> None:
        if sheet.delivery is None or not self._messages:
            return
        used = [one for one in _ids(sheet.delivery) if (sheet.sender, one) in self._messages]
        if used and not sheet.broken("retry.same-bytes"):
            what = "The Id of a message was used before, in another delivery."
            sheet.breaks("calls.id-unique", what, "Message/Header/Id")
        elif not used:
            sheet.keeps("calls.id-unique")

    def _status(self, request: Request, sheet: Sheet) -> Reply:
        assert sheet.payload is not None
        sender, wanted = (text_of(one).strip() for one in sheet.payload.iterchildren("*"))
        found = self._ids.get(wanted)
        message = request.port is not None and request.port.name == "message"
        right = found is not None and found.sender == sender and (found.operation == "distributeSecure") is message
        if not right or found is None:
            what = "No delivery has been accepted before it was asked." if not self._ids else _unknown(found, sender)
            refused = Refused(Refusal.NOT_FOUND, "distributionId")
            sheet.breaks("status.known-id", what, "checkDistributionStatus/distributionId", refused)
            return answers.refusal(request, sheet, refused)
        sheet.keeps("status.known-id")
        if found.unfinished:
            sheet.keeps("status.asks-again")
        found.asked += 1
        if all(one.asked for one in self._followed()):
            sheet.keeps("status.followed")
        if found.unfinished < self.unfinished:
            found.unfinished += 1
            sheet.notes.append("answered with fault 5004: not finished")
            return answers.refusal(request, sheet, Refused(Refusal.NOT_FINISHED))
        return answers.status(found.operation, self._there(found.recipients))

    def _followed(self) -> list[_Accepted]:
        return [one for one in self._ids.values() if one.operation in ("distributeSecure", "distribute")]

    def _there(self, recipients: tuple[str, ...]) -> list[tuple[str, bool]]:
        return [(one, not self.plan.mailboxes or one in self.plan.mailboxes) for one in recipients]

    def at_the_end(self) -> Iterator[tuple[int, str, Mark]]:
        """Yield what can be said only when no more calls come: the number of a request, the case, and the mark."""
        if self._waiting is not None:
            what = f"Request {self._waiting.number} got no answer that ends it, and did not come again."
            yield self._waiting.number, "retry.happens", Mark(False, what, _BODY)
        for one in self._ids.values():
            if one.unfinished and one.asked <= one.unfinished:
                what = f"After fault 5004 for the delivery of request {one.number} the status was not asked again."
                yield one.number, "status.asks-again", Mark(False, what, "checkDistributionStatus")


def _unknown(found: _Accepted | None, sender: str) -> str:
    if found is None:
        return "The id was not answered to any delivery."
    if found.sender != sender:
        return "The id was answered to a delivery of another sender."
    return "The id was answered by the other service: ask Message for messages, Notification for notifications."


def _ids(delivery: SecureDelivery | None) -> set[str]:
    return {message.id for message in delivery.messages} if delivery is not None else set()


def _is_the_same(one: SecureDelivery | None, other: SecureDelivery | None) -> bool:
    """Whether two deliveries are meant to be one: by an Id of a message, or by all that the recipient would see."""
    if one is None or other is None:
        return False
    return bool(_ids(one) & _ids(other)) or _seen(one) == _seen(other)


def _seen(delivery: SecureDelivery) -> tuple[object, ...]:
    messages = [(message.subject, message.body, [a.body for a in message.attachments]) for message in delivery.messages]
    return delivery.sender.id, delivery.recipient, messages
