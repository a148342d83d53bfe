"""The use cases of a mailbox operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.directory import Directory
from mm_soap.dsig import VerifiedSeal
from mm_soap.errors import Refusal, Refused
from mm_soap.message import (
    AgreedDetail,
    Limits,
    Message,
    SecureDelivery,
    agreed_details,
    check_delivery,
    read_delivery,
)
from mm_soap.repetitions import repetition
from mm_soap.service_supplier import case_store, many, places, store
from mm_soap.service_supplier.contents import Contents
from mm_soap.service_supplier.mailboxes import Mailboxes
from mm_soap.service_supplier.model import (
    DeliveryOutcome,
    Fate,
    Kind,
    MessageSummary,
    NewDelivery,
    StoredAttachment,
    StoredMessage,
)
from mm_soap.service_supplier.notices import NoticeRules
from mm_soap.service_supplier.post_notices import announce
from mm_soap.service_supplier.signers import check_signers
from mm_soap.storage import (
    RETENTION,
    Conflict,
    Event,
    Evidence,
    Together,
    first_event_of,
    reading,
    record_event,
    record_evidence,
    together,
    writing,
)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A verified delivery on its way into the database."""

    verified: VerifiedSeal
    content: SecureDelivery
    document_digest: str
    sealed_digest: str
    raw: bytes
    call_id: str
    caller: str | None
    at: datetime

    @property
    def told(self) -> list[tuple[int, Message, tuple[AgreedDetail, ...]]]:
        """What is told of cases: each message by its position."""
        details = agreed_details(self.verified.delivery.root)
        return [(place, *pair) for place, pair in enumerate(zip(self.content.messages, details, strict=True))]


@dataclass(frozen=True, slots=True)
class MailboxService(Mailboxes):
    """A mailbox operator.

    Args:
        database: its own, migrated.
        directory: who is connected and who may sign for whom, from the register.
        limits: the rules for messages as this installation sets them.
        retention: how long evidence is kept.
        clock: the time.
        contents: where bodies and attachments go.
        notices: how recipients are told of what came.

    Every method raises ``Refused`` with ``UNAVAILABLE`` when the database is away or busy.
    """

    database: Engine
    directory: Directory
    limits: Limits
    retention: timedelta = RETENTION
    clock: Clock = system_clock
    contents: Contents = field(default_factory=Contents)
    notices: NoticeRules = field(default_factory=NoticeRules)

    def deliver_secure(self, verified: VerifiedSeal, raw: bytes, call_id: str, caller: str | None) -> DeliveryOutcome:
        """Put a delivery into its recipient's mailbox; it is on disk when this returns.

        No mailbox here, or a recipient who deselected the sender, is a normal answer: of such a delivery only the
        evidence is kept. The same signed delivery again is answered as the first time, whatever changed since. Source:
        contract, services, deliverSecure; contract, signing, "Who signs what".

        Args:
            verified: the delivery and its seal.
            raw: the whole request as it came.
            call_id: the id of this call.
            caller: organisation number from the client certificate; None without one.

        Raises:
            Refused: the caller is not who made the seal, the seal says that the signature is wrong, the sender is not
                connected, a signer may not sign for it, or the message breaks a rule.
        """
        content, digest = read_delivery(verified.delivery.root), verified.delivery.digest
        arrival = _Arrival(verified, content, digest, verified.digest, raw, call_id, caller, self.clock())
        if caller not in (None, verified.signer.organisation):
            raise Refused(Refusal.NOT_AUTHORISED, "not the dispatcher that made the seal")
        try:
            self._check(arrival)
        except Refused:
            # A dispatcher that missed the answer may ask again after the register changed, or while it is away.
            outcome = self._answered_before(arrival)
            if outcome is None:
                raise
            return outcome
        try:
            return self._store(arrival)
        except Conflict:
            # The same delivery was stored between our look and our write: the second look finds it.
            return self._store(arrival)

    def _check(self, arrival: _Arrival) -> None:
        check_signers(arrival.verified, arrival.content.sender.id, self.directory)
        check_delivery(arrival.content, self.limits)

    def _answered_before(self, arrival: _Arrival) -> DeliveryOutcome | None:
        with reading(self.database) as connection:
            known = _known(connection, arrival)
        same = known.trans_id is not None and known.sealed_digest == arrival.sealed_digest
        return self._store(arrival) if same else None

    def _store(self, arrival: _Arrival) -> DeliveryOutcome:
        content, messages = arrival.content, arrival.content.messages
        if self.contents.goes_elsewhere(messages):
            # A look costs less than the files, which are not needed for what came before or has no mailbox here.
            with reading(self.database) as connection:
                known = _known(connection, arrival)
            messages = messages if known.trans_id is None and _fate(known) is Fate.STORED else ()
        with self.contents.keeping(content.sender, messages) as keeping:
            with writing(self.database) as connection:
                known = _known(connection, arrival)
                if known.trans_id is not None:
                    fate, trans_id, delivered = Fate.REPEATED, known.trans_id, bool(known.delivered)
                    detail = repetition(
                        first_event_of(connection, "delivery", trans_id=trans_id), arrival.caller, arrival.at
                    )
                    self._record(connection, arrival, trans_id, fate, detail)
                else:
                    fate, trans_id = _fate(known), str(uuid4())
                    delivered = fate is Fate.STORED
                    if delivered and not keeping.messages:
                        raise Conflict("its mailbox was opened since the look")
                    to = [content.recipient] if delivered else []
                    with together(connection) as rows:
                        added = store.add_delivery(rows, _new_delivery(arrival, trans_id, delivered))
                        many.add_to_mailboxes(
                            rows, added, Kind.SECURE, content.sender, keeping.messages, to, arrival.at
                        )
                        self._record(rows, arrival, trans_id, fate, {})
                    if delivered:
                        key = int(added)
                        announce(connection, key, to, self.notices, arrival.at)
                        case_store.add_events(connection, key, content.recipient, content.sender.id, arrival.told)
            keeping.told = fate is Fate.STORED
        return DeliveryOutcome(trans_id, ((content.recipient, delivered),))

    def _record(
        self,
        connection: Connection | Together,
        arrival: _Arrival,
        trans_id: str,
        fate: Fate,
        more: Mapping[str, object],
    ) -> None:
        at, content = arrival.at, arrival.content
        detail = {
            "signer": arrival.verified.delivery.signer.organisation,
            "sealer": arrival.verified.signer.organisation,
            "caller": arrival.caller,
            "bytes": len(arrival.raw),
            "messages": len(content.messages),
            **more,
        }
        events = [
            Event(at, "delivery", fate.value, None, message.id, trans_id, arrival.call_id, content.sender.id, detail)
            for message in content.messages
        ]
        record_event(connection, *events)
        evidence = Evidence(
            at,
            "in",
            arrival.call_id,
            "deliverSecure",
            "accepted",
            arrival.caller,
            arrival.raw,
            keep_until=at + self.retention,
        )
        record_evidence(connection, evidence)

    def list_messages(self, recipient: str) -> Sequence[MessageSummary]:
        """Return the messages in a mailbox, newest first, but for those thrown away.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no mailbox here.
        """
        with reading(self.database) as connection:
            if store.find_mailbox(connection, recipient) is None:
                raise Refused(Refusal.NOT_FOUND, "mailbox")
            return [places.line(row) for row in places.page(connection, recipient)]

    def get_message(self, recipient: str, message_id: str) -> StoredMessage:
        """Return one message with its attachments; the newest, should a sender have used an id twice.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient's mailbox has no such message.
        """
        with reading(self.database) as connection:
            key = places.find_key(connection, recipient, message_id)
            row = None if key is None else places.find(connection, recipient, key)
            if row is None:
                raise Refused(Refusal.NOT_FOUND, "message")
            files = [
                (one, places.file_of(connection, row.delivery, row.content, one.position))
                for one in places.files_of(connection, row.delivery, row.content)
            ]
            forwarded = places.forwarded_with(connection, row.delivery)
        attachments = tuple(
            StoredAttachment(one.filename, one.content_type, one.checksum, self.contents.whole(*where))
            for one, where in files
            if where is not None
        )
        body, line = self.contents.whole(row.body, row.blob), places.line_of(row)
        return StoredMessage(line, row.trans_id, row.language, row.content_type, body, attachments, forwarded)


def _known(connection: Connection, arrival: _Arrival) -> store.Known:
    content = arrival.content
    return store.what_is_known(connection, arrival.document_digest, content.recipient, content.sender.id)


def _fate(known: store.Known) -> Fate:
    return Fate.NO_MAILBOX if not known.mailbox else Fate.DESELECTED if known.deselected else Fate.STORED


def _new_delivery(arrival: _Arrival, trans_id: str, delivered: bool) -> NewDelivery:
    return NewDelivery(
        trans_id=trans_id,
        document_digest=arrival.document_digest,
        sealed_digest=arrival.sealed_digest,
        call_id=arrival.call_id,
        sender=arrival.content.sender.id,
        signer=arrival.verified.delivery.signer.organisation,
        sealer=arrival.verified.signer.organisation,
        sealed_on=arrival.verified.received,
        received=arrival.at,
        delivered=delivered,
    )
