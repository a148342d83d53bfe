"""The schema decides: lxml's compiled schema over the whole contract, and what it says without what was sent."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any, Final

from lxml import etree

from mm_soap.contract.catalogue import ports
from mm_soap.contract.files import contract_files, unpacked_schemas
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.xml import XSI

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_ADDRESS_TYPE: Final = "EMailAdress"
_ADDRESS_LENGTH: Final = 256
_XSI_TYPE: Final = f"{{{XSI}}}type"
_local = threading.local()

_STEP: Final = re.compile(r"^(?:([^:\[\]]+):)?([^:\[\]]+)(?:\[(\d+)\])?$")
_EXPECTED: Final = re.compile(r"Expected is (?:one of )?\( ([^()']*) \)\.$")
_RULES: Final = {
    "SCHEMAV_ELEMENT_CONTENT": "unexpected or missing element",
    "SCHEMAV_CVC_PATTERN_VALID": "pattern",
    "SCHEMAV_CVC_LENGTH_VALID": "length",
    "SCHEMAV_CVC_MINLENGTH_VALID": "too short",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "too long",
    "SCHEMAV_CVC_ENUMERATION_VALID": "not one of the values",
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "too small",
    "SCHEMAV_CVC_MINEXCLUSIVE_VALID": "too small",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "too large",
    "SCHEMAV_CVC_MAXEXCLUSIVE_VALID": "too large",
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": "data type",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "text where only elements may stand",
    "SCHEMAV_CVC_TYPE_3_1_1": "unknown attribute",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "unknown attribute",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2": "unknown attribute",
    "SCHEMAV_CVC_COMPLEX_TYPE_4": "missing attribute",
    "SCHEMAV_CVC_ELT_1": "not an element of the contract",
    "SCHEMAV_CVC_ELT_4_2": "xsi:type",
    "SCHEMAV_CVC_ELT_4_3": "xsi:type",
}


def validate(element: etree._Element) -> None:
    """Check an element against the schema of the contract.

    The element must be one that the contract declares globally. It may stand alone or deep inside an envelope; it is
    checked where it is, without a copy.

    Raises:
        Refused: ``SCHEMA_VIOLATION``. ``where`` is the place in the contract's names and the kind of rule, with nothing
            of what was sent.
    """
    schema = _schema()
    _check_addresses(element)
    try:
        valid = schema.validate(element)
    except etree.XMLSchemaValidateError:
        raise Refused(Refusal.SCHEMA_VIOLATION, "the schema could not be applied") from None
    if not valid:
        raise Refused(Refusal.SCHEMA_VIOLATION, _where(element, schema.error_log))


def prepare() -> None:
    """Compile this thread's schema now, so that no caller waits for it. Takes some milliseconds and 1.5 MB a thread."""
    _schema()


def _schema() -> etree.XMLSchema:
    # One object for each thread: a shared one mixes up the errors of its threads, and so shows one caller what another
    # one sent.
    schema: etree.XMLSchema | None = getattr(_local, "schema", None)
    if schema is None:
        schema = _local.schema = _compile()
    return schema


def _check_addresses(element: etree._Element) -> None:
    # libxml2 tries the pattern of an e-mail address also where the address is too long, in time that grows with the
    # square of its length: some 8 kB of "@" take a second. So the length goes first, wherever the type may stand: where
    # the contract has it, and where xsi:type names it.
    typed: Any = getattr(_local, "typed", None)
    if typed is None:
        # From the attribute back to its element: six times as fast as to ask each element whether it has one.
        typed = _local.typed = etree.XPath("descendant::*/@xsi:type/..", namespaces={"xsi": XSI})
    named = (node for node in typed(element) if node.get(_XSI_TYPE).rpartition(":")[2].strip() == _ADDRESS_TYPE)
    for node in chain(element.iter(*_address_elements()), named):
        length = 0
        for text in node.itertext():
            length += len(text)
            if length > _ADDRESS_LENGTH:
                break
        if length > _ADDRESS_LENGTH:
            name = etree.QName(node).localname
            raise Refused(Refusal.SCHEMA_VIOLATION, f"{name if name in _names() else '(unknown)'}: too long")


def _compile() -> etree.XMLSchema:
    with unpacked_schemas() as driver:
        schema = etree.XMLSchema(file=str(driver))
    for port in ports().values():
        for operation in port.operations.values():
            for name in (operation.input, operation.output, operation.fault):
                schema.validate(etree.Element(name))
                if "SCHEMAV_CVC_ELT_1" in str(schema.error_log):
                    raise ConfigurationError(f"the schema of the contract lacks {name}")
    return schema


@cache
def _address_elements() -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                f"{{*}}{node.get('name')}"
                for path, raw in contract_files().items()
                if path.startswith("/xsd/")
                for node in etree.fromstring(raw).iter(f"{_XS}element")
                if str(node.get("type")).rpartition(":")[2] == _ADDRESS_TYPE
            }
        )
    )


@cache
def _names() -> frozenset[str]:
    # Every local name that the contract itself uses for an element: these may be shown.
    return frozenset(
        str(node.get("name"))
        for path, raw in contract_files().items()
        if path.startswith("/xsd/")
        for node in etree.fromstring(raw).iter(f"{_XS}element")
        if node.get("name")
    )


def _where(element: etree._Element, log: Any) -> str:
    for entry in log:
        path = "/".join(_steps(element, entry.path or ""))
        return f"{path}: {_RULES.get(entry.type_name, 'schema')}{_expected(entry.message or '')}"
    return ""


def _steps(element: etree._Element, path: str) -> Iterator[str]:
    # libxml2 writes a path with the caller's own prefixes; each step is looked up and shown by the contract's name.
    node: etree._Element | None = element
    for number, step in enumerate(path.strip("/").split("/")):
        match = _STEP.match(step)
        if match is None or node is None:
            return
        if number:
            node = _child(node, match[1], match[2], int(match[3] or 1))
        name = etree.QName(node).localname if node is not None else ""
        if node is None or name not in _names():
            yield "(unknown)"
            return
        yield name + (_index(node) if number else "")


def _index(node: etree._Element) -> str:
    # libxml2 counts all children where a name has no prefix, and those of the name where it has one.
    before, after = (sum(1 for _ in node.itersiblings(node.tag, preceding=way)) for way in (True, False))
    return f"[{before + 1}]" if before + after else ""


def _child(node: etree._Element, prefix: str | None, name: str, position: int) -> etree._Element | None:
    for child in node.iterchildren("*"):
        if name == "*" or (child.prefix == prefix and etree.QName(child).localname == name):
            position -= 1
            if not position:
                return child
    return None


def _expected(message: str) -> str:
    match = _EXPECTED.search(message)
    if match is None:
        return ""
    names = [name.strip().rpartition("}")[2] for name in match[1].split(",")]
    return f", expected {' or '.join(names)}" if set(names) <= _names() else ""
