"""The use cases of the Message service: accept a delivery, tell how far it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.directory import Directory
from mm_soap.dispatcher import store
from mm_soap.dispatcher.model import NewDelivery, Status, status_of
from mm_soap.dsig import VerifiedDelivery
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits, SecureDelivery, check_delivery, read_delivery
from mm_soap.storage import Conflict, Event, Evidence, reading, record_event, record_evidence, writing


@dataclass(frozen=True)
class Origin:
    """The call that brought a delivery."""

    call_id: str
    raw: bytes
    """The whole request, as it came."""
    caller: str | None
    """Organisation number from the client certificate; None in a demonstration without TLS."""


@dataclass(frozen=True)
class MessageService:
    """Accepts deliveries from senders and answers for them.

    Args:
        database: the dispatcher's own.
        organisation: the dispatcher's organisation number.
        directory: who is connected and who may sign for whom, from the register.
        limits: the rules for messages as this installation sets them.
        retention: how long evidence is kept.
        clock: the time.
        wake: called after a delivery was stored, so that the work begins at once.
    """

    database: Engine
    organisation: str
    directory: Directory
    limits: Limits
    retention: timedelta
    clock: Clock
    wake: Callable[[], None]

    def distribute_secure(self, verified: VerifiedDelivery, origin: Origin) -> str:
        """Accept a delivery. It is on disk when this returns.

        The same signed bytes from the same sender get the same distribution id again, also when the answer to the
        first call was lost.

        Returns:
            The distribution id.

        Raises:
            Refused: a rule is broken, or the signer may not sign for the sender, or this dispatcher is not listed.
        """
        delivery = read_delivery(verified.root)
        check_delivery(delivery, self.limits)
        self._authorise(delivery, verified)
        self._check_caller(origin.caller, delivery.sender.id)
        return self._store(delivery, verified, origin)

    def check_distribution_status(self, sender: str, distribution_id: str, caller: str | None) -> list[Status]:
        """Tell how far a delivery came.

        Args:
            sender: whose delivery it is.
            distribution_id: what was answered when it was accepted.
            caller: organisation number from the client certificate; None in a demonstration without TLS.

        Raises:
            Refused: ``NOT_AUTHORISED`` for a caller that may not act for the sender, ``NOT_FOUND`` for an id that this
                sender does not have, ``NOT_FINISHED`` before it is unpacked.
        """
        self._check_caller(caller, sender)
        with reading(self.database) as connection:
            found = store.state_of(connection, sender, distribution_id)
        if found is None:
            raise Refused(Refusal.NOT_FOUND, "distributionId")
        status = status_of(found[0], found[1])
        if status is None:
            raise Refused(Refusal.NOT_FINISHED)
        return [status]

    def _authorise(self, delivery: SecureDelivery, verified: VerifiedDelivery) -> None:
        sender, signer = delivery.sender.id, verified.signer.organisation
        if not self.directory.sender_connected(sender):
            raise Refused(Refusal.SENDER_UNKNOWN)
        if signer != sender and not self.directory.may_dispatch(signer, sender):
            raise Refused(Refusal.SIGNER_NOT_LISTED)
        if not self.directory.may_dispatch(self.organisation, sender):
            raise Refused(Refusal.DISPATCHER_NOT_LISTED)

    def _check_caller(self, caller: str | None, sender: str) -> None:
        if caller not in (None, sender) and not self.directory.may_dispatch(caller, sender):
            raise Refused(Refusal.NOT_AUTHORISED, "neither the sender nor a dispatcher listed for it")

    def _store(self, delivery: SecureDelivery, verified: VerifiedDelivery, origin: Origin) -> str:
        now = self.clock()
        new = NewDelivery(
            distribution_id=str(uuid4()),
            sender=delivery.sender.id,
            recipient=delivery.recipient,
            message_ids=tuple(message.id for message in delivery.messages),
            digest=verified.digest,
            document=verified.document,
            received=now,
        )
        detail = {"signer": verified.signer.organisation, "form": verified.form.value, "bytes": len(origin.raw)}
        events = [
            Event(
                now,
                "accepted",
                "accepted",
                new.distribution_id,
                message_id,
                call_id=origin.call_id,
                sender=new.sender,
                detail=detail,
            )
            for message_id in new.message_ids
        ]
        keep_until = now + self.retention
        evidence = Evidence(
            now, "in", origin.call_id, "distributeSecure", "accepted", origin.caller, origin.raw, keep_until
        )
        try:
            with writing(self.database) as connection:
                store.add_delivery(connection, new)
                record_event(connection, *events)
                record_evidence(connection, evidence)
        except Conflict:
            # The same signed bytes came before: that call's id is the answer to this one too.
            with reading(self.database) as connection:
                known = store.distribution_of(connection, new.sender, new.digest)
            if known is None:
                raise Refused(Refusal.UNEXPECTED) from None
            return known
        self.wake()
        return new.distribution_id
