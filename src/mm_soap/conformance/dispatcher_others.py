"""The cases for Notification: the form of the answer, or of the fault of a party that lacks the operation."""

from __future__ import annotations

from typing import Final

from mm_soap.conformance.class_one import NOTIFICATION, answer_or_fault, notification
from mm_soap.conformance.dispatcher_bench import DispatcherBench
from mm_soap.conformance.model import Cases
from mm_soap.conformance.signed import refused
from mm_soap.xml import qname

DISTRIBUTE: Final = "services.md, Notification, distribute"
STATUS: Final = "services.md, Notification, checkDistributionStatus"
ERRORS: Final = "errors.md, 5001"
_FORM: Final = "Answer as the schema says, or with a typed fault from 5000 on where the operation is not offered."
_SCHEMA: Final = "Validate requests against the schema, and answer 5001."


def distribute_request(bench: DispatcherBench) -> bytes:
    """Return a distribute for the recipient."""
    inside = notification(bench.sender.organisation, bench.plan.sender_name, bench.plan.recipient)
    start = f'<distribute xmlns="{NOTIFICATION}"><notificationDelivery>'
    return f"{start}{inside}</notificationDelivery></distribute>".encode()


def status_request(bench: DispatcherBench) -> bytes:
    """Return a checkDistributionStatus for an id that was never given."""
    return (
        f'<checkDistributionStatus xmlns="{NOTIFICATION}"><sender>{bench.sender.organisation}</sender>'
        "<distributionId>00000000-0000-4000-8000-000000000000</distributionId></checkDistributionStatus>"
    ).encode()


def add_others(cases: Cases[DispatcherBench]) -> None:
    """Add the cases for Notification."""

    @cases.case("notification.form", rule=DISTRIBUTE, remedy=_FORM)
    def distribute(bench: DispatcherBench) -> None:
        """A notification gets a distribution id, or a typed fault."""
        answer_or_fault(bench.notification.call(distribute_request(bench)), qname(NOTIFICATION, "distributeResponse"))

    @cases.case("notification.schema", rule=ERRORS, remedy=_SCHEMA)
    def distribute_schema(bench: DispatcherBench) -> None:
        """A distribute that breaks the schema is refused with 5001."""
        refused(bench.notification.call(b'<distribute xmlns="%s"/>' % NOTIFICATION.encode()), 5001)

    @cases.case("notification.unknown-id", rule=STATUS, remedy=_FORM)
    def unknown_id(bench: DispatcherBench) -> None:
        """The status of a notification that was never sent is refused with a typed fault."""
        refused(bench.notification.call(status_request(bench)))
