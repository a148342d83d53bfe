"""The cases of the register that are about SOAP, HTTP and the WSDL."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mm_soap.conformance.carrying import HEADERS, Answer
from mm_soap.conformance.model import Broken, Cases
from mm_soap.conformance.register_requests import argument, lookup
from mm_soap.conformance.register_target import (
    Register,
    contract_of,
    expect,
    value,
)
from mm_soap.soap.envelope import wrap
from mm_soap.xml import RECIPIENT_V3, SOAP_ENVELOPE

BEFORE: Final = Cases[Register]("register")
"""What every other case rests on."""
CASES: Final = Cases[Register]("register")
BASE: Final = ("soap.content-type", "soap.envelope")
"""What a case needs that looks at an answer."""
CODED: Final = (*BASE, "fault.detail", "fault.code")
"""What a case needs that looks at the code of a fault."""


def _plain(register: Register) -> tuple[Answer, Answer]:
    # The simplest call of each service.
    plan = register.plan
    return (
        register.call("isRegistered", lookup("isRegistered", "", [plan.reachable])),
        register.call("isSenderAccepted", argument("isSenderAccepted", plan.sender)),
    )


@BEFORE.case(
    "soap.content-type",
    rule="wire, Content-Type",
    remedy="Answer every SOAP request with the header Content-Type: text/xml; charset=utf-8.",
)
def content_type(register: Register) -> None:
    """Answers of both services are text/xml."""
    for name, answer in zip(("Recipient", "Authority"), _plain(register), strict=True):
        there = answer.status in (200, 500)
        expect(there, f"{name} answered HTTP {answer.status} to a right call: check its address in the plan.", "HTTP")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        expect(kind == "text/xml", f"The answer of {name} came as {kind or 'nothing'}.", "Content-Type")


@BEFORE.case(
    "soap.envelope",
    rule="errors, the first lines; README",
    remedy="Answer with an Envelope of SOAP 1.1, with one Body that holds one element.",
    needs=("soap.content-type",),
)
def envelope(register: Register) -> None:
    """Answers of both services are SOAP 1.1 envelopes with one element in the Body."""
    for answer in _plain(register):
        answer.payload()


LOOKUP: Final = "isRegistered"


@dataclass(frozen=True)
class _Sent:
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)
    chunked: bool = False


def usual(register: Register) -> str:
    """Return the simplest call of isRegistered in its envelope."""
    return wrap(request(register)).decode()


def request(register: Register) -> bytes:
    """Return the simplest call of isRegistered without an envelope."""
    return lookup(LOOKUP, "", [register.plan.reachable])


def _without(name: str) -> dict[str, str]:
    return {key: content for key, content in HEADERS.items() if key != name}


def written(register: Register, prefix: str = "q", inside: str | None = None) -> str:
    """Return that call with another prefix everywhere, and the id as it is or as it is written in ``inside``."""
    names = f'xmlns:E="{SOAP_ENVELOPE}"\n xmlns:{prefix}="{RECIPIENT_V3}"'
    number = inside or register.plan.reachable
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<E:Envelope {names}>\n  <E:Header/>\n  <E:Body>\n'
        f"    <{prefix}:{LOOKUP}>\n      <{prefix}:recipientId>{number}</{prefix}:recipientId>\n"
        f"    </{prefix}:{LOOKUP}>\n"
        "  </E:Body>\n</E:Envelope>\n"
    )


def _split(register: Register, form: str) -> _Sent:
    number = register.plan.reachable
    return _Sent(written(register, inside=form.format(number[:5], number[5:])).encode())


def _latin1(register: Register) -> _Sent:
    text = written(register).replace("UTF-8", "ISO-8859-1").replace("<E:Header/>", "<E:Header/><!-- åäö -->")
    return _Sent(text.encode("latin-1"), {**HEADERS, "Content-Type": "text/xml; charset=iso-8859-1"})


def _header(register: Register) -> _Sent:
    header = '<soap:Header><n:note xmlns:n="urn:example:note">x</n:note></soap:Header>'
    return _Sent(usual(register).replace("<soap:Body>", f"{header}<soap:Body>").encode())


_SAME: Final[dict[str, tuple[str, str, str, Callable[[Register], _Sent]]]] = {
    "action-absent": (
        "A request without the header SOAPAction is answered",
        "wire, SOAPAction",
        "Choose the operation by the element in the Body, and do not ask for a SOAPAction.",
        lambda register: _Sent(usual(register).encode(), _without("SOAPAction")),
    ),
    "action-named": (
        "A request whose SOAPAction names the operation is answered",
        "wire, SOAPAction",
        "Choose the operation by the element in the Body, whatever SOAPAction says.",
        lambda register: _Sent(usual(register).encode(), {**HEADERS, "SOAPAction": f'"{LOOKUP}"'}),
    ),
    "no-charset": (
        "A request with Content-Type text/xml without a charset is answered",
        "wire, Content-Type",
        "Take text/xml without a charset, and read the encoding from the XML.",
        lambda register: _Sent(usual(register).encode(), {**HEADERS, "Content-Type": "text/xml"}),
    ),
    "latin-1": (
        "A request in ISO-8859-1 that says so is answered",
        "errors, 5001 malformed XML",
        "Read the XML in the encoding that its declaration and the Content-Type name.",
        _latin1,
    ),
    "prefixes": (
        "A request with other prefixes and with white space between elements is answered",
        "wire, Signatures on the wire",
        "Compare namespaces and local names, never prefixes, and skip white space between elements.",
        lambda register: _Sent(written(register).encode()),
    ),
    "comment": (
        "A comment inside a value does not cut the value short",
        "signing, What a signature does not prove",
        "Take the whole text of an element, also after a comment in it.",
        lambda register: _split(register, "{}<!-- note -->{}"),
    ),
    "processing-instruction": (
        "A processing instruction inside a value does not cut the value short",
        "signing, What a signature does not prove",
        "Take the whole text of an element, also after a processing instruction in it.",
        lambda register: _split(register, "{}<?note x?>{}"),
    ),
    "cdata": (
        "A value in a CDATA section is the same value",
        "signing, What a signature does not prove",
        "Take the text of a CDATA section as any other text.",
        lambda register: _split(register, "{}<![CDATA[{}]]>"),
    ),
    "header": (
        "A SOAP header that need not be understood is ignored",
        "README, SOAP 1.1",
        "Ignore header blocks without mustUnderstand.",
        _header,
    ),
    "accept-gzip": (
        "A caller that takes gzip gets an answer that it can read",
        "wire, Accept-Encoding",
        "Compress an answer only together with the header Content-Encoding, or do not compress it.",
        lambda register: _Sent(usual(register).encode(), {**HEADERS, "Accept-Encoding": "gzip"}),
    ),
}


def _same(register: Register, make: Callable[[Register], _Sent]) -> None:
    sent = make(register)
    found = register.recipient.post(sent.body, sent.headers).result(contract_of(LOOKUP).output)
    number = value(found, "return/RecipientId")
    usual = register.ask(LOOKUP, request(register))
    expect(number == value(usual, "return/RecipientId"), "Another recipient is answered than was asked for.", "return")


for _name, (_title, _rule, _remedy, _make) in _SAME.items():
    CASES.add(
        f"soap.{_name}",
        f"{_title}.",
        partial(_same, make=_make),
        rule=_rule,
        remedy=_remedy,
        needs=(*BASE, "isRegistered.answer"),
    )


@CASES.case(
    "soap.connection-close",
    rule="wire, strong-soap",
    remedy="Say Connection: close in the answer when the request said so.",
    needs=("isRegistered.answer",),
)
def connection_close(register: Register) -> None:
    """An answer says Connection: close when the request did."""
    answer = register.recipient.post(wrap(request(register)), {**HEADERS, "Connection": "close"})
    said = answer.headers.get("connection", "nothing").lower()
    expect(said == "close", f"The answer says {said}.", "Connection")


def _or_http(answer: Answer, *statuses: int) -> None:
    # An answer, or one of the HTTP errors that come before SOAP.
    if answer.status in statuses:
        return
    if answer.status != 200:
        wanted = " or ".join(map(str, (200, *statuses)))
        raise Broken(f"HTTP {wanted} was expected; {answer.status} came.", "HTTP")
    answer.result(contract_of(LOOKUP).output)


@CASES.case(
    "soap.chunked",
    rule="errors, 411 no length where one is needed",
    remedy="Read requests that come in chunks, or answer them with HTTP 411.",
    needs=("isRegistered.answer",),
)
def chunked(register: Register) -> None:
    """A request in chunks without a length is answered, or refused with HTTP 411."""
    _or_http(register.recipient.post(wrap(request(register)), chunked=True), 411)


@CASES.case(
    "soap.gzip",
    rule="errors, client or transport errors before SOAP",
    remedy="Unpack a request with Content-Encoding: gzip, or answer it with HTTP 415.",
    needs=("isRegistered.answer",),
)
def compressed(register: Register) -> None:
    """A compressed request is answered, or refused with HTTP 415."""
    headers = {**HEADERS, "Content-Encoding": "gzip"}
    _or_http(register.recipient.post(gzip.compress(wrap(request(register))), headers), 415)


@CASES.case(
    "soap.not-xml",
    rule="errors, 415 not text/xml",
    remedy="Refuse a body that is not declared as text/xml with HTTP 415.",
)
def not_xml(register: Register) -> None:
    """A request that is not declared as text/xml is refused with HTTP 415."""
    for kind in ("text/plain; charset=utf-8", "application/soap+xml; charset=utf-8"):
        answer = register.recipient.post(wrap(request(register)), {**HEADERS, "Content-Type": kind})
        expect(answer.status == 415, f"HTTP 415 was expected for {kind}; {answer.status} came.", "HTTP")
