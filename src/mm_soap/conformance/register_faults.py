"""The cases of the register that are about faults: that each operation refuses bad input, and how a fault looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from mm_soap.conformance.carrying import Answer, Fault
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.register_requests import OPERATIONS, argument, element, incomplete
from mm_soap.conformance.register_soap import BASE, CODED
from mm_soap.conformance.register_target import BAD_INPUT, Register, contract_of, expect
from mm_soap.contract import validate
from mm_soap.errors import Refused
from mm_soap.xml import SOAP_ENVELOPE

CASES: Final = Cases[Register]("register")
_FAULT: Final = f"{{{SOAP_ENVELOPE}}}Fault"
_ERRORS: Final = "errors, the first lines"


def _faults(register: Register) -> Iterator[tuple[str, Answer, Fault]]:
    # Of each operation that refuses bad input at all; one that does not is found by the operation's own case.
    found = False
    for operation in OPERATIONS:
        answer = register.call(operation, incomplete(operation))
        if answer.payload().tag == _FAULT:
            found = True
            yield operation, answer, answer.fault()
    if not found:
        raise NotTried("No operation answered bad input with a fault.")


def _each(look: Callable[[str, Answer, Fault], None]) -> Callable[[Register], None]:
    def check(register: Register) -> None:
        broken: list[Broken] = []
        first = ""
        for one in _faults(register):
            try:
                look(*one)
            except Broken as found:
                broken.append(found)
                first = first or one[0]
        if broken:
            # Once more, so that the last call is the one that the finding speaks of: a report shows the last ones.
            register.call(first, incomplete(first))
            more = f" The same is wrong in {len(broken) - 1} more operations." if broken[1:] else ""
            raise Broken(f"{broken[0].what}{more}", broken[0].place)

    check.__doc__ = look.__doc__
    return check


@CASES.case("fault.status", rule="errors, HTTP 500", remedy="Send faults with HTTP status 500.", needs=BASE)
@_each
def status(operation: str, answer: Answer, fault: Fault) -> None:
    """A fault of any operation comes with HTTP 500."""
    expect(answer.status == 500, f"The fault of {operation} came with HTTP {answer.status}.", "HTTP")


@CASES.case(
    "fault.detail",
    rule=_ERRORS,
    remedy="Put the contract's fault element into detail: applicationFault of Common/v3 for Recipient, and "
    "OPERATIONFault of Authority for Authority.",
    needs=BASE,
)
@_each
def detail(operation: str, answer: Answer, fault: Fault) -> None:
    """The detail of a fault holds the element that the contract has for the operation."""
    wanted = contract_of(operation).fault
    expect(
        fault.element == wanted,
        f"The fault of {operation} must hold {wanted}; it holds {fault.element or 'nothing'}.",
        "Fault/detail",
    )


@CASES.case(
    "fault.code",
    rule="errors, ErrorCode",
    remedy="Write ErrorCode as a number from 1 to 9998, of Authority from 2.",
    needs=("fault.detail",),
)
@_each
def code(operation: str, answer: Answer, fault: Fault) -> None:
    """ErrorCode is a number in its range."""
    holds = fault.code is not None and 2 <= fault.code <= 9998
    expect(holds, f"The code of {operation} is {'no number' if fault.code is None else fault.code}.", "ErrorCode")


@CASES.case(
    "fault.call-id",
    rule="errors, CallId",
    remedy="Give each call an id of 20 to 50 characters, such as a UUID.",
    needs=("fault.detail",),
)
@_each
def call_id(operation: str, answer: Answer, fault: Fault) -> None:
    """CallId has 20 to 50 characters."""
    length = len(fault.call_id)
    expect(20 <= length <= 50, f"The CallId of {operation} has {length} characters.", "Fault/detail/CallId")


@CASES.case(
    "fault.call-id-new",
    rule="errors, CallId is in the log and in the trace",
    remedy="Make a new CallId for each call, so that one call can be found in the log.",
    needs=("fault.call-id",),
)
def call_id_new(register: Register) -> None:
    """Each call has its own CallId."""
    ids = [fault.call_id for _, _, fault in _faults(register)]
    expect(len(set(ids)) == len(ids), "Several calls got the same CallId.", "Fault/detail/CallId")


@CASES.case(
    "fault.faultcode",
    rule="README, SOAP 1.1",
    remedy="Write the faultcode as a name in the envelope's namespace: Client for bad input, Server for the rest.",
    needs=BASE,
)
def faultcode(register: Register) -> None:
    """The faultcode of bad input is Client, with a prefix of the envelope's namespace."""
    for operation, answer, fault in _faults(register):
        node = answer.payload().find("faultcode")
        place = "Fault/faultcode"
        if node is None:
            raise Broken(f"The fault of {operation} has no faultcode.", place)
        prefix, _, _name = (node.text or "").strip().rpartition(":")
        expect(node.nsmap.get(prefix or None) == SOAP_ENVELOPE, "The prefix is not bound to the envelope's.", place)
        expect(fault.faultcode == "Client", f"The faultcode of {operation} is {fault.faultcode}.", place)


@CASES.case(
    "fault.schema",
    rule="contract.json, ExceptionInformation",
    remedy="Write ErrorCode, Description and CallId in this order, in the namespace that the schema says.",
    needs=("fault.detail", "fault.code", "fault.call-id"),
)
def schema(register: Register) -> None:
    """The element in detail follows the schema."""
    for operation, answer, _ in _faults(register):
        inner = answer.payload().find("detail/*")
        if inner is None:
            raise Broken(f"The fault of {operation} has no detail.", "Fault/detail")
        try:
            validate(inner)
        except Refused as refused:
            raise Broken(f"The detail of {operation} breaks the schema.", refused.where or "Fault/detail") from None


@CASES.case(
    "fault.silent",
    rule="errors, Description never repeats",
    remedy="Write one sentence of your own into Description and faultstring, without anything that was sent.",
    needs=BASE,
)
def silent(register: Register) -> None:
    """A fault says something, and repeats nothing that was sent."""
    word = f"k{register.run}"
    for operation, request in (
        ("isRegistered", element("isRegistered", f"<recipientId>{word}</recipientId>")),
        ("isSenderAccepted", argument("isSenderAccepted", word)),
    ):
        answer = register.call(operation, request)
        if answer.payload().tag == _FAULT:
            expect(word.encode() not in answer.raw, f"The fault of {operation} repeats what was sent.", "Description")
            fault = answer.fault()
            expect(bool(fault.description), f"The Description of {operation} is empty.", "Description")


def _refuses(operation: str) -> Callable[[Register], None]:
    def check(register: Register) -> None:
        register.refused(operation, incomplete(operation), *BAD_INPUT)

    return check


for _operation in OPERATIONS:
    CASES.add(
        f"{_operation}.bad-input",
        f"{_operation} refuses a request that breaks the schema.",
        _refuses(_operation),
        rule="errors, 5001 schema violation",
        remedy="Check each request against the schema, and refuse what breaks it with code 5001.",
        needs=CODED,
    )
