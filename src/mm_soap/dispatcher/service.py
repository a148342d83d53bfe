"""The use cases of the Message and Notification services: accept a delivery, tell how far it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from uuid import uuid4

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.directory import Directory
from mm_soap.dispatcher import parts, store
from mm_soap.dispatcher.documents import Kept
from mm_soap.dispatcher.model import Kind, NewDelivery, Notified, Status, status_of
from mm_soap.dispatcher.sender_limits import SenderLimits
from mm_soap.dsig import UnsignedDocument, VerifiedDelivery, digest_to_seal
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits, check_delivery, check_notification, read_delivery, read_notification
from mm_soap.repetitions import REPEATED, repetition
from mm_soap.storage import (
    Conflict,
    Event,
    Evidence,
    first_event_of,
    reading,
    record_event,
    record_evidence,
    together,
    writing,
)


@dataclass(frozen=True)
class Origin:
    """The call that brought a delivery."""

    call_id: str
    raw: bytes
    """The whole request, as it came."""
    caller: str | None
    """Organisation number from the client certificate; None in a demonstration without TLS."""


@dataclass(frozen=True)
class _Accepting:
    """What both services do alike.

    Args:
        database: the dispatcher's own.
        organisation: the dispatcher's organisation number.
        directory: who is connected and who may sign for whom, from the register.
        limits: the rules for messages as this installation sets them.
        retention: how long evidence is kept.
        clock: the time.
        wake: called with the key of a delivery that was stored, so that the work begins at once.
        sender_limits: how much each sender may send.
    """

    database: Engine
    organisation: str
    directory: Directory
    limits: Limits
    retention: timedelta
    clock: Clock
    wake: Callable[[int, str], None]
    sender_limits: SenderLimits = field(default_factory=SenderLimits)

    def _may_send(self, sender: str, by: str, otherwise: Refusal) -> None:
        """Check that ``by`` may act for a sender, and this dispatcher too."""
        if not self.directory.sender_connected(sender):
            raise Refused(Refusal.SENDER_UNKNOWN)
        if by != sender and not self.directory.may_dispatch(by, sender):
            raise Refused(otherwise)
        if not self.directory.may_dispatch(self.organisation, sender):
            raise Refused(Refusal.DISPATCHER_NOT_LISTED)

    def _check_caller(self, caller: str | None, sender: str) -> None:
        if caller not in (None, sender) and not self.directory.may_dispatch(caller, sender):
            raise Refused(Refusal.NOT_AUTHORISED, "neither the sender nor a dispatcher listed for it")

    def _store(self, new: NewDelivery, operation: str, detail: Mapping[str, object], origin: Origin) -> str:
        """Store a delivery with its event and its evidence; the same again gets the id that it got before."""
        now = new.received
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
        evidence = Evidence(now, "in", origin.call_id, operation, "accepted", origin.caller, origin.raw, keep_until)
        try:
            with writing(self.database) as connection:
                with together(connection) as rows:
                    (evidence_key,) = record_evidence(rows, evidence)
                    added = store.add_delivery(rows, new, Kept(evidence_key, origin.raw))
                    record_event(rows, *events)
                key = int(added)
                # After them, so that what came before is not counted again.
                self.sender_limits.charge(connection, new.sender, len(new.document), now, _messages(new))
                parts.add_recipients(connection, key, new.recipients)
        except Conflict:
            # The same came before: that call's id is the answer to this one too.
            with writing(self.database) as connection:
                known = store.distribution_of(connection, new.sender, new.digest)
                if known is None:
                    raise Refused(Refusal.UNEXPECTED) from None
                again = repetition(first_event_of(connection, "accepted", distribution_id=known), origin.caller, now)
                record_event(
                    connection,
                    *(
                        replace(one, distribution_id=known, outcome=REPEATED, detail={**one.detail, **again})
                        for one in events
                    ),
                )
                record_evidence(connection, replace(evidence, verdict=REPEATED))
            return known
        self.wake(key, new.sender)
        return new.distribution_id


@dataclass(frozen=True)
class MessageService(_Accepting):
    """Accepts secure deliveries, of class 3, from senders and answers for them."""

    def distribute_secure(self, verified: VerifiedDelivery, origin: Origin) -> str:
        """Accept a delivery. It is on disk when this returns.

        The same signed bytes from the same sender get the same distribution id again, also when the answer to the
        first call was lost.

        Returns:
            The distribution id.

        Raises:
            Refused: a rule is broken, the signer may not sign for the sender, this dispatcher is not listed, or the
                sender has sent as much as it may.
        """
        delivery = read_delivery(verified.root)
        check_delivery(delivery, self.limits)
        self._may_send(delivery.sender.id, verified.signer.organisation, Refusal.SIGNER_NOT_LISTED)
        self._check_caller(origin.caller, delivery.sender.id)
        received = self.clock()
        new = NewDelivery(
            distribution_id=str(uuid4()),
            sender=delivery.sender.id,
            recipient=delivery.recipient,
            message_ids=tuple(message.id for message in delivery.messages),
            digest=verified.digest,
            document=verified.document,
            received=received,
            seal_digest=digest_to_seal(verified, received.astimezone(UTC).date()),
        )
        detail = {
            "signer": verified.signer.organisation,
            "caller": origin.caller,
            "form": verified.form.value,
            "bytes": len(origin.raw),
        }
        return self._store(new, "distributeSecure", detail, origin)

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


@dataclass(frozen=True)
class NotificationService(_Accepting):
    """Accepts notifications, of class 1, from senders and answers for them.

    Nobody signs a notification, so who may send it is decided by the caller's certificate alone.
    """

    def distribute(self, unsigned: UnsignedDocument, origin: Origin) -> str:
        """Accept a notification. It is on disk when this returns.

        The same notification again gets the same distribution id, also when the answer to the first call was lost and
        when a SOAP stack wrote it with other prefixes.

        Returns:
            The distribution id.

        Raises:
            Refused: a rule is broken, or the caller may not send for the sender, or this dispatcher is not listed.
        """
        notification = read_notification(unsigned.root)
        check_notification(notification, self.limits)
        sender = notification.sender.id
        # Without TLS nobody is known: a demonstration takes it, and a production does not start.
        self._may_send(sender, origin.caller or sender, Refusal.NOT_AUTHORISED)
        new = NewDelivery(
            distribution_id=str(uuid4()),
            sender=sender,
            recipient=notification.recipients[0],
            message_ids=(notification.message.id,),
            digest=unsigned.digest,
            document=unsigned.document,
            received=self.clock(),
            kind=Kind.NOTIFICATION,
            recipients=notification.recipients,
        )
        detail = {"caller": origin.caller, "recipients": len(notification.recipients), "bytes": len(origin.raw)}
        return self._store(new, "distribute", detail, origin)

    def check_distribution_status(self, sender: str, distribution_id: str, caller: str | None) -> list[Notified]:
        """Tell what became of a notification for each recipient, in the order in which they were named.

        Raises:
            Refused: ``NOT_FOUND`` for an id that this sender does not have, ``NOT_FINISHED`` while it is still on its
                way to one of the recipients, ``NOT_AUTHORISED`` for a caller that may not send for the sender.
        """
        self._check_caller(caller, sender)
        with reading(self.database) as connection:
            found = parts.status_of_notification(connection, sender, distribution_id)
        if found is None:
            raise Refused(Refusal.NOT_FINISHED)
        if not found:
            raise Refused(Refusal.NOT_FOUND, "distributionId")
        return found


def _messages(new: NewDelivery) -> int:
    """Return how many messages count against the sender's limits: each recipient gets one of a notification."""
    return len(new.recipients) or len(new.message_ids)
