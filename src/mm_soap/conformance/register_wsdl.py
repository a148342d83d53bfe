"""The cases of the register about its WSDLs."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from mm_soap.conformance.carrying import Line
from mm_soap.conformance.model import Broken, Cases, NotTried
from mm_soap.conformance.register_requests import OPERATIONS
from mm_soap.conformance.register_target import Register, expect, port_of
from mm_soap.contract import ports
from mm_soap.errors import Refused
from mm_soap.xml import parse_untrusted

CASES: Final = Cases[Register]("register")
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
        if urlsplit(location).netloc != urlsplit(line.url).netloc:
            # A document must not decide which hosts the kit calls.
            raise NotTried("An import leads to another host than the plan's; it was not fetched.")
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
