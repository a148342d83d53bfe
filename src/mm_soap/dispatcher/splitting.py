"""Splitting a notification by what the register says of its recipients: one part for each operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from mm_soap.dispatcher.model import Accepted, NewPart, Outcome, RecipientOutcome, State
from mm_soap.dispatcher.wire import part_for
from mm_soap.errors import RemoteFault
from mm_soap.register_client import Reached

SPLIT = "The recipients were looked up. What goes to each operator is on its way."
NOBODY = "No recipient of the notification can be reached."


def split(
    delivery: Accepted,
    answers: Sequence[Reached | RemoteFault],
    recipients: Sequence[str],
    document: bytes,
    now: datetime,
) -> Outcome:
    """Return the outcome of a notification whose recipients were looked up.

    Nothing of it is signed, so each operator gets a notification that names its own recipients alone.

    Args:
        delivery: the notification.
        answers: what the register says of each recipient, or how it refused the question about it.
        recipients: the recipients, in the same order.
        document: the NotificationDelivery.
        now: when the parts are due.
    """
    by_operator: dict[str, list[str]] = defaultdict(list)
    addresses: dict[str, str] = {}
    ended: list[RecipientOutcome] = []
    for recipient, answer in zip(recipients, answers, strict=True):
        if isinstance(answer, RemoteFault):
            ended.append(RecipientOutcome(recipient, State.FAILED))
        elif not answer.registered or not answer.operator or not answer.address:
            ended.append(RecipientOutcome(recipient, State.NOT_REGISTERED))
        elif not answer.sender_accepted:
            ended.append(RecipientOutcome(recipient, State.PAPER))
        else:
            by_operator[answer.operator].append(recipient)
            addresses.setdefault(answer.operator, answer.address)
    parts = tuple(
        NewPart(operator, addresses[operator], tuple(some), part_for(document, some), delivery.received, now)
        for operator, some in by_operator.items()
    )
    return Outcome(
        delivery.id,
        delivery.distribution_id,
        delivery.sender,
        State.UNPACKED,
        SPLIT if parts else NOBODY,
        delivery.attempts + 1,
        detail={
            "recipients": len(recipients),
            "operators": sorted(by_operator),
            **{state.value: sum(each.state is state for each in ended) for state in {each.state for each in ended}},
        },
        parts=parts,
        recipients=tuple(ended),
    )
