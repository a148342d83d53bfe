"""The use case of notify: a notification into the mailboxes of its recipients, and on to their own addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.directory import Directory
from mm_soap.dsig import UnsignedDocument
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits, Notification, check_notification, read_notification
from mm_soap.repetitions import repetition
from mm_soap.service_supplier import many, outgoing, store
from mm_soap.service_supplier.contacts import EMAIL, SMS, Contact
from mm_soap.service_supplier.contents import Contents, Keeping
from mm_soap.service_supplier.many import Answered
from mm_soap.service_supplier.model import Fate, Kind, NewDelivery, Told
from mm_soap.service_supplier.outbox import LEASE, Outbox
from mm_soap.storage import (
    RETENTION,
    Conflict,
    Event,
    Evidence,
    first_event_of,
    reading,
    record_event,
    record_evidence,
    writing,
)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A notification on its way into the database."""

    content: Notification
    digest: str
    raw: bytes
    call_id: str
    caller: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class NotifyingService:
    """Takes notifications into mailboxes.

    Args:
        database: the operator's own, migrated.
        directory: who is connected and who may act for whom, from the register.
        limits: the rules for messages as this installation sets them.
        outbox: sends notifications on.
        retention: how long evidence is kept.
        clock: the time.
        contents: where bodies go.
    """

    database: Engine
    directory: Directory
    limits: Limits
    outbox: Outbox
    retention: timedelta = RETENTION
    clock: Clock = system_clock
    contents: Contents = field(default_factory=Contents)

    def notify(
        self, unsigned: UnsignedDocument, raw: bytes, call_id: str, caller: str | None
    ) -> tuple[str, Sequence[Told]]:
        """Put a notification into the mailboxes that are here, and send it on; it is on disk when this returns.

        What is to be sent on is stored with the messages. Channels are told that took it while this call waited; what
        they did not take by then is tried again later and not told. The same notification again is answered as the
        first time. Source: contract, services, notify.

        Args:
            unsigned: the NotificationDelivery. Nobody signs it: who brings it is all that speaks for it.
            raw: the whole request as it came.
            call_id: the id of this call.
            caller: organisation number from the client certificate; None without one.

        Returns:
            TransId, and what became of it for each recipient.

        Raises:
            Refused: a rule is broken, the sender is not connected, or the caller may not dispatch for it.
        """
        arrival = _Arrival(read_notification(unsigned.root), unsigned.digest, raw, call_id, caller, self.clock())
        try:
            self._check(arrival)
        except Refused as refused:
            if refused.refusal is Refusal.NOT_AUTHORISED:
                raise  # whoever brings the same words without the right to is told nothing of what became of them
            with reading(self.database) as connection:
                known = many.answered(connection, arrival.digest)
            if known is None:
                raise
        try:
            answer, fresh = self._store(arrival)
        except Conflict:
            # The same was stored between our look and our write: the second look finds it.
            answer, fresh = self._store(arrival)
        if answer.settled:
            return answer.trans_id, answer.told
        if fresh:
            self.outbox.send_now(answer.key)
        return answer.trans_id, self._settle(answer, arrival.digest)

    def _check(self, arrival: _Arrival) -> None:
        sender = arrival.content.sender.id
        check_notification(arrival.content, self.limits)
        if not self.directory.sender_connected(sender):
            raise Refused(Refusal.SENDER_UNKNOWN)
        # Without TLS nobody is known: a demonstration takes it, and a production does not start.
        if arrival.caller is not None and not self.directory.may_dispatch(arrival.caller, sender):
            raise Refused(Refusal.NOT_AUTHORISED)

    def _store(self, arrival: _Arrival) -> tuple[Answered, bool]:
        with self.contents.keeping(arrival.content.sender, [arrival.content.message]) as keeping:
            with writing(self.database) as connection:
                known = many.answered(connection, arrival.digest)
                answer = self._add(connection, arrival, keeping) if known is None else known
                fate = Fate.REPEATED if known else _fate(answer.told)
                self._record(connection, arrival, answer, fate)
            keeping.told = fate is Fate.STORED
        return answer, known is None

    def _add(self, connection: Connection, arrival: _Arrival, keeping: Keeping) -> Answered:
        content, at = arrival.content, arrival.at
        here = many.mailboxes_here(connection, content.recipients)
        gone = many.deselecting(connection, content.sender.id, content.recipients)
        told = tuple(Told(one, one in here and one not in gone) for one in content.recipients)
        reached = [one.recipient for one in told if one.delivered]
        trans_id = str(uuid4())
        new = NewDelivery(
            trans_id=trans_id,
            document_digest=arrival.digest,
            sealed_digest="",
            call_id=arrival.call_id,
            sender=content.sender.id,
            signer="",
            sealer="",
            sealed_on=at.date(),
            received=at,
            delivered=bool(reached),
        )
        key = int(store.add_delivery(connection, new))
        many.add_answers(connection, key, told)
        many.add_to_mailboxes(connection, key, Kind.NOTIFICATION, content.sender, keeping.messages, reached, at)
        to = self._addressed(content, {one: here[one] for one in reached})
        waits = outgoing.add_notices(connection, key, content.message.id, (content.email, content.sms), to, at + LEASE)
        if waits:
            many.unsettle(connection, key)
        return Answered(key, trans_id, not waits, told)

    def _addressed(self, content: Notification, contacts: Mapping[str, Contact]) -> list[tuple[str, str]]:
        """Return recipient and channel for each notice that is to be sent."""
        written = {EMAIL: content.email is not None, SMS: content.sms is not None}
        channels = [channel for channel in self.outbox.notifier.channels if written.get(channel)]
        return [
            (recipient, channel)
            for recipient, contact in contacts.items()
            for channel in channels
            if contact.address(channel) is not None
        ]

    def _settle(self, answer: Answered, digest: str) -> Sequence[Told]:
        """Write what the answer says, from what was sent until now; what was written first stays."""
        with writing(self.database) as connection:
            channels: dict[str, list[str]] = defaultdict(list)
            for recipient, channel in outgoing.sent_of(connection, answer.key):
                channels[recipient].append(channel)
            many.settle(connection, answer.key, channels)
            settled = many.answered(connection, digest)
        return (settled or answer).told

    def _record(self, connection: Connection, arrival: _Arrival, answer: Answered, fate: Fate) -> None:
        at, content = arrival.at, arrival.content
        detail: dict[str, object] = {
            "caller": arrival.caller,
            "bytes": len(arrival.raw),
            "recipients": len(answer.told),
            "delivered": sum(one.delivered for one in answer.told),
        }
        if fate is Fate.REPEATED:
            detail |= repetition(
                first_event_of(connection, "notification", trans_id=answer.trans_id), arrival.caller, at
            )
        message_id, sender = content.message.id, content.sender.id
        event = Event(
            at, "notification", fate.value, None, message_id, answer.trans_id, arrival.call_id, sender, detail
        )
        record_event(connection, event)
        keep_until = at + self.retention
        evidence = Evidence(at, "in", arrival.call_id, "notify", "accepted", arrival.caller, arrival.raw, keep_until)
        record_evidence(connection, evidence)


def _fate(told: Sequence[Told]) -> Fate:
    return Fate.STORED if any(one.delivered for one in told) else Fate.NOT_HERE
