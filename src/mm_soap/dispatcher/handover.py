"""The step from sealed to delivered: hand the same bytes to the operator until it answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from lxml import etree

from mm_soap.clock import Clock
from mm_soap.dispatcher.model import (
    TRANS_ID_LENGTH,
    Cause,
    Kind,
    Outcome,
    RecipientOutcome,
    Sealed,
    State,
    cause_of,
)
from mm_soap.dispatcher.policy import Policies, TimeLimits
from mm_soap.dispatcher.wire import (
    DELIVER_SECURE_RESPONSE,
    NOTIFY_RESPONSE,
    deliver_secure_request,
    notify_request,
    read_delivery_result,
    read_notify_result,
    recipients_in,
)
from mm_soap.errors import RemoteFault, TransportError

DELIVERED = "The operator has put the message into the mailbox."
NOTIFIED = "The operator has put the notification into the mailboxes that it has."
NOT_TAKEN = "The operator answered that it has no such mailbox, or that the recipient does not take this sender's post."
GAVE_UP = "Given up: the operator did not take the message in the time that is set for a delivery."


class Operators(Protocol):
    """Carries calls to mailbox operators by their address."""

    def call(self, address: str, body: bytes, *, expected: str, limits: TimeLimits) -> etree._Element:
        """Send the operation element to a Service and return the validated answer."""
        ...


@dataclass(frozen=True)
class Handover:
    """Hands sealed deliveries to their operators.

    Args:
        operators: carries the calls.
        policies: what is technical and when that is tried again, by operator. All else is final.
        clock: the time.
    """

    operators: Operators
    policies: Policies
    clock: Clock

    def step(self, delivery: Sealed, document: bytes, seal: bytes) -> tuple[Outcome, bool]:
        """Make one attempt.

        Args:
            delivery: which one.
            document: its SignedDelivery, or the NotificationDelivery of a part.
            seal: what was made for it when it was addressed; a part has none.

        Returns:
            What became of the delivery, and whether the operator had a technical error.
        """
        policy = self.policies.of(delivery.operator)
        try:
            if delivery.kind is Kind.PART:
                request, expected = notify_request(document), NOTIFY_RESPONSE
            else:
                request, expected = deliver_secure_request(document, seal), DELIVER_SECURE_RESPONSE
            answer = self.operators.call(delivery.address, request, expected=expected, limits=policy.limits)
        except RemoteFault as fault:
            if policy.is_technical(fault.code):
                return self._later(delivery, str(fault)), True
            # Not its Description: that is another party's text and may hold what was sent. The CallId leads to it.
            detail: dict[str, object] = {"code": fault.code, "operator_call_id": fault.call_id}
            reason = f"The operator refused the message: {fault}."
            return self._outcome(delivery, State.FAILED, reason, detail=detail, cause=Cause.REFUSED), False
        except TransportError as error:
            return self._later(delivery, str(error), error.perhaps_received), True
        if delivery.kind is Kind.PART:
            return self._notified(delivery, document, answer)
        trans_id, delivered = read_delivery_result(answer, delivery.recipient)
        if delivered is None:
            return self._later(delivery, "the operator's answer does not name the recipient"), True
        if delivered:
            return self._outcome(delivery, State.DELIVERED, DELIVERED, trans_id), False
        return self._outcome(delivery, State.FAILED, NOT_TAKEN, trans_id, cause=Cause.NOT_TAKEN), False

    def _notified(self, delivery: Sealed, document: bytes, answer: etree._Element) -> tuple[Outcome, bool]:
        trans_id, told = read_notify_result(answer)
        recipients = recipients_in(document)
        if not told.keys() >= set(recipients):
            return self._later(delivery, "the operator's answer does not name every recipient"), True
        ended = tuple(
            RecipientOutcome(each, State.DELIVERED if told[each].delivered else State.FAILED, told[each].channels)
            for each in recipients
        )
        reached = sum(each.state is State.DELIVERED for each in ended)
        reason = NOTIFIED if reached else NOT_TAKEN
        detail: dict[str, object] = {"recipients": len(ended), "delivered": reached}
        state = State.DELIVERED if reached else State.FAILED
        outcome = self._outcome(delivery, state, reason, trans_id, detail)
        return replace(outcome, recipients=ended), False

    def overdue(self, operator: str, now: datetime) -> datetime:
        """Return when the deliveries to an operator were accepted that are to be given up now."""
        return now - timedelta(seconds=self.policies.of(operator).give_up_after)

    def give_up(self, delivery: Sealed) -> Outcome:
        """Return the outcome of a delivery whose time is over before another attempt could be made."""
        return self._outcome(delivery, State.FAILED, GAVE_UP, cause=Cause.GAVE_UP)

    def unexpected(self, delivery: Sealed, cause: BaseException) -> Outcome:
        """Return the outcome of an attempt that ended in an error of our own: try again."""
        return self._later(delivery, f"an error of the dispatcher's own, {type(cause).__name__}")

    def _later(self, delivery: Sealed, cause: str, perhaps_taken: bool = True) -> Outcome:
        attempts = delivery.attempts + 1
        policy = self.policies.of(delivery.operator)
        again = policy.next_attempt(self.clock(), delivery.received, attempts)
        if again is None:
            given_up = self._outcome(delivery, State.FAILED, GAVE_UP, detail={"last_error": cause}, cause=Cause.GAVE_UP)
            return replace(given_up, trouble=cause)
        return Outcome(
            delivery.id,
            delivery.distribution_id,
            delivery.sender,
            State.SEALED,
            f"The operator could not take the message ({cause}). It is tried again.",
            attempts,
            again,
            detail={"operator": delivery.operator},
            perhaps_taken=perhaps_taken,
            trouble=cause,
        )

    def _outcome(
        self,
        delivery: Sealed,
        state: State,
        reason: str,
        trans_id: str | None = None,
        detail: dict[str, object] | None = None,
        cause: Cause | None = None,
    ) -> Outcome:
        if trans_id and len(trans_id) > TRANS_ID_LENGTH:
            detail = {**(detail or {}), "whole_trans_id": trans_id}
        return Outcome(
            delivery.id,
            delivery.distribution_id,
            delivery.sender,
            state,
            reason,
            delivery.attempts + 1,
            trans_id=trans_id or None,
            detail={"operator": delivery.operator, **(detail or {})},
            cause=cause_of(delivery, cause),
        )
