"""The step from accepted to addressed: ask the register where the recipient's mailbox is, and seal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.dispatcher import store
from mm_soap.dispatcher.model import Accepted, Outcome, Sealed, State
from mm_soap.dispatcher.policy import DeliveryPolicy
from mm_soap.dsig import seal_for
from mm_soap.errors import RemoteFault, TransportError
from mm_soap.pki import Identity
from mm_soap.register_client import Reached
from mm_soap.storage import reading

NOT_REGISTERED = "The recipient has no mailbox in the register. Send the message on paper."
DESELECTED = "The recipient does not take digital post from this sender. Print the message."
_READ_TOGETHER = 16
"""Documents in memory at once: each may be of some megabytes."""

GAVE_UP = "Given up: the register could not be asked in the time that is set for a delivery."


class Register(Protocol):
    """Where the dispatcher asks for recipients."""

    def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
        """Return one answer for each recipient, in order."""
        ...


@dataclass(frozen=True)
class Addressing:
    """Addresses and seals accepted deliveries.

    Args:
        database: the dispatcher's own.
        register: asked for all recipients of a sender at once.
        identity: seals.
        policy: when the register is asked again after a technical error, and when that is given up.
        clock: the time.
    """

    database: Engine
    register: Register
    identity: Identity
    policy: DeliveryPolicy
    clock: Clock

    def step(self, batch: Sequence[Accepted]) -> Iterator[Outcome]:
        """Yield what becomes of each delivery in ``batch``."""
        by_sender: dict[str, list[Accepted]] = defaultdict(list)
        for delivery in batch:
            by_sender[delivery.sender].append(delivery)
        for sender, deliveries in by_sender.items():
            yield from self._ask(sender, deliveries)

    def _ask(self, sender: str, deliveries: Sequence[Accepted]) -> Iterator[Outcome]:
        try:
            answers = self.register.reachable(sender, [each.recipient for each in deliveries])
        except RemoteFault as fault:
            if fault.technical:
                yield from self._later(deliveries, str(fault))
            elif len(deliveries) > 1:
                # One question was refused for all: ask for each alone, so that only the one that is wrong fails.
                for each in deliveries:
                    yield from self._ask(sender, [each])
            else:
                yield self._outcome(deliveries[0], State.FAILED, f"The register refused the question: {fault}.")
            return
        except TransportError as error:
            yield from self._later(deliveries, str(error))
            return
        if [answer.recipient for answer in answers] != [each.recipient for each in deliveries]:
            yield from self._later(deliveries, "the register's answer does not match the question")
            return
        pairs = list(zip(deliveries, answers, strict=True))
        for start in range(0, len(pairs), _READ_TOGETHER):
            some = pairs[start : start + _READ_TOGETHER]
            with reading(self.database) as connection:
                documents = store.documents_of(connection, [delivery.id for delivery, _ in some])
            for delivery, answer in some:
                yield self._address(delivery, answer, documents[delivery.id])

    def _address(self, delivery: Accepted, answer: Reached, document: bytes) -> Outcome:
        end = self.without_mailbox(delivery, answer)
        if end is not None:
            return end
        now = self.clock()
        return Outcome(
            delivery.id,
            delivery.distribution_id,
            delivery.sender,
            State.SEALED,
            "The recipient has a mailbox. The message is on its way to the operator.",
            next_attempt=now,
            operator=answer.operator,
            address=answer.address,
            seal=seal_for(document, self.identity, delivery.received.date()),
            detail={"operator": answer.operator, "sealed_by": self.identity.organisation},
            looked_up=now,
        )

    def without_mailbox(self, delivery: Accepted | Sealed, answer: Reached) -> Outcome | None:
        """Return the outcome of a delivery that no mailbox takes, or None if the register names one."""
        if not answer.registered or not answer.operator or not answer.address:
            return self._outcome(delivery, State.NOT_REGISTERED, NOT_REGISTERED)
        if not answer.sender_accepted:
            return self._outcome(delivery, State.PAPER, DESELECTED)
        return None

    def _later(self, deliveries: Sequence[Accepted], cause: str) -> Iterator[Outcome]:
        now = self.clock()
        for delivery in deliveries:
            attempts = delivery.attempts + 1
            again = self.policy.next_attempt(now, delivery.received, attempts)
            if again is None:
                yield self._outcome(delivery, State.FAILED, GAVE_UP)
            else:
                yield Outcome(
                    delivery.id,
                    delivery.distribution_id,
                    delivery.sender,
                    State.ACCEPTED,
                    f"The register could not be asked ({cause}). It is asked again.",
                    attempts,
                    again,
                )

    def _outcome(self, delivery: Accepted | Sealed, state: State, reason: str) -> Outcome:
        return Outcome(delivery.id, delivery.distribution_id, delivery.sender, state, reason, delivery.attempts + 1)
