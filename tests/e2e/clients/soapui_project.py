"""Reads a SoapUI project of version 5.7. What it does not know is an error, so that no test passes anything over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from tests.e2e.clients.soapui_shapes import CONFIGURATIONS, SHAPES

CONFIG = "http://eviware.com/soapui/config"


class NotUnderstood(Exception):
    """The project has something that SoapUI would not write, or that the player cannot play."""


@dataclass(frozen=True)
class Interface:
    name: str
    binding: str
    definition: str
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Assertion:
    kind: str
    name: str
    settings: dict[str, str]


@dataclass(frozen=True)
class Request:
    name: str
    interface: str
    operation: str
    endpoint: str
    body: str
    assertions: tuple[Assertion, ...]


@dataclass(frozen=True)
class Transfer:
    """Copies what an XPath selects in the answer of an earlier step to a property of the test case."""

    name: str
    source: str
    path: str
    target: str


@dataclass(frozen=True)
class Delay:
    name: str
    milliseconds: str


@dataclass(frozen=True)
class Case:
    suite: str
    name: str
    steps: tuple[Request | Transfer | Delay, ...]
    properties: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.suite}: {self.name}"


@dataclass(frozen=True)
class Project:
    interfaces: dict[str, Interface]
    cases: tuple[Case, ...]
    properties: dict[str, str] = field(repr=False)


def read_project(path: Path) -> Project:
    """Read a project file.

    Raises:
        NotUnderstood: it has an element, attribute, value or order that is not known here.
    """
    root = etree.parse(path, etree.XMLParser(remove_comments=True)).getroot()
    _check(root)
    _check_ids(root)
    cases = [_case(suite, case) for suite in _all(root, "testSuite") for case in _all(suite, "testCase")]
    names = [str(case) for case in cases]
    if len(set(names)) != len(names):
        raise NotUnderstood("two test cases have the same name")
    interfaces = {str(entry.get("name")): _interface(entry) for entry in _all(root, "interface")}
    return Project(interfaces, tuple(cases), _properties(root))


def _shape_of(element: etree._Element) -> str:
    """Some names mean several things, by where they stand."""
    name = _name(element)
    parent = element.getparent()
    above = _name(parent) if parent is not None else ""
    if name == "con:config":
        return f"{name} {parent.get('type')}" if parent is not None else name
    if above == "con:config":
        return "con:request step" if name == "con:request" else f"{name} text" if f"{name} text" in SHAPES else name
    return "con:request text" if name == "con:request" else name


def _check(element: etree._Element) -> None:
    name, place = _shape_of(element), f"line {element.sourceline}"
    children = "".join(f"{_name(child)} " for child in element)
    if name == "con:configuration":
        attributes, expected = {}, _configuration(element.getparent())
    elif name in SHAPES:
        attributes, expected = SHAPES[name]
    else:
        raise NotUnderstood(f"{place}: element {name}")
    if set(element.attrib) != set(attributes):
        raise NotUnderstood(f"{place}: {name} has the attributes {sorted(element.attrib)}")
    for attribute, value in attributes.items():
        if not re.fullmatch(r".+" if value is None else value, element.attrib[attribute]):
            raise NotUnderstood(f"{place}: {name} has {attribute}={element.attrib[attribute]!r}")
    text = (element.text or "").strip()
    if expected.startswith("#"):
        if len(element) or (expected != "#" and text != expected[1:]):
            raise NotUnderstood(f"{place}: {name} has the text {text!r}")
        return
    if not re.fullmatch(expected, children) or text:
        raise NotUnderstood(f"{place}: {name} has the content {text}{children}")
    if name == "con:assertion" and (CONFIGURATIONS.get(str(element.get("type")), "") is None) != (len(element) == 0):
        raise NotUnderstood(f"{place}: assertion {element.get('type')}")
    for child in element:
        _check(child)


def _configuration(assertion: etree._Element | None) -> str:
    kind = "" if assertion is None else str(assertion.get("type"))
    expected = CONFIGURATIONS.get(kind)
    if expected is None:
        raise NotUnderstood(f"assertion {kind} with a configuration")
    return expected


def _check_ids(root: etree._Element) -> None:
    ids = [str(element.get("id")) for element in root.iter() if "id" in element.attrib]
    if len(set(ids)) != len(ids):
        raise NotUnderstood("two elements have the same id")


def _interface(element: etree._Element) -> Interface:
    operations = tuple(str(entry.get("name")) for entry in _all(element, "operation"))
    name, binding, definition = (str(element.get(key)) for key in ("name", "bindingName", "definition"))
    return Interface(name, binding, definition, operations)


def _case(suite: etree._Element, case: etree._Element) -> Case:
    steps = tuple(step for element in _all(case, "testStep") for step in _steps(element))
    return Case(str(suite.get("name")), str(case.get("name")), steps, tuple(_properties(case)))


def _steps(step: etree._Element) -> Iterator[Request | Transfer | Delay]:
    name = str(step.get("name"))
    config = next(_all(step, "config"))
    if step.get("type") == "delay":
        yield Delay(name, _text(config, "delay", ""))
    elif step.get("type") == "transfer":
        for entry in _all(config, "transfers"):
            if (_text(entry, "sourceType"), _text(entry, "targetStep"), _text(entry, "type")) != (
                ("Response", "#TestCase#", "XPATH")
            ):
                raise NotUnderstood(f"transfer {name}")
            yield Transfer(name, _text(entry, "sourceStep"), _text(entry, "sourcePath"), _text(entry, "targetType"))
    else:
        request = next(_all(config, "request"))
        assertions = tuple(
            Assertion(
                str(entry.get("type")),
                str(entry.get("name")),
                {_name(setting): setting.text or "" for setting in entry.iterfind("*/*")},
            )
            for entry in _all(request, "assertion")
        )
        called = (_text(config, "interface"), _text(config, "operation"), _text(request, "endpoint"))
        yield Request(name, *called, _text(request, "request"), assertions)


def _properties(parent: etree._Element) -> dict[str, str]:
    entries = next(_all(parent, "properties"))
    return {_text(entry, "name"): _text(entry, "value") for entry in entries}


def _all(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    return parent.iterchildren(f"{{{CONFIG}}}{name}")


def _text(parent: etree._Element, name: str, namespace: str = CONFIG) -> str:
    return parent.findtext(f"{{{namespace}}}{name}" if namespace else name) or ""


def _name(element: etree._Element) -> str:
    return str(element.tag).replace(f"{{{CONFIG}}}", "con:")
