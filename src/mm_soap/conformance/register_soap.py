"""The cases of the register that are about SOAP, HTTP and the WSDL."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from mm_soap.conformance.carrying import HEADERS, Answer, Line
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.register_requests import OPERATIONS, argument, lookup
from mm_soap.conformance.register_target import (
    BAD_INPUT,
    Register,
    checked,
    contract_of,
    expect,
    port_of,
    value,
)
from mm_soap.contract import ports
from mm_soap.errors import Refused
from mm_soap.soap.envelope import wrap
from mm_soap.xml import RECIPIENT_V2, RECIPIENT_V3, SOAP_ENVELOPE, parse_untrusted

BEFORE: Final = Cases[Register]("register")
"""What every other case rests on."""
CASES: Final = Cases[Register]("register")
BASE: Final = ("soap.content-type", "soap.envelope")
_CODED: Final = (*BASE, "fault.detail", "fault.code")


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
    for answer in _plain(register):
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        expect(kind == "text/xml", f"The answer came as {kind or 'nothing'}, HTTP {answer.status}.", "Content-Type")


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


_LOOKUP: Final = "isRegistered"


@dataclass(frozen=True)
class _Sent:
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)
    chunked: bool = False


def _usual(register: Register) -> str:
    return wrap(_request(register)).decode()


def _request(register: Register) -> bytes:
    return lookup(_LOOKUP, "", [register.plan.reachable])


def _without(name: str) -> dict[str, str]:
    return {key: content for key, content in HEADERS.items() if key != name}


def _written(register: Register, prefix: str = "q", inside: str | None = None) -> str:
    # The same request with another prefix everywhere, or with the id written in another way.
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<E:Envelope xmlns:E="{SOAP_ENVELOPE}"\n xmlns:{prefix}="{RECIPIENT_V3}">\n'
        f"  <E:Header/>\n  <E:Body>\n    <{prefix}:{_LOOKUP}>\n      <{prefix}:recipientId>"
        f"{inside or register.plan.reachable}</{prefix}:recipientId>\n    </{prefix}:{_LOOKUP}>\n  </E:Body>\n</E:Envelope>\n"
    )


def _split(register: Register, form: str) -> _Sent:
    number = register.plan.reachable
    return _Sent(_written(register, inside=form.format(number[:5], number[5:])).encode())


def _latin1(register: Register) -> _Sent:
    text = _written(register).replace("UTF-8", "ISO-8859-1").replace("<E:Header/>", "<E:Header/><!-- åäö -->")
    return _Sent(text.encode("latin-1"), {**HEADERS, "Content-Type": "text/xml; charset=iso-8859-1"})


def _header(register: Register) -> _Sent:
    header = '<soap:Header><n:note xmlns:n="urn:example:note">x</n:note></soap:Header>'
    return _Sent(_usual(register).replace("<soap:Body>", f"{header}<soap:Body>").encode())


_SAME: Final = {
    "action-absent": (
        "A request without the header SOAPAction is answered",
        "wire, SOAPAction",
        "Choose the operation by the element in the Body, and do not ask for a SOAPAction.",
        lambda register: _Sent(_usual(register).encode(), _without("SOAPAction")),
    ),
    "action-named": (
        "A request whose SOAPAction names the operation is answered",
        "wire, SOAPAction",
        "Choose the operation by the element in the Body, whatever SOAPAction says.",
        lambda register: _Sent(_usual(register).encode(), {**HEADERS, "SOAPAction": f'"{_LOOKUP}"'}),
    ),
    "no-charset": (
        "A request with Content-Type text/xml without a charset is answered",
        "wire, Content-Type",
        "Take text/xml without a charset, and read the encoding from the XML.",
        lambda register: _Sent(_usual(register).encode(), {**HEADERS, "Content-Type": "text/xml"}),
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
        lambda register: _Sent(_written(register).encode()),
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
        lambda register: _Sent(_usual(register).encode(), {**HEADERS, "Accept-Encoding": "gzip"}),
    ),
}


def _same(register: Register, sent: _Sent) -> None:
    found = register.recipient.post(sent.body, sent.headers).result(contract_of(_LOOKUP).output)
    number = value(found, "return/RecipientId")
    usual = register.ask(_LOOKUP, _request(register))
    expect(number == value(usual, "return/RecipientId"), "Another recipient is answered than was asked for.", "return")


for _name, (_title, _rule, _remedy, _make) in _SAME.items():
    CASES.add(
        f"soap.{_name}",
        f"{_title}.",
        lambda register, make=_make: _same(register, make(register)),
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
    answer = register.recipient.post(wrap(_request(register)), {**HEADERS, "Connection": "close"})
    said = answer.headers.get("connection", "nothing").lower()
    expect(said == "close", f"The answer says {said}.", "Connection")


def _or_http(answer: Answer, *statuses: int) -> None:
    # An answer, or one of the HTTP errors that come before SOAP.
    if answer.status in statuses:
        return
    if answer.status != 200:
        wanted = " or ".join(map(str, (200, *statuses)))
        raise Broken(f"HTTP {wanted} was expected; {answer.status} came.", "HTTP")
    answer.result(contract_of(_LOOKUP).output)


@CASES.case(
    "soap.chunked",
    rule="errors, 411 no length where one is needed",
    remedy="Read requests that come in chunks, or answer them with HTTP 411.",
    needs=("isRegistered.answer",),
)
def chunked(register: Register) -> None:
    """A request in chunks without a length is answered, or refused with HTTP 411."""
    _or_http(register.recipient.post(wrap(_request(register)), chunked=True), 411)


@CASES.case(
    "soap.gzip",
    rule="errors, client or transport errors before SOAP",
    remedy="Unpack a request with Content-Encoding: gzip, or answer it with HTTP 415.",
    needs=("isRegistered.answer",),
)
def compressed(register: Register) -> None:
    """A compressed request is answered, or refused with HTTP 415."""
    headers = {**HEADERS, "Content-Encoding": "gzip"}
    _or_http(register.recipient.post(gzip.compress(wrap(_request(register))), headers), 415)


@CASES.case(
    "soap.not-xml",
    rule="errors, 415 not text/xml",
    remedy="Refuse a body that is not declared as text/xml with HTTP 415.",
)
def not_xml(register: Register) -> None:
    """A request that is not declared as text/xml is refused with HTTP 415."""
    for kind in ("text/plain; charset=utf-8", "application/soap+xml; charset=utf-8"):
        answer = register.recipient.post(wrap(_request(register)), {**HEADERS, "Content-Type": kind})
        expect(answer.status == 415, f"HTTP 415 was expected for {kind}; {answer.status} came.", "HTTP")


_ENTITY: Final = '<!DOCTYPE E [<!ENTITY e "{}">]>'


def _entity(register: Register) -> bytes:
    text = _written(register, inside="&e;")
    return text.replace("?>\n", "?>" + _ENTITY.format(register.plan.reachable), 1).encode()


def _in_body(register: Register, inner: str) -> bytes:
    return f'<E:Envelope xmlns:E="{SOAP_ENVELOPE}"><E:Body>{inner}</E:Body></E:Envelope>'.encode()


def _wrong_version(register: Register) -> bytes:
    return _usual(register).replace(SOAP_ENVELOPE, "http://www.w3.org/2003/05/soap-envelope").encode()


def _understand(register: Register) -> bytes:
    block = '<soap:Header><n:n xmlns:n="urn:example:note" soap:mustUnderstand="1">x</n:n></soap:Header>'
    return _usual(register).replace("<soap:Body>", f"{block}<soap:Body>").encode()


_REFUSED: Final = {
    "malformed": (
        "A request that is not well-formed XML is refused",
        "errors, 5001 malformed XML",
        "Refuse XML that is not well-formed with a fault of code 5001.",
        "",
        lambda register: _usual(register).removesuffix("</soap:Envelope>").encode(),
    ),
    "empty": (
        "An empty request is refused",
        "errors, 5001 malformed XML",
        "Refuse a request without content with a fault of code 5001.",
        "",
        lambda register: b"",
    ),
    "no-envelope": (
        "XML that is no SOAP envelope is refused",
        "errors, 5001 bad input",
        "Refuse a request whose root is not an Envelope with a fault of code 5001.",
        "",
        _request,
    ),
    "doctype": (
        "A document type declaration is refused",
        "design, The SOAP shell; errors, 5001 bad input",
        "Refuse every request with a DOCTYPE, before anything in it is read.",
        "",
        lambda register: _written(register).replace("?>\n", "?><!DOCTYPE E>", 1).encode(),
    ),
    "entity": (
        "An entity is refused and never expanded",
        "design, The SOAP shell; errors, 5001 bad input",
        "Switch off document type declarations and entities in the parser, and refuse a request that has them.",
        "",
        _entity,
    ),
    "version": (
        "An envelope of SOAP 1.2 is refused as a wrong version",
        "README, SOAP 1.1",
        "Refuse an Envelope in another namespace with the faultcode VersionMismatch.",
        "VersionMismatch",
        _wrong_version,
    ),
    "must-understand": (
        "A header that must be understood, and is not, is refused",
        "README, SOAP 1.1",
        "Refuse unknown header blocks with mustUnderstand=1, with the faultcode MustUnderstand.",
        "MustUnderstand",
        _understand,
    ),
    "two-elements": (
        "A Body with two elements is refused",
        "signing, What a signature does not prove",
        "Refuse a Body that does not hold exactly one element.",
        "",
        lambda register: _in_body(register, _request(register).decode() * 2),
    ),
    "two-bodies": (
        "An envelope with two Body elements is refused",
        "signing, What a signature does not prove",
        "Refuse an Envelope that does not hold exactly one Body.",
        "",
        lambda register: _in_body(register, f"{_request(register).decode()}</E:Body><E:Body>"),
    ),
    "empty-body": (
        "An empty Body is refused",
        "signing, What a signature does not prove",
        "Refuse a Body without an element with a fault of code 5001.",
        "",
        lambda register: _in_body(register, ""),
    ),
    "unknown-operation": (
        "An operation that the service does not have is refused",
        "errors, 5001 bad input",
        "Refuse an element in the Body that is no operation with a fault of code 5001.",
        "",
        lambda register: _in_body(register, f'<isKnown xmlns="{RECIPIENT_V3}"/>'),
    ),
    "wrong-namespace": (
        "An operation's name in the namespace of another version is refused",
        "services, Recipient",
        "Choose the operation by namespace and name together: isRegistered stands in Recipient/v3 alone.",
        "",
        lambda register: wrap(_request(register).replace(RECIPIENT_V3.encode(), RECIPIENT_V2.encode())),
    ),
}


def _refused(register: Register, body: bytes, faultcode: str) -> None:
    answer = register.recipient.post(body)
    if faultcode:
        found = answer.fault().faultcode
        expect(found == faultcode, f"The faultcode must be {faultcode}; it is {found}.", "Fault/faultcode")
    else:
        checked(answer, *BAD_INPUT)


for _name, (_title, _rule, _remedy, _faultcode, _make) in _REFUSED.items():
    CASES.add(
        f"soap.{_name}",
        f"{_title}.",
        lambda register, make=_make, faultcode=_faultcode: _refused(register, make(register), faultcode),
        rule=_rule,
        remedy=_remedy,
        needs=BASE if _faultcode else _CODED,
    )


# The WSDL

_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_MOST_FILES: Final = 100


def _document(line: Line, url: str) -> etree._Element:
    answer = line.get(url)
    expect(answer.status == 200, f"HTTP 200 was expected; {answer.status} came.", urlsplit(url).path)
    try:
        return parse_untrusted(answer.raw)
    except Refused as refused:
        raise Broken(f"What is served is not XML: {refused.refusal.name}.", urlsplit(url).path) from None


def _wsdls(register: Register) -> list[tuple[Line, etree._Element]]:
    return [(line, _document(line, f"{line.url}?wsdl")) for line in register.lines]


def _imports(document: etree._Element) -> list[str]:
    wanted = (f"{_XS}import", f"{_XS}include", f"{_WSDL}import")
    found = ((node.get("schemaLocation") or node.get("location")) for node in document.iter(*wanted))
    return [str(location) for location in found if location]


@CASES.case("wsdl.served", rule="design, What others may rely on", remedy="Answer GET with ?wsdl with the WSDL.")
def wsdl_served(register: Register) -> None:
    """Each service answers GET with ?wsdl with its WSDL."""
    for _, document in _wsdls(register):
        expect(document.tag == f"{_WSDL}definitions", "The root must be definitions of WSDL 1.1.", "?wsdl")


@CASES.case(
    "wsdl.imports",
    rule="wire, every schemaLocation",
    remedy="Write every schemaLocation, in WSDLs and schemas, as an absolute URL that the server answers.",
    needs=("wsdl.served",),
)
def wsdl_imports(register: Register) -> None:
    """Every import of the WSDLs and of their schemas is an absolute URL that resolves."""
    seen: set[str] = set()
    waiting = [(line, location) for line, document in _wsdls(register) for location in _imports(document)]
    if not waiting:
        raise NotTried("The WSDLs import nothing.")
    while waiting and len(seen) < _MOST_FILES:
        line, location = waiting.pop()
        if location in seen:
            continue
        seen.add(location)
        expect("://" in location, "A schemaLocation is relative.", "schemaLocation")
        expect(urlsplit(location).netloc == urlsplit(line.url).netloc, "It leads to another host.", "schemaLocation")
        waiting += [(line, one) for one in _imports(_document(line, location))]


@CASES.case(
    "wsdl.operations",
    rule="contract.json, operations",
    remedy="Serve the contract's WSDL as it is: no operation more, none less, and none renamed.",
    needs=("wsdl.served",),
)
def wsdl_operations(register: Register) -> None:
    """Each WSDL names the operations of the contract."""
    for (_, document), name in zip(_wsdls(register), ("recipient", "authority"), strict=True):
        found = {str(node.get("name")) for node in document.iterfind(f"{_WSDL}portType/{_WSDL}operation")}
        wanted = {operation for operation in OPERATIONS if port_of(operation) is ports()[name]}
        missing, more = sorted(wanted - found), sorted(found - wanted)
        expect(not missing, f"The WSDL lacks {', '.join(missing)}.", "portType")
        expect(not more, f"The WSDL has {len(more)} operations that the contract has not.", "portType")
