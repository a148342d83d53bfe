"""The cases for a mailbox operator: the kit is the dispatcher that hands over to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from mm_soap.conformance import signed_demonstration
from mm_soap.conformance.carrying import Line
from mm_soap.conformance.hostile import add_envelopes, add_faults, add_hostile
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.operator_bench import OperatorBench, OperatorPlan
from mm_soap.conformance.operator_others import add_others
from mm_soap.conformance.operator_seals import add_seals
from mm_soap.conformance.plan import Role
from mm_soap.conformance.signed import answered, within
from mm_soap.conformance.signed_forms import AS_IT_TRAVELS, DRESSED, add_delivery_manners, add_forms
from mm_soap.conformance.signed_rules import add_content
from mm_soap.conformance.signed_signatures import add_signature_refusals
from mm_soap.conformance.signed_wrapping import RULE as WRAPPING
from mm_soap.conformance.signed_wrapping import add_wrapping
from mm_soap.conformance.xmlsig import signed
from mm_soap.xml import SERVICE_V3, SOAP_ENVELOPE, qname

__all__ = ["CASES", "ROLE", "OperatorBench", "OperatorPlan"]

RULE: Final = "services.md, Service, deliverSecure"
REPEATS: Final = "design.md, How a message travels"
_RESPONSE: Final = qname(SERVICE_V3, "deliverSecureResponse")
_FALSE: Final = (
    "Answer Delivered false in a normal answer where there is no mailbox for the delivery; a fault is wrong."
)
_REPEAT: Final = "Keep TransId and Delivered with what was signed, and answer the same delivery as the first time."

CASES: Final[Cases[OperatorBench]] = Cases("operator")
"""All cases for a mailbox operator, in the order in which they are tried."""


def _delivery(bench: OperatorBench, recipient: str | None = None) -> bytes:
    return bench.finished(bench.sign(bench.unsigned(recipient=recipient)))


@CASES.case("deliverSecure.delivered", rule=RULE, remedy="Verify, store, and answer TransId and Delivered true.")
def delivered(bench: OperatorBench) -> None:
    """A sealed delivery to a recipient with a mailbox here gets Delivered true."""
    bench.accepted(bench.carry(_delivery(bench)))


@CASES.case("deliverSecure.form", rule=RULE, remedy="Answer deliverSecureResponse as the schema has it, with HTTP 200.")
def form(bench: OperatorBench) -> None:
    """The answer follows the schema and comes with HTTP 200."""
    bench.carry(_delivery(bench)).result(_RESPONSE)


@CASES.case("deliverSecure.trans-id", rule=RULE, remedy="Give each delivery a TransId of its own.")
def trans_id(bench: OperatorBench) -> None:
    """TransId is there, and another one for each delivery."""
    first, second = (bench.accepted(bench.carry(_delivery(bench))) for _ in range(2))
    if not first or first == second:
        raise Broken("Two deliveries must get two TransIds.", "DeliveryResult/TransId")


@CASES.case("deliverSecure.recipient", rule=RULE, remedy="Answer one Status for each recipient, with its RecipientId.")
def recipient(bench: OperatorBench) -> None:
    """The answer has one Status, and that names the recipient."""
    payload = answered(bench.carry(_delivery(bench)))
    rows = list(payload.iter("{*}Status"))
    if len(rows) != 1 or within(rows[0], "RecipientId") != bench.plan.recipient:
        raise Broken("There must be one Status, with the recipient of the delivery.", "DeliveryResult/Status")


def _not_delivered(bench: OperatorBench, to: str) -> None:
    answer = bench.carry(_delivery(bench, to))
    if answer.payload().tag == qname(SOAP_ENVELOPE, "Fault"):
        raise Broken("Delivered false must be a normal answer; a fault came.", "Fault")
    if bench.outcome(answer) is not False:
        raise Broken("Delivered must be false.", "DeliveryResult/Status/Delivered")


@CASES.case("deliverSecure.no-mailbox", rule=RULE, remedy=_FALSE)
def no_mailbox(bench: OperatorBench) -> None:
    """A delivery to somebody without a mailbox here gets Delivered false, and no fault."""
    _not_delivered(bench, bench.plan.unregistered)


@CASES.case("deliverSecure.deselected", rule=RULE, remedy=_FALSE)
def deselected(bench: OperatorBench) -> None:
    """A delivery to somebody who deselected the sender gets Delivered false, and no fault."""
    if bench.plan.deselecting is None:
        raise NotTried("The plan has no deselecting recipient.")
    _not_delivered(bench, bench.plan.deselecting)


@CASES.case("repeat.same", rule=REPEATS, remedy=_REPEAT)
def same(bench: OperatorBench) -> None:
    """The same sealed delivery again gets the same TransId."""
    document = _delivery(bench)
    first, again = (within(answered(bench.carry(document)), "TransId") for _ in range(2))
    if first != again:
        raise Broken("The same delivery got another TransId.", "DeliveryResult/TransId")


@CASES.case("repeat.reordered", rule=REPEATS, remedy=_REPEAT)
def reordered(bench: OperatorBench) -> None:
    """Two deliveries that come again, the last one first, are told to be delivered again."""
    documents = [_delivery(bench), _delivery(bench)]
    for document in (*documents, *reversed(documents)):
        bench.accepted(bench.carry(document))


@CASES.case(
    "repeat.after-refusal", rule=REPEATS, remedy="Keep nothing of a refused delivery that hinders the right one."
)
def after_refusal(bench: OperatorBench) -> None:
    """A delivery that came with a broken seal first is accepted when it comes right."""
    delivery = bench.sign(bench.unsigned())
    bench.carry(bench.sealed(delivery))
    bench.accepted(bench.send(delivery))


@CASES.case("seal.earlier-day", rule="signing.md, Who signs what", remedy="Accept a ReceivedTime of an earlier day.")
def earlier_day(bench: OperatorBench) -> None:
    """A delivery that the dispatcher got yesterday is accepted."""
    yesterday = bench.clock().date() - timedelta(days=1)
    document = bench.sealed(bench.sign(bench.unsigned()), received=yesterday)
    bench.accepted(bench.carry(signed(document, bench.dispatcher)))


@CASES.case("wrapped.comment", rule=WRAPPING, remedy="Take a text whole, never up to its first comment.")
def comment(bench: OperatorBench) -> None:
    """A comment inside the recipient's number cuts nothing off."""
    to = bench.plan.recipient.encode()
    document = _delivery(bench).replace(to + b"<", to[:8] + b"<!-- -->" + to[8:] + b"<", 1)
    answer = bench.carry(document)
    if answer.payload().tag == qname(SOAP_ENVELOPE, "Fault"):
        return  # to refuse comments is safe too
    named = within(answer.payload(), "RecipientId")
    if named != bench.plan.recipient:
        raise Broken("The answer names another recipient.", "DeliveryResult/Status/RecipientId")


add_content(CASES)
add_delivery_manners(CASES)
add_seals(CASES)
add_forms(CASES, (*DRESSED, *AS_IT_TRAVELS))
add_signature_refusals(CASES)
add_wrapping(CASES)
add_others(CASES)
add_envelopes(CASES)
add_faults(CASES)
add_hostile(CASES)


def _target(plan: OperatorPlan) -> tuple[OperatorBench, Sequence[Line]]:
    bench = OperatorBench(plan)
    return bench, bench.lines


ROLE: Final = Role("operator", OperatorPlan, CASES, _target, signed_demonstration.operator)
