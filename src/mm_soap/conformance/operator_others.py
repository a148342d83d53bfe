"""The cases for deliverForward and notify."""

from __future__ import annotations

from typing import Final

from mm_soap.conformance.carrying import Answer, Line
from mm_soap.conformance.class_one import forwarded, must_tell, notification, rows, too_many
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.operator_bench import OperatorBench
from mm_soap.conformance.signed import SUBJECT, a_message, answered, refused, within
from mm_soap.xml import SERVICE_V3, qname

FORWARD: Final = "services.md, Service, deliverForward"
NOTIFY: Final = "services.md, Service, notify"
ERRORS: Final = "errors.md, 5001"
SIGNATURES: Final = "errors.md, 5006"
REPEATS: Final = "design.md, How a message travels"
_SCHEMA: Final = "Validate requests against the schema, and answer 5001."
_REPEAT: Final = "Keep TransId and what was told of each recipient, and answer the same request as the first time."
_VERIFY: Final = "Verify the seal and the signature of the original again, and answer 5006."


def original_of(bench: OperatorBench, *subjects: str) -> bytes:
    """Return a sealed delivery to the recipient, who will forward it; one message for each subject."""
    return bench.finished(bench.sign(bench.unsigned(*(a_message(one) for one in subjects))))


def forward_request(bench: OperatorBench, original: bytes, *recipients: str, message_id: str | None = None) -> bytes:
    """Return a deliverForward, to the plan's recipient unless said."""
    plan = bench.plan
    inside = original.removeprefix(b"<SealedDelivery")
    element = b"<v:OrginalDelivery%sv:OrginalDelivery>" % inside[: inside.rindex(b"</") + 2]
    head = forwarded(plan.recipient, "Prov", *(recipients or (plan.recipient,))).encode()
    chosen = f"<MessageIdToForward>{message_id}</MessageIdToForward>".encode() if message_id else b""
    return (
        f'<v:deliverForward xmlns:v="{SERVICE_V3}"><v:forwardMessage xmlns="{SERVICE_V3}">'.encode()
        + head
        + element
        + chosen
        + b"</v:forwardMessage></v:deliverForward>"
    )


def notify_request(bench: OperatorBench, *recipients: str, sender: str | None = None) -> bytes:
    """Return a notify, to the plan's recipient unless said."""
    plan = bench.plan
    to = recipients or (plan.recipient,)
    inside = notification(sender or bench.sender.organisation, plan.sender_name, *to)
    return f'<notify xmlns="{SERVICE_V3}"><notify>{inside}</notify></notify>'.encode()


def _told(answer: Answer, flag: str) -> tuple[str, dict[str, bool]]:
    payload = answered(answer)
    trans_id = within(payload, "TransId")
    if not trans_id:
        raise Broken("The answer has no TransId.", "return/TransId")
    return trans_id, rows(payload, "Status", flag)


def _notified(bench: OperatorBench, request: bytes, wanted: dict[str, bool]) -> None:
    _, found = _told(bench.line.call(request), "DeliveredFlag")
    must_tell(found, wanted, "NotifyResult/Status/DeliveryStatus")


def _forwarded(bench: OperatorBench, request: bytes, wanted: dict[str, bool]) -> None:
    _, found = _told(bench.forwarding.call(request), "Delivered")
    must_tell(found, wanted, "DeliveryResult/Status/Delivered")


def _same_again(line: Line, request: bytes, flag: str) -> None:
    if _told(line.call(request), flag) != _told(line.call(request), flag):
        raise Broken("The same request got another answer.", "return")


def add_others(cases: Cases[OperatorBench]) -> None:
    """Add the cases for deliverForward and notify."""
    _add_forward(cases)
    _add_refused_forwards(cases)
    _add_notify(cases)


def _add_forward(cases: Cases[OperatorBench]) -> None:
    @cases.case("deliverForward.delivered", rule=FORWARD, remedy="Put it into the mailbox, and answer Delivered true.")
    def delivered(bench: OperatorBench) -> None:
        """A delivery that is forwarded to a recipient with a mailbox here gets Delivered true."""
        _forwarded(bench, forward_request(bench, original_of(bench, SUBJECT)), {bench.plan.recipient: True})

    @cases.case("deliverForward.form", rule=FORWARD, remedy="Answer deliverForwardResponse as the schema has it.")
    def form(bench: OperatorBench) -> None:
        """The answer follows the schema and comes with HTTP 200."""
        request = forward_request(bench, original_of(bench, SUBJECT))
        bench.forwarding.call(request).result(qname(SERVICE_V3, "deliverForwardResponse"))

    @cases.case("deliverForward.each-recipient", rule=FORWARD, remedy="Answer Delivered for each recipient.")
    def each_recipient(bench: OperatorBench) -> None:
        """Of two recipients, the one without a mailbox here gets Delivered false, and the other one true."""
        plan = bench.plan
        request = forward_request(bench, original_of(bench, SUBJECT), plan.unregistered, plan.recipient)
        _forwarded(bench, request, {plan.unregistered: False, plan.recipient: True})

    @cases.case("deliverForward.one-message", rule=FORWARD, remedy="Forward the message that MessageIdToForward names.")
    def one_message(bench: OperatorBench) -> None:
        """One message of two, named by its id, is forwarded."""
        first, second = a_message(), a_message("Ett andra prov")
        original = bench.finished(bench.sign(bench.unsigned(first, second)))
        request = forward_request(bench, original, message_id=second.id)
        _forwarded(bench, request, {bench.plan.recipient: True})

    @cases.case("deliverForward.repeat", rule=REPEATS, remedy=_REPEAT)
    def repeat(bench: OperatorBench) -> None:
        """The same request again gets the same answer."""
        _same_again(bench.forwarding, forward_request(bench, original_of(bench, SUBJECT)), "Delivered")


def _add_refused_forwards(cases: Cases[OperatorBench]) -> None:
    @cases.case("deliverForward.schema", rule=ERRORS, remedy=_SCHEMA)
    def schema(bench: OperatorBench) -> None:
        """A deliverForward that breaks the schema is refused with 5001."""
        refused(bench.forwarding.call(b'<deliverForward xmlns="%s"/>' % SERVICE_V3.encode()), 5001)

    @cases.case("deliverForward.changed", rule=SIGNATURES, remedy=_VERIFY)
    def changed(bench: OperatorBench) -> None:
        """An original that was changed after it was sealed is refused with 5006."""
        original = original_of(bench, SUBJECT).replace(SUBJECT.encode(), b"Nagot annat")
        refused(bench.forwarding.call(forward_request(bench, original)), 5006)

    @cases.case("deliverForward.unsealed", rule=SIGNATURES, remedy=_VERIFY)
    def unsealed(bench: OperatorBench) -> None:
        """An original whose seal is not signed is refused with 5006 or 5001."""
        original = bench.sealed(bench.sign(bench.unsigned()))
        refused(bench.forwarding.call(forward_request(bench, original)), 5006, 5001)

    @cases.case(
        "deliverForward.unknown-message",
        rule=FORWARD,
        remedy="Refuse to forward a message that is not in the original; nothing would reach the recipient.",
    )
    def unknown_message(bench: OperatorBench) -> None:
        """MessageIdToForward of a message that is not in the original is refused."""
        refused(
            bench.forwarding.call(forward_request(bench, original_of(bench, SUBJECT), message_id="nothing-like-it"))
        )


def _add_notify(cases: Cases[OperatorBench]) -> None:
    @cases.case("notify.delivered", rule=NOTIFY, remedy="Put it into the mailbox, and answer DeliveredFlag true.")
    def delivered(bench: OperatorBench) -> None:
        """A notification to a recipient with a mailbox here gets DeliveredFlag true."""
        _notified(bench, notify_request(bench), {bench.plan.recipient: True})

    @cases.case("notify.form", rule=NOTIFY, remedy="Answer notifyResponse as the schema has it, with HTTP 200.")
    def form(bench: OperatorBench) -> None:
        """The answer follows the schema and comes with HTTP 200."""
        bench.line.call(notify_request(bench)).result(qname(SERVICE_V3, "notifyResponse"))

    @cases.case("notify.each-recipient", rule=NOTIFY, remedy="Answer DeliveredFlag for each recipient; no fault.")
    def each_recipient(bench: OperatorBench) -> None:
        """Of two recipients, the one without a mailbox here gets DeliveredFlag false, and the other one true."""
        plan = bench.plan
        request = notify_request(bench, plan.unregistered, plan.recipient)
        _notified(bench, request, {plan.unregistered: False, plan.recipient: True})

    @cases.case("notify.deselected", rule=NOTIFY, remedy="Answer DeliveredFlag false to one who deselected the sender.")
    def deselected(bench: OperatorBench) -> None:
        """A recipient who deselected the sender gets DeliveredFlag false."""
        if bench.plan.deselecting is None:
            raise NotTried("The plan has no deselecting recipient.")
        _notified(bench, notify_request(bench, bench.plan.deselecting), {bench.plan.deselecting: False})

    @cases.case("notify.repeat", rule=REPEATS, remedy=_REPEAT)
    def repeat(bench: OperatorBench) -> None:
        """The same notification again gets the same answer."""
        _same_again(bench.line, notify_request(bench), "DeliveredFlag")

    @cases.case("notify.schema", rule=ERRORS, remedy=_SCHEMA)
    def schema(bench: OperatorBench) -> None:
        """A notify that breaks the schema is refused with 5001."""
        refused(bench.line.call(b'<notify xmlns="%s"/>' % SERVICE_V3.encode()), 5001)

    @cases.case("notify.too-many", rule="errors.md, 5005", remedy="Count the recipients, and answer 5005.")
    def many(bench: OperatorBench) -> None:
        """A notification for 1001 recipients is refused with 5005 or 5001."""
        refused(bench.line.call(notify_request(bench, *too_many(bench.plan.recipient))), 5005, 5001)

    @cases.case(
        "notify.not-connected",
        rule="errors.md, 5002",
        remedy="Ask the register whether the sender is connected, and answer 5002 where it is not.",
    )
    def not_connected(bench: OperatorBench) -> None:
        """A notification from an organisation that is not a connected sender is refused with 5002."""
        refused(bench.line.call(notify_request(bench, sender=bench.outsider.organisation)), 5002)
