"""The cases of the register about envelopes that must be refused. All of them are small and do no harm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from mm_soap.conformance.model import Cases
from mm_soap.conformance.register_soap import BASE, CODED, request, usual, written
from mm_soap.conformance.register_target import BAD_INPUT, Register, checked, expect
from mm_soap.soap.envelope import wrap
from mm_soap.xml import RECIPIENT_V2, RECIPIENT_V3, SOAP_ENVELOPE

CASES: Final = Cases[Register]("register")
_ENTITY: Final = '<!DOCTYPE E [<!ENTITY e "{}">]>'


def _entity(register: Register) -> bytes:
    text = written(register, inside="&e;")
    return text.replace("?>\n", "?>" + _ENTITY.format(register.plan.reachable), 1).encode()


def _in_body(register: Register, inner: str) -> bytes:
    return f'<E:Envelope xmlns:E="{SOAP_ENVELOPE}"><E:Body>{inner}</E:Body></E:Envelope>'.encode()


def _wrong_version(register: Register) -> bytes:
    return usual(register).replace(SOAP_ENVELOPE, "http://www.w3.org/2003/05/soap-envelope").encode()


def _understand(register: Register) -> bytes:
    block = '<soap:Header><n:n xmlns:n="urn:example:note" soap:mustUnderstand="1">x</n:n></soap:Header>'
    return usual(register).replace("<soap:Body>", f"{block}<soap:Body>").encode()


_REFUSED: Final[dict[str, tuple[str, str, str, str, Callable[[Register], bytes]]]] = {
    "malformed": (
        "A request that is not well-formed XML is refused",
        "errors, 5001 malformed XML",
        "Refuse XML that is not well-formed with a fault of code 5001.",
        "",
        lambda register: usual(register).removesuffix("</soap:Envelope>").encode(),
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
        request,
    ),
    "doctype": (
        "A document type declaration is refused",
        "design, The SOAP shell; errors, 5001 bad input",
        "Refuse every request with a DOCTYPE, before anything in it is read.",
        "",
        lambda register: written(register).replace("?>\n", "?><!DOCTYPE E>", 1).encode(),
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
        lambda register: _in_body(register, request(register).decode() * 2),
    ),
    "two-bodies": (
        "An envelope with two Body elements is refused",
        "signing, What a signature does not prove",
        "Refuse an Envelope that does not hold exactly one Body.",
        "",
        lambda register: _in_body(register, f"{request(register).decode()}</E:Body><E:Body>"),
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
        lambda register: wrap(request(register).replace(RECIPIENT_V3.encode(), RECIPIENT_V2.encode())),
    ),
}


def _refused(register: Register, make: Callable[[Register], bytes], faultcode: str) -> None:
    answer = register.recipient.post(make(register))
    if faultcode:
        found = answer.fault().faultcode
        expect(found == faultcode, f"The faultcode must be {faultcode}; it is {found}.", "Fault/faultcode")
    else:
        checked(answer, *BAD_INPUT)


for _name, (_title, _rule, _remedy, _faultcode, _make) in _REFUSED.items():
    CASES.add(
        f"soap.{_name}",
        f"{_title}.",
        partial(_refused, make=_make, faultcode=_faultcode),
        rule=_rule,
        remedy=_remedy,
        needs=BASE if _faultcode else CODED,
    )
