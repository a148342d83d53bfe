"""The use case of deliverForward: what a recipient forwards, with the delivery as its sender signed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.directory import MailboxDirectory
from mm_soap.dsig import UnsignedDocument, VerifiedSeal
from mm_soap.errors import Refusal, Refused
from mm_soap.message import (
    Forwarding,
    Limits,
    Message,
    SecureDelivery,
    check_delivery,
    check_forwarding,
    read_delivery,
    read_forwarding,
)
from mm_soap.repetitions import repetition
from mm_soap.service_supplier import many, store
from mm_soap.service_supplier.contents import Contents, Keeping
from mm_soap.service_supplier.many import Answered
from mm_soap.service_supplier.model import Fate, Kind, NewDelivery, Told
from mm_soap.service_supplier.notices import NoticeRules
from mm_soap.service_supplier.post_notices import announce
from mm_soap.service_supplier.signers import check_signers
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
    """A forwarded delivery on its way into the database."""

    words: Forwarding
    original: VerifiedSeal
    content: SecureDelivery
    digest: str
    raw: bytes
    call_id: str
    caller: str | None
    at: datetime

    @property
    def messages(self) -> list[Message]:
        """What of the original is forwarded."""
        wanted = self.words.message_id
        return [one for one in self.content.messages if wanted in (None, one.id)]


@dataclass(frozen=True, slots=True)
class ForwardingService:
    """Takes forwarded deliveries into mailboxes.

    Args:
        database: the operator's own, migrated.
        directory: who is connected and who may sign for whom, from the register.
        limits: the rules for messages as this installation sets them.
        retention: how long evidence is kept.
        clock: the time.
        contents: where bodies and attachments go.
        notices: how recipients are told of what came.
    """

    database: Engine
    directory: MailboxDirectory
    limits: Limits
    retention: timedelta = RETENTION
    clock: Clock = system_clock
    contents: Contents = field(default_factory=Contents)
    notices: NoticeRules = field(default_factory=NoticeRules)

    def deliver_forward(
        self, unsigned: UnsignedDocument, original: VerifiedSeal, raw: bytes, call_id: str, caller: str | None
    ) -> tuple[str, Sequence[Told]]:
        """Put forwarded messages into the mailboxes that are here; they are on disk when this returns.

        The same request again is answered as the first time. Source: contract, services, deliverForward.

        Args:
            unsigned: the ForwardDelivery without the delivery in it. Nobody signs it.
            original: the delivery in it, of which both signatures hold.
            raw: the whole request as it came.
            call_id: the id of this call.
            caller: organisation number from the client certificate; None without one.

        Returns:
            TransId, and whether it was delivered for each recipient.

        Raises:
            Refused: a rule is broken, the caller is not the mailbox operator of the one who forwards, the original was
                signed or sealed by somebody who may not, it was not sent to the one who forwards, or it has no message
                of the Id to forward.
        """
        content = read_delivery(original.delivery.root)
        digest = sha256(f"{unsigned.digest} {original.digest}".encode()).hexdigest()
        words = read_forwarding(unsigned.root)
        arrival = _Arrival(words, original, content, digest, raw, call_id, caller, self.clock())
        try:
            self._check(arrival)
        except Refused as refused:
            if refused.refusal is Refusal.NOT_AUTHORISED:
                raise  # whoever brings the same words without the right to is told nothing of what became of them
            with reading(self.database) as connection:
                known = many.answered(connection, digest)
            if known is None:
                raise
        try:
            answer = self._store(arrival)
        except Conflict:
            # The same was stored between our look and our write: the second look finds it.
            answer = self._store(arrival)
        return answer.trans_id, answer.told

    def _check(self, arrival: _Arrival) -> None:
        check_forwarding(arrival.words, self.limits)
        self._check_caller(arrival)
        check_signers(arrival.original, arrival.content.sender.id, self.directory)
        check_delivery(arrival.content, self.limits)
        if arrival.words.sender.id != arrival.content.recipient:
            raise Refused(Refusal.REQUEST_CONTRADICTS, "Header/Sender/Id must be the recipient of OrginalDelivery")
        if not arrival.messages:
            raise Refused(Refusal.REQUEST_CONTRADICTS, "OrginalDelivery has no message of MessageIdToForward")

    def _check_caller(self, arrival: _Arrival) -> None:
        """Check that the caller is the mailbox operator of the one who forwards.

        The contract names no caller. Nobody signs that somebody forwards; that operator alone has the delivery in the
        mailbox of the one who forwards and knows that it is wished. Others have the delivery too, such as its
        dispatcher, and could else put it into any mailbox.
        """
        if arrival.caller is None:
            return
        own = self.directory.operator_of(arrival.words.sender.id, arrival.content.sender.id)
        if own != arrival.caller:
            raise Refused(Refusal.NOT_AUTHORISED, "not the mailbox operator of the one who forwards")

    def _store(self, arrival: _Arrival) -> Answered:
        with self.contents.keeping(arrival.content.sender, arrival.messages) as keeping:
            with writing(self.database) as connection:
                known = many.answered(connection, arrival.digest)
                answer = self._add(connection, arrival, keeping) if known is None else known
                self._record(connection, arrival, answer, repeated=known is not None)
            keeping.told = known is None and any(one.delivered for one in answer.told)
        return answer

    def _add(self, connection: Connection, arrival: _Arrival, keeping: Keeping) -> Answered:
        words, at, content = arrival.words, arrival.at, arrival.content
        # Whether the recipient takes post from the original sender is not asked: another recipient sends this.
        here = many.mailboxes_here(connection, words.recipients)
        told = tuple(Told(one, one in here) for one in words.recipients)
        reached = [one.recipient for one in told if one.delivered]
        trans_id = str(uuid4())
        new = NewDelivery(
            trans_id=trans_id,
            document_digest=arrival.digest,
            sealed_digest=arrival.original.digest,
            call_id=arrival.call_id,
            sender=content.sender.id,
            signer=arrival.original.delivery.signer.organisation,
            sealer=arrival.original.signer.organisation,
            sealed_on=arrival.original.received,
            received=at,
            delivered=bool(reached),
        )
        key = int(store.add_delivery(connection, new))
        many.add_answers(connection, key, told)
        many.add_to_mailboxes(connection, key, Kind.FORWARDED, content.sender, keeping.messages, reached, at)
        announce(connection, key, reached, self.notices, at)
        if reached:
            many.add_forwarding(connection, key, words)
        return Answered(key, trans_id, True, told)

    def _record(self, connection: Connection, arrival: _Arrival, answer: Answered, *, repeated: bool) -> None:
        at, content = arrival.at, arrival.content
        reached = sum(one.delivered for one in answer.told)
        fate = Fate.REPEATED if repeated else Fate.STORED if reached else Fate.NOT_HERE
        detail: dict[str, object] = {
            "signer": arrival.original.delivery.signer.organisation,
            "sealer": arrival.original.signer.organisation,
            "caller": arrival.caller,
            "bytes": len(arrival.raw),
            "recipients": len(answer.told),
            "delivered": reached,
        }
        if repeated:
            detail |= repetition(first_event_of(connection, "forwarding", trans_id=answer.trans_id), arrival.caller, at)
        record_event(
            connection,
            *(
                Event(
                    *(at, "forwarding", fate.value, None, one.id, answer.trans_id, arrival.call_id),
                    content.sender.id,
                    detail,
                )
                for one in arrival.messages
            ),
        )
        keep_until = at + self.retention
        evidence = Evidence(
            at, "in", arrival.call_id, "deliverForward", "accepted", arrival.caller, arrival.raw, keep_until
        )
        record_evidence(connection, evidence)
