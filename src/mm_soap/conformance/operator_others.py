"""The cases for deliverForward and notify: the form of the answer, or of the fault of a party that lacks them."""

from __future__ import annotations

from typing import Final

from mm_soap.conformance.class_one import answer_or_fault, forwarded, notification
from mm_soap.conformance.model import Cases
from mm_soap.conformance.operator_bench import OperatorBench
from mm_soap.conformance.signed import refused
from mm_soap.xml import SERVICE_V3, qname

FORWARD: Final = "services.md, Service, deliverForward"
NOTIFY: Final = "services.md, Service, notify"
ERRORS: Final = "errors.md, 5001"
_FORM: Final = "Answer as the schema says, or with a typed fault from 5000 on where the operation is not offered."
_SCHEMA: Final = "Validate requests against the schema, and answer 5001."


def forward_request(bench: OperatorBench) -> bytes:
    """Return a deliverForward of a delivery whose two signatures are right."""
    plan = bench.plan
    document = bench.finished(bench.sign(bench.unsigned()))
    inside = document.removeprefix(b"<SealedDelivery")
    original = b"<v:OrginalDelivery%sv:OrginalDelivery>" % inside[: inside.rindex(b"</") + 2]
    head = forwarded(plan.recipient, "Prov", plan.recipient).encode()
    return (
        f'<v:deliverForward xmlns:v="{SERVICE_V3}"><v:forwardMessage xmlns="{SERVICE_V3}">'.encode()
        + head
        + original
        + b"</v:forwardMessage></v:deliverForward>"
    )


def notify_request(bench: OperatorBench) -> bytes:
    """Return a notify for the recipient."""
    plan = bench.plan
    inside = notification(bench.sender.organisation, plan.sender_name, plan.recipient)
    return f'<notify xmlns="{SERVICE_V3}"><notify>{inside}</notify></notify>'.encode()


def add_others(cases: Cases[OperatorBench]) -> None:
    """Add the cases for deliverForward and notify."""

    @cases.case("deliverForward.form", rule=FORWARD, remedy=_FORM)
    def forward(bench: OperatorBench) -> None:
        """A forwarded delivery gets a DeliveryResult, or a typed fault."""
        answer_or_fault(bench.line.call(forward_request(bench)), qname(SERVICE_V3, "deliverForwardResponse"))

    @cases.case("deliverForward.schema", rule=ERRORS, remedy=_SCHEMA)
    def forward_schema(bench: OperatorBench) -> None:
        """A deliverForward that breaks the schema is refused with 5001."""
        refused(bench.line.call(b'<deliverForward xmlns="%s"/>' % SERVICE_V3.encode()), 5001)

    @cases.case("notify.form", rule=NOTIFY, remedy=_FORM)
    def notify(bench: OperatorBench) -> None:
        """A notification gets a NotifyResult, or a typed fault."""
        answer_or_fault(bench.line.call(notify_request(bench)), qname(SERVICE_V3, "notifyResponse"))

    @cases.case("notify.schema", rule=ERRORS, remedy=_SCHEMA)
    def notify_schema(bench: OperatorBench) -> None:
        """A notify that breaks the schema is refused with 5001."""
        refused(bench.line.call(b'<notify xmlns="%s"/>' % SERVICE_V3.encode()), 5001)
