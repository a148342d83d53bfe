"""The step from accepted to addressed: ask the register where the recipients' mailboxes are, and seal or split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.dispatcher import parts
from mm_soap.dispatcher.documents import documents_of
from mm_soap.dispatcher.model import Accepted, Cause, Kind, Outcome, Sealed, State, cause_of
from mm_soap.dispatcher.policy import DeliveryPolicy
from mm_soap.dispatcher.splitting import split
from mm_soap.dsig import seal_for, seal_with
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
        look_up_batch: how many recipients are asked for in one call, at most.
    """

    database: Engine
    register: Register
    identity: Identity
    policy: DeliveryPolicy
    clock: Clock
    look_up_batch: int = 1000

    def step(self, batch: Sequence[Accepted]) -> Iterator[Outcome]:
        """Yield what becomes of each delivery in ``batch``."""
        by_sender: dict[str, list[Accepted]] = defaultdict(list)
        for delivery in batch:
            by_sender[delivery.sender].append(delivery)
        for sender, deliveries in by_sender.items():
            for together in self._in_calls(deliveries):
                yield from self._ask(sender, together)

    def _in_calls(self, deliveries: Sequence[Accepted]) -> Iterator[list[Accepted]]:
        """Yield deliveries whose recipients are asked for in one call."""
        together: list[Accepted] = []
        size = 0
        for delivery in deliveries:
            if together and size + delivery.size > self.look_up_batch:
                yield together
                together, size = [], 0
            together.append(delivery)
            size += delivery.size
        if together:
            yield together

    def _ask(self, sender: str, deliveries: Sequence[Accepted]) -> Iterator[Outcome]:
        many = [each.id for each in deliveries if each.kind is Kind.NOTIFICATION]
        with reading(self.database) as connection:
            named = parts.recipients_of(connection, many) if many else {}
        asked = [(each, named.get(each.id, [each.recipient])) for each in deliveries]
        try:
            found = self._all_answers(sender, [recipient for _, recipients in asked for recipient in recipients])
        except (RemoteFault, TransportError) as error:
            yield from self._later(deliveries, str(error))
            return
        left = iter(found)
        pairs = [(each, recipients, list(islice(left, len(recipients)))) for each, recipients in asked]
        for start in range(0, len(pairs), _READ_TOGETHER):
            some = pairs[start : start + _READ_TOGETHER]
            documents = self._documents([delivery for delivery, _, _ in some if delivery.seal_digest is None])
            for delivery, recipients, answers in some:
                if delivery.kind is Kind.NOTIFICATION:
                    yield split(delivery, answers, recipients, documents[delivery.id], self.clock())
                else:
                    yield self._address(delivery, answers[0], documents.get(delivery.id, b""))

    def _documents(self, deliveries: Sequence[Accepted]) -> dict[int, bytes]:
        if not deliveries:
            return {}
        with reading(self.database) as connection:
            return documents_of(connection, [delivery.id for delivery in deliveries])

    def _all_answers(self, sender: str, recipients: Sequence[str]) -> list[Reached | RemoteFault]:
        found: list[Reached | RemoteFault] = []
        for start in range(0, len(recipients), self.look_up_batch):
            found += self._answers(sender, recipients[start : start + self.look_up_batch])
        return found

    def _answers(self, sender: str, recipients: Sequence[str]) -> list[Reached | RemoteFault]:
        """Return what the register says of each recipient, or the refusal of the question about that one alone.

        Raises:
            RemoteFault, TransportError: it could not answer now.
        """
        try:
            answers = self.register.reachable(sender, recipients)
        except RemoteFault as fault:
            if fault.technical:
                raise
            if len(recipients) == 1:
                return [fault]
            # One question was refused for all. The halves are asked for, until only the one that is wrong fails.
            middle = len(recipients) // 2
            return self._answers(sender, recipients[:middle]) + self._answers(sender, recipients[middle:])
        if [answer.recipient for answer in answers] != list(recipients):
            raise TransportError("the register's answer does not match the question")
        return [*answers]

    def _address(self, delivery: Accepted, answer: Reached | RemoteFault, document: bytes) -> Outcome:
        if isinstance(answer, RemoteFault):
            return self._outcome(delivery, State.FAILED, f"The register refused the question: {answer}.", Cause.REFUSED)
        end = self.without_mailbox(delivery, answer)
        if end is not None:
            return end
        now, day = self.clock(), delivery.received.date()
        return Outcome(
            delivery.id,
            delivery.distribution_id,
            delivery.sender,
            State.SEALED,
            "The recipient has a mailbox. The message is on its way to the operator.",
            next_attempt=now,
            operator=answer.operator,
            address=answer.address,
            seal=seal_with(delivery.seal_digest, self.identity, day)
            if delivery.seal_digest is not None
            else seal_for(document, self.identity, day),
            detail={"operator": answer.operator, "sealed_by": self.identity.organisation},
            looked_up=now,
        )

    def without_mailbox(self, delivery: Accepted | Sealed, answer: Reached) -> Outcome | None:
        """Return the outcome of a delivery that no mailbox takes, or None if the register names one."""
        if not answer.registered or not answer.operator or not answer.address:
            return self._outcome(delivery, State.NOT_REGISTERED, NOT_REGISTERED, Cause.NOT_REGISTERED)
        if not answer.sender_accepted:
            return self._outcome(delivery, State.PAPER, DESELECTED, Cause.DESELECTED)
        return None

    def _later(self, deliveries: Sequence[Accepted], cause: str) -> Iterator[Outcome]:
        now = self.clock()
        for delivery in deliveries:
            attempts = delivery.attempts + 1
            again = self.policy.next_attempt(now, delivery.received, attempts)
            if again is None:
                yield self._outcome(delivery, State.FAILED, GAVE_UP, Cause.GAVE_UP)
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

    def _outcome(self, delivery: Accepted | Sealed, state: State, reason: str, cause: Cause) -> Outcome:
        attempts = delivery.attempts + 1
        why = cause_of(delivery, cause)
        return Outcome(delivery.id, delivery.distribution_id, delivery.sender, state, reason, attempts, cause=why)
