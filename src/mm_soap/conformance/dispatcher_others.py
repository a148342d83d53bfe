"""The cases for Notification: the kit is the sender that hands in its notifications and asks what became of them."""

from __future__ import annotations

import time
from typing import Final

from mm_soap.conformance.carrying import Answer
from mm_soap.conformance.class_one import must_tell, notification, rows, too_many
from mm_soap.conformance.dispatcher_bench import DispatcherBench
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.signed import FAULT, answered, refused, within
from mm_soap.xml import NOTIFICATION_V3, qname

DISTRIBUTE: Final = "services.md, Notification, distribute"
STATUS: Final = "services.md, Notification, checkDistributionStatus"
MALFORMED: Final = "errors.md, 5001"
NOT_FOUND: Final = "errors.md, 5003"
_SCHEMA: Final = "Validate requests against the schema, and answer 5001."
_UNKNOWN: Final = "Look for the id among those of the sender that asks, and answer 5003 where it is not there."
_NOT_PROCESSED: Final = 5004
_PAUSE: Final = 0.2
_NO_ID: Final = "00000000-0000-4000-8000-000000000000"


def distribute_request(bench: DispatcherBench, *recipients: str, sender: str | None = None) -> bytes:
    """Return a distribute, for the plan's recipient unless said."""
    to = recipients or (bench.plan.recipient,)
    inside = notification(sender or bench.sender.organisation, bench.plan.sender_name, *to)
    start = f'<distribute xmlns="{NOTIFICATION_V3}"><notificationDelivery>'
    return f"{start}{inside}</notificationDelivery></distribute>".encode()


def status_request(sender: str, distribution_id: str) -> bytes:
    """Return a checkDistributionStatus."""
    return (
        f'<checkDistributionStatus xmlns="{NOTIFICATION_V3}"><sender>{sender}</sender>'
        f"<distributionId>{distribution_id}</distributionId></checkDistributionStatus>"
    ).encode()


def _accepted(bench: DispatcherBench, request: bytes) -> str:
    found = within(answered(bench.notification.call(request)), "return")
    if not 1 <= len(found) <= 50:
        raise Broken("The distribution id must have 1 to 50 characters.", "distributeResponse/return")
    return found


def _ask(bench: DispatcherBench, distribution_id: str) -> Answer:
    return bench.notification.call(status_request(bench.sender.organisation, distribution_id))


def _final(bench: DispatcherBench, distribution_id: str) -> Answer:
    until = time.monotonic() + bench.plan.wait
    while True:
        answer = _ask(bench, distribution_id)
        if not answer.payload().tag.endswith("}Fault") or answer.fault().code != _NOT_PROCESSED:
            return answer
        if time.monotonic() + _PAUSE > until:
            raise Broken(
                f"The notification was not processed in {bench.plan.wait:g} seconds.", "Fault/detail/ErrorCode"
            )
        time.sleep(_PAUSE)


def _tells(bench: DispatcherBench, request: bytes, wanted: dict[str, bool]) -> None:
    answer = _final(bench, _accepted(bench, request))
    must_tell(rows(answered(answer), "return", "DeliveredFlag"), wanted, "NotificationStatus/DeliveryStatus")


def add_others(cases: Cases[DispatcherBench]) -> None:
    """Add the cases for Notification."""
    _add_distribute(cases)
    _add_status(cases)


def _add_distribute(cases: Cases[DispatcherBench]) -> None:
    @cases.case("notification.accepted", rule=DISTRIBUTE, remedy="Store the notification, and answer an id of its own.")
    def accepted(bench: DispatcherBench) -> None:
        """Two notifications get two distribution ids of 1 to 50 characters."""
        if _accepted(bench, distribute_request(bench)) == _accepted(bench, distribute_request(bench)):
            raise Broken("Two notifications got the same distribution id.", "distributeResponse/return")

    @cases.case("notification.form", rule=DISTRIBUTE, remedy="Answer distributeResponse as the schema has it.")
    def form(bench: DispatcherBench) -> None:
        """The answer follows the schema and comes with HTTP 200."""
        bench.notification.call(distribute_request(bench)).result(qname(NOTIFICATION_V3, "distributeResponse"))

    @cases.case("notification.schema", rule=MALFORMED, remedy=_SCHEMA)
    def schema(bench: DispatcherBench) -> None:
        """A distribute that breaks the schema is refused with 5001."""
        refused(bench.notification.call(b'<distribute xmlns="%s"/>' % NOTIFICATION_V3.encode()), 5001)

    @cases.case(
        "notification.repeat",
        rule="design.md, How a message travels",
        remedy="Keep the distribution id with what came, and answer the same notification as the first time.",
    )
    def repeat(bench: DispatcherBench) -> None:
        """The same notification again gets the same distribution id."""
        request = distribute_request(bench)
        if _accepted(bench, request) != _accepted(bench, request):
            raise Broken("The same notification got another distribution id.", "distributeResponse/return")

    @cases.case("notification.too-many", rule="errors.md, 5005", remedy="Count the recipients, and answer 5005.")
    def many(bench: DispatcherBench) -> None:
        """A notification for 1001 recipients is refused with 5005 or 5001."""
        refused(bench.notification.call(distribute_request(bench, *too_many(bench.plan.recipient))), 5005, 5001)

    @cases.case(
        "notification.not-connected",
        rule="errors.md, 5002",
        remedy="Ask the register whether the sender is connected, and answer 5002 where it is not.",
    )
    def not_connected(bench: DispatcherBench) -> None:
        """A notification from an organisation that is not a connected sender is refused with 5002."""
        request = distribute_request(bench, sender=bench.outsider.organisation)
        refused(bench.notification.call(request), 5002)


def _add_status(cases: Cases[DispatcherBench]) -> None:
    @cases.case("notification.status-form", rule=STATUS, remedy="Answer as the schema has it; before, with fault 5004.")
    def status_form(bench: DispatcherBench) -> None:
        """The status follows the schema; before, it may be the fault 5004 with HTTP 500."""
        found = _accepted(bench, distribute_request(bench))
        answer = _ask(bench, found)
        if answer.payload().tag.endswith("}Fault"):
            answer.refusal(FAULT, _NOT_PROCESSED)
        _final(bench, found).result(qname(NOTIFICATION_V3, "checkDistributionStatusResponse"))

    @cases.case(
        "notification.delivered",
        rule=STATUS,
        remedy="Hand it to the recipient's operator, and tell DeliveredFlag true.",
    )
    def delivered(bench: DispatcherBench) -> None:
        """A notification to a recipient with a mailbox becomes delivered."""
        _tells(bench, distribute_request(bench), {bench.plan.recipient: True})

    @cases.case("notification.each-recipient", rule=STATUS, remedy="Tell for each recipient what became of it.")
    def each_recipient(bench: DispatcherBench) -> None:
        """Of two recipients, the one who is not in the register gets DeliveredFlag false, and the other one true."""
        plan = bench.plan
        request = distribute_request(bench, plan.unregistered, plan.recipient)
        _tells(bench, request, {plan.unregistered: False, plan.recipient: True})

    @cases.case("notification.deselected", rule=STATUS, remedy="Send nothing to one who deselected the sender.")
    def deselected(bench: DispatcherBench) -> None:
        """A recipient who deselected the sender gets DeliveredFlag false."""
        if bench.plan.deselecting is None:
            raise NotTried("The plan has no deselecting recipient.")
        _tells(bench, distribute_request(bench, bench.plan.deselecting), {bench.plan.deselecting: False})

    @cases.case("notification.unknown-id", rule=NOT_FOUND, remedy=_UNKNOWN)
    def unknown_id(bench: DispatcherBench) -> None:
        """The status of a notification that was never sent is refused with 5003."""
        refused(_ask(bench, _NO_ID), 5003)

    @cases.case("notification.other-sender", rule=NOT_FOUND, remedy=_UNKNOWN)
    def other_sender(bench: DispatcherBench) -> None:
        """The status of another sender's notification is refused with 5003 or 5002."""
        found = _accepted(bench, distribute_request(bench))
        _final(bench, found)
        refused(bench.notification.call(status_request(bench.other_sender, found)), 5003, 5002)
