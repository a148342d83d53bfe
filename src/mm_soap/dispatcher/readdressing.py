"""Asking the register again for a delivery that waits: its operator may have moved, or its recipient.

The document and its seal stay as they are, so every attempt sends the same bytes. A recipient who has moved gets the
message at the new operator only if it is certain that the old one did not take it: no attempt found it at home. After
an attempt whose answer was lost the message may be in the old mailbox, and goes nowhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.model import Outcome, Sealed, State
from mm_soap.errors import RemoteFault, TransportError
from mm_soap.register_client import Reached

NEW_ADDRESS = "The operator has a new address in the register. The message goes there."
MOVED = (
    "The recipient has moved to another operator, and the first one did not get the message. It goes to the new one."
)
PERHAPS_TAKEN = (
    "The recipient has moved to another operator, but an attempt may have reached the first one. So that the message "
    "is not delivered twice, it is tried there until that operator answers."
)


@dataclass(frozen=True)
class Readdressing:
    """Looks recipients up again, and lets their deliveries go on.

    Args:
        addressing: says whom to ask, and what becomes of a delivery that no mailbox takes.
    """

    addressing: Addressing

    def step(self, batch: Sequence[Sealed]) -> tuple[list[Outcome], list[Sealed]]:
        """Ask for each delivery in ``batch``.

        Returns:
            What becomes of those for which something changed, and the others. Those go on to the address that they
            have; so does everything while the register does not answer.
        """
        by_sender: dict[str, list[Sealed]] = defaultdict(list)
        for delivery in batch:
            by_sender[delivery.sender].append(delivery)
        changed: list[Outcome] = []
        same: list[Sealed] = []
        for sender, deliveries in by_sender.items():
            for delivery, answer in zip(deliveries, self._ask(sender, deliveries), strict=True):
                outcome = self._compare(delivery, answer) if answer is not None else None
                if outcome is None:
                    same.append(delivery)
                else:
                    changed.append(outcome)
        return changed, same

    def _ask(self, sender: str, deliveries: Sequence[Sealed]) -> Sequence[Reached | None]:
        wanted = [each.recipient for each in deliveries]
        nothing: list[Reached | None] = [None] * len(wanted)
        try:
            answers = self.addressing.register.reachable(sender, wanted)
        except (RemoteFault, TransportError):
            return nothing
        return answers if [answer.recipient for answer in answers] == wanted else nothing

    def _compare(self, delivery: Sealed, answer: Reached) -> Outcome | None:
        """Return what becomes of a delivery, or None if it goes on as it is."""
        there = answer.registered and answer.operator and answer.address
        if there and answer.operator == delivery.operator:
            if answer.address == delivery.address:
                return None
            return self._on(delivery, NEW_ADDRESS, "new-address", answer.operator, answer.address)
        if delivery.perhaps_taken:
            return self._on(delivery, PERHAPS_TAKEN, "stays", delivery.operator, delivery.address) if there else None
        end = self.addressing.without_mailbox(delivery, answer)
        return end or self._on(delivery, MOVED, "moved", answer.operator, answer.address)

    def _on(self, delivery: Sealed, reason: str, word: str, operator: str | None, address: str | None) -> Outcome:
        now = self.addressing.clock()
        return Outcome(
            *(delivery.id, delivery.distribution_id, delivery.sender, State.SEALED, reason, delivery.attempts),
            next_attempt=now,
            operator=operator,
            address=address,
            looked_up=now,
            detail={"operator": operator},
            word=word,
        )
