"""Input that is hostile but harmless, and the forms of answer and fault, for every role that gets a signed delivery."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from mm_soap.conformance.carrying import Answer
from mm_soap.conformance.model import Broken, Cases
from mm_soap.conformance.signed import FAULT, SUBJECT, Bench, a_message, add, refused
from mm_soap.errors import TECHNICAL_BELOW
from mm_soap.xml import SOAP_ENVELOPE

B = TypeVar("B", bound=Bench)

ERRORS: Final = "errors.md"
BAD_INPUT: Final = "errors.md, 5001"
WIRE: Final = "wire.md, Stacks that consume all five WSDLs"
SOAP: Final = "SOAP 1.1, section 4"

_SOAP_12: Final = b"http://www.w3.org/2003/05/soap-envelope"
_ENTITIES: Final = (
    b'<!DOCTYPE e [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c SYSTEM "file:///dev/null">]>'
)
_HEADER: Final = (
    b'<soap:Header><t:prov xmlns:t="urn:example" soap:mustUnderstand="1">x</t:prov></soap:Header><soap:Body>'
)
_PARSE: Final = "Parse with DTDs and entities off, refuse any DOCTYPE, and answer every SOAP request with a fault."
_HTTP: Final = "Answer what is no SOAP request with a 4xx status or a fault, never with an error page."


def _with_header(request: bytes, header: bytes) -> bytes:
    return request.replace(b"<soap:Body>", header, 1)


def _deep(request: bytes) -> bytes:
    inside = b"<t>" * 2000 + b"</t>" * 2000
    return request.replace(
        b"<soap:Body>", b'<soap:Header><t xmlns="urn:example">%s</t></soap:Header><soap:Body>' % inside, 1
    )


def _wide(request: bytes) -> bytes:
    attributes = b" ".join(b'a%d="%d"' % (number, number) for number in range(20_000))
    return _with_header(request, b'<soap:Header><t xmlns="urn:example" %s/></soap:Header><soap:Body>' % attributes)


_BROKEN: Final[tuple[tuple[str, str, str, str, Callable[[bytes], bytes]], ...]] = (
    ("doctype", "A DOCTYPE", BAD_INPUT, _PARSE, lambda one: b"<!DOCTYPE Envelope>" + one),
    (
        "entities",
        "A DOCTYPE with entities, one of them in a text",
        BAD_INPUT,
        _PARSE,
        lambda one: _ENTITIES + one.replace(b"Prov<", b"&b;<", 1),
    ),
    ("malformed", "XML that ends too early", BAD_INPUT, _PARSE, lambda one: one[:-20]),
    ("null", "A zero byte", BAD_INPUT, _PARSE, lambda one: one.replace(b"<soap:Body>", b"<soap:Body>\0", 1)),
    ("not-soap", "XML that is no envelope", BAD_INPUT, _PARSE, lambda _: b'<prov xmlns="urn:example"/>'),
    ("empty-body", "An empty Body", BAD_INPUT, _PARSE, lambda _: _envelope(b"")),
    (
        "unknown-operation",
        "An element that is no operation",
        BAD_INPUT,
        _PARSE,
        lambda _: _envelope(b'<p xmlns="urn:p"/>'),
    ),
)
"""Must be refused with 5001."""

_HEAVY: Final = (
    ("deep", "Elements two thousand levels deep", _deep),
    ("wide", "Twenty thousand attributes", _wide),
)
"""May be accepted, where it stands outside of what is read, or refused as the caller's mistake."""


def _envelope(content: bytes) -> bytes:
    return b'<soap:Envelope xmlns:soap="%s"><soap:Body>%s</soap:Body></soap:Envelope>' % (
        SOAP_ENVELOPE.encode(),
        content,
    )


def _civil(answer: Answer) -> None:
    """Demand a 4xx status or a fault that is the caller's, or an answer."""
    if 400 <= answer.status < 500:
        return
    if answer.payload().tag.endswith("}Fault"):
        refused(answer)


def add_hostile(cases: Cases[B]) -> None:
    """Add hostile input, and at the end the question whether the party still works."""

    def broken(change: Callable[[bytes], bytes], bench: Bench) -> None:
        refused(bench.line.post(change(bench.request())), 5001, http=(400,))

    def heavy(change: Callable[[bytes], bytes], bench: Bench) -> None:
        _civil(bench.line.post(change(bench.request())))

    for name, what, rule, remedy, change in _BROKEN:
        add(cases, f"hostile.{name}", f"{what} is refused with 5001.", rule, remedy, partial(broken, change))
    for name, what, change in _HEAVY:
        title = f"{what} in a header get an answer, a 4xx status or a fault."
        add(cases, f"hostile.{name}", title, ERRORS, _PARSE, partial(heavy, change))

    @cases.case("hostile.nothing", rule=ERRORS, remedy=_HTTP)
    def nothing(bench: B) -> None:
        """A request without a body gets a 4xx status or a fault."""
        refused(bench.line.post(b""), http=range(400, 500))

    @cases.case("hostile.content-type", rule="errors.md, 415", remedy="Answer 415 where Content-Type is not text/xml.")
    def content_type(bench: B) -> None:
        """A request that is not text/xml gets HTTP 415 or a fault."""
        refused(bench.line.post(b'{"prov": 1}', {"Content-Type": "application/json"}), http=(415,))

    @cases.case("hostile.alive", rule=ERRORS, remedy="Let no request keep a worker or break it.")
    def alive(bench: B) -> None:
        """After all that a good delivery is accepted."""
        bench.accepted(bench.line.post(bench.request()))


def add_envelopes(cases: Cases[B]) -> None:
    """Add what HTTP and SOAP leave to the caller, and what they do not."""

    @cases.case("http.no-charset", rule=WIRE, remedy="Take a missing charset as what XML itself says.")
    def no_charset(bench: B) -> None:
        """Content-Type without a charset, and no SOAPAction, are accepted."""
        bench.accepted(bench.line.post(bench.request(), {"Content-Type": "text/xml"}))

    @cases.case("http.soap-action", rule=WIRE, remedy="Dispatch by the element in the Body; SOAPAction means nothing.")
    def soap_action(bench: B) -> None:
        """Whatever SOAPAction says, the element in the Body decides."""
        headers = {"Content-Type": 'text/xml; charset="UTF-8"', "SOAPAction": '"urn:prov"'}
        bench.accepted(bench.line.post(bench.request(), headers))

    @cases.case("http.declaration", rule="SOAP 1.1, section 3", remedy="Accept an XML declaration before the envelope.")
    def declaration(bench: B) -> None:
        """An XML declaration and a comment before the envelope are accepted."""
        start = b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- prov -->\n'
        bench.accepted(bench.line.post(start + bench.request()))

    @cases.case(
        "soap.must-understand", rule=f"{SOAP}.2.3", remedy="Refuse headers that must be understood and are not."
    )
    def must_understand(bench: B) -> None:
        """An unknown header that must be understood gets a fault MustUnderstand."""
        _faultcode(bench.line.post(_with_header(bench.request(), _HEADER)), "MustUnderstand")

    @cases.case(
        "soap.version", rule=f"{SOAP}.1.2", remedy="Answer an envelope of another version with VersionMismatch."
    )
    def version(bench: B) -> None:
        """An envelope of SOAP 1.2 gets a fault VersionMismatch."""
        request = bench.request().replace(SOAP_ENVELOPE.encode(), _SOAP_12)
        _faultcode(bench.line.post(request), "VersionMismatch")


def _faultcode(answer: Answer, wanted: str) -> None:
    fault = answer.fault()
    if fault.faultcode != wanted:
        raise Broken(f"The faultcode must be {wanted}; it is {fault.faultcode}.", "Fault/faultcode")


def add_faults(cases: Cases[B]) -> None:
    """Add what every fault must be like."""

    def refusal(bench: Bench) -> Answer:
        return bench.send(bench.unsigned())

    @cases.case("fault.form", rule=ERRORS, remedy="Answer each refusal with HTTP 500 and a typed applicationFault.")
    def form(bench: B) -> None:
        """A fault comes with HTTP 500, an applicationFault in detail, ErrorCode and CallId."""
        refusal(bench).refusal(FAULT)

    @cases.case("fault.soap-form", rule=ERRORS, remedy="Answer what is no SOAP envelope with the same kind of fault.")
    def soap_form(bench: B) -> None:
        """The fault for something that is no operation has the same form."""
        fault = bench.line.post(_envelope(b'<p xmlns="urn:p"/>')).fault()
        if fault.element != FAULT or fault.code is None:
            raise Broken(f"The detail must hold {FAULT} with an ErrorCode.", "Fault/detail")

    @cases.case("fault.call-id", rule=ERRORS, remedy="Give each call a CallId of its own, and write it to the log.")
    def call_id(bench: B) -> None:
        """Two calls get two CallIds."""
        first, second = refusal(bench).fault(), refusal(bench).fault()
        if first.call_id == second.call_id:
            raise Broken("Two calls got the same CallId.", "Fault/detail/CallId")

    @cases.case(
        "fault.faultcode", rule=f"{SOAP}.4.1", remedy="Use Client from 5000 on: the caller must change something."
    )
    def faultcode(bench: B) -> None:
        """The faultcode of what the caller must change is Client."""
        answer = refusal(bench)
        if (answer.fault().code or 0) >= TECHNICAL_BELOW:
            _faultcode(answer, "Client")

    @cases.case("fault.silent", rule=ERRORS, remedy="Write fixed sentences into Description, nothing of the message.")
    def silent(bench: B) -> None:
        """A fault repeats nothing of what was sent."""
        subject = SUBJECT + " " + "x" * 300
        answer = bench.send(bench.sign(bench.unsigned(a_message(subject))))
        sent = (SUBJECT, bench.signed_plan.recipient, "x" * 20)
        if any(one.encode() in answer.raw for one in sent):
            raise Broken("The fault holds what was sent.", "Fault/detail/Description")
