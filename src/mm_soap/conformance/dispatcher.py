"""The cases for a dispatcher: the kit is the sender that hands in its deliveries and asks how far they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mm_soap.conformance import signed_demonstration
from mm_soap.conformance.carrying import Line
from mm_soap.conformance.dispatcher_bench import DispatcherBench, DispatcherPlan, status_request
from mm_soap.conformance.dispatcher_others import add_others
from mm_soap.conformance.hostile import add_envelopes, add_faults, add_hostile
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.plan import Role
from mm_soap.conformance.signed import FAULT, a_message, refused, within
from mm_soap.conformance.signed_forms import AS_IT_TRAVELS, DIGEST_INPUT, add_delivery_manners, add_forms
from mm_soap.conformance.signed_rules import add_content
from mm_soap.conformance.signed_signatures import add_signature_refusals
from mm_soap.conformance.signed_wrapping import add_wrapping
from mm_soap.xml import MESSAGE_V3, qname

__all__ = ["CASES", "ROLE", "DispatcherBench", "DispatcherPlan"]

DISTRIBUTE: Final = "services.md, Message, distributeSecure"
STATUS: Final = "services.md, Message, checkDistributionStatus"
REPEATS: Final = "design.md, How a message travels"
NOT_FOUND: Final = "errors.md, 5003"
_DISTRIBUTED: Final = qname(MESSAGE_V3, "distributeSecureResponse")
_STATUS: Final = qname(MESSAGE_V3, "checkDistributionStatusResponse")
_REPEAT: Final = "Keep the distribution id with what was signed, and answer the same signed bytes as the first time."
_UNKNOWN: Final = "Look for the id among those of the sender that asks, and answer 5003 where it is not there."

CASES: Final[Cases[DispatcherBench]] = Cases("dispatcher")
"""All cases for a dispatcher, in the order in which they are tried."""


def _accepted(bench: DispatcherBench, recipient: str | None = None) -> str:
    return bench.accepted(bench.send(bench.sign(bench.unsigned(recipient=recipient))))


@CASES.case("distributeSecure.accepted", rule=DISTRIBUTE, remedy="Store the delivery and answer a distribution id.")
def accepted(bench: DispatcherBench) -> None:
    """A signed delivery is accepted."""
    _accepted(bench)


@CASES.case("distributeSecure.form", rule=DISTRIBUTE, remedy="Answer distributeSecureResponse as the schema has it.")
def form(bench: DispatcherBench) -> None:
    """The answer follows the schema and comes with HTTP 200."""
    bench.send(bench.sign(bench.unsigned())).result(_DISTRIBUTED)


@CASES.case(
    "distributeSecure.id", rule=DISTRIBUTE, remedy="Give each delivery an id of its own, of 1 to 50 characters."
)
def distribution_id(bench: DispatcherBench) -> None:
    """The distribution id has 1 to 50 characters, and each delivery gets its own."""
    first, second = _accepted(bench), _accepted(bench)
    if not all(1 <= len(one) <= 50 for one in (first, second)) or first == second:
        raise Broken("Two deliveries must get two ids of 1 to 50 characters.", "distributeSecureResponse/return")


@CASES.case("repeat.same", rule=REPEATS, remedy=_REPEAT)
def same(bench: DispatcherBench) -> None:
    """The same signed bytes again get the same distribution id."""
    document = bench.sign(bench.unsigned())
    if bench.accepted(bench.send(document)) != bench.accepted(bench.send(document)):
        raise Broken("The same delivery got another distribution id.", "distributeSecureResponse/return")


@CASES.case(
    "repeat.after-refusal", rule=REPEATS, remedy="Keep nothing of a refused delivery that hinders the right one."
)
def after_refusal(bench: DispatcherBench) -> None:
    """A delivery that came without its signature first is accepted when it comes right."""
    document = bench.unsigned()
    bench.send(document)
    bench.accepted(bench.send(bench.sign(document)))


@CASES.case("status.form", rule=STATUS, remedy="Answer checkDistributionStatusResponse as the schema has it.")
def status_form(bench: DispatcherBench) -> None:
    """The status follows the schema; before, it may be the fault 5004 with HTTP 500."""
    found = _accepted(bench)
    answer = bench.ask(found)
    if answer.payload().tag.endswith("}Fault"):
        answer.refusal(FAULT, 5004)
    bench.final(found).result(_STATUS)


@CASES.case(
    "status.delivered", rule=STATUS, remedy="Hand the delivery over, and tell Digital and Delivered when it is there."
)
def delivered(bench: DispatcherBench) -> None:
    """A delivery to a recipient with a mailbox becomes Digital and Delivered."""
    bench.ends(_accepted(bench), "Digital", "Delivered")


@CASES.case("status.recipient", rule=STATUS, remedy="Answer one status for the recipient of the delivery.")
def recipient(bench: DispatcherBench) -> None:
    """The status has one row, and that names the recipient."""
    payload = bench.final(_accepted(bench)).payload()
    rows = list(payload.iterchildren("*"))
    if len(rows) != 1 or within(rows[0], "RecipientId") != bench.plan.recipient:
        raise Broken("There must be one row, with the recipient of the delivery.", "checkDistributionStatusResponse")


@CASES.case("status.two-messages", rule=STATUS, remedy="Hand over all messages of a delivery together.")
def two_messages(bench: DispatcherBench) -> None:
    """A delivery of two messages becomes Digital and Delivered, in one row."""
    document = bench.sign(bench.unsigned(a_message(), a_message("Ett andra prov")))
    bench.ends(bench.accepted(bench.send(document)), "Digital", "Delivered")


@CASES.case("status.not-registered", rule=STATUS, remedy="Tell Type Not for a recipient who is not in the register.")
def not_registered(bench: DispatcherBench) -> None:
    """A delivery to somebody who is not in the register becomes Not."""
    bench.ends(_accepted(bench, bench.plan.unregistered), "Not")


@CASES.case("status.deselected", rule=STATUS, remedy="Tell Type Paper for a recipient who deselected the sender.")
def deselected(bench: DispatcherBench) -> None:
    """A delivery to somebody who deselected the sender becomes Paper."""
    if bench.plan.deselecting is None:
        raise NotTried("The plan has no deselecting recipient.")
    bench.ends(_accepted(bench, bench.plan.deselecting), "Paper")


@CASES.case(
    "status.final", rule=STATUS, remedy="Change nothing of a status that is final, also when the delivery comes again."
)
def final(bench: DispatcherBench) -> None:
    """A final status stays, also after the same delivery came again."""
    document = bench.sign(bench.unsigned())
    found = bench.accepted(bench.send(document))
    first = bench.told(bench.final(found))
    bench.send(document)
    if bench.told(bench.ask(found)) != first:
        raise Broken("A final status changed.", "checkDistributionStatusResponse/return")


@CASES.case("status.unknown-id", rule=NOT_FOUND, remedy=_UNKNOWN)
def unknown_id(bench: DispatcherBench) -> None:
    """The status of an id that was never given is refused with 5003."""
    refused(bench.ask("00000000-0000-4000-8000-000000000000"), 5003)


@CASES.case("status.other-sender", rule=NOT_FOUND, remedy=_UNKNOWN)
def other_sender(bench: DispatcherBench) -> None:
    """The status of another sender's delivery is refused with 5003 or 5002."""
    refused(bench.ask(_accepted(bench), bench.other_sender), 5003, 5002)


@CASES.case("status.long-id", rule="errors.md, 5001", remedy="Validate requests against the schema, and answer 5001.")
def long_id(bench: DispatcherBench) -> None:
    """The status of an id of 51 characters is refused with 5001."""
    refused(bench.line.call(status_request(bench.sender.organisation, "i" * 51)), 5001)


@CASES.case(
    "forms.as-it-travels",
    rule=DIGEST_INPUT,
    remedy="Refuse at once what an operator could not verify: within SealedDelivery the delivery has its type's name.",
)
def as_it_travels(bench: DispatcherBench) -> None:
    """A delivery that was signed under its name on the wire is refused at once, or else delivered."""
    answer = AS_IT_TRAVELS[0].send(bench)
    if answer.payload().tag.endswith("}Fault"):
        refused(answer)
    else:
        bench.ends(bench.accepted(answer), "Digital", "Delivered")


add_content(CASES)
add_delivery_manners(CASES)
add_forms(CASES)
add_signature_refusals(CASES)
add_wrapping(CASES)
add_others(CASES)
add_envelopes(CASES)
add_faults(CASES)
add_hostile(CASES)


def _target(plan: DispatcherPlan) -> tuple[DispatcherBench, Sequence[Line]]:
    bench = DispatcherBench(plan)
    return bench, bench.lines


ROLE: Final = Role("dispatcher", DispatcherPlan, CASES, _target, signed_demonstration.dispatcher)
