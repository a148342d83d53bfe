"""Plays the test cases of a SoapUI project: expands properties, sends requests, judges the answers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener
from urllib.request import Request as HttpRequest

from lxml import etree

from tests.e2e.clients.soapui_project import (
    Assertion,
    Case,
    Delay,
    NotUnderstood,
    Project,
    Request,
    Transfer,
)
from tests.e2e.clients.soapui_shapes import A_FAULT, NO_FAULT

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
_HTTP = build_opener(ProxyHandler({}))


class Failed(AssertionError):
    """An assertion of the project does not hold, or a step could not be played."""


@dataclass(frozen=True)
class Answer:
    text: str
    definition: Definition
    operation: str

    @cached_property
    def root(self) -> etree._Element:
        return etree.fromstring(self.text.encode())

    @property
    def content(self) -> etree._Element:
        """The one element in the Body."""
        body = self.root.find(f"{SOAP}Body")
        if self.root.tag != f"{SOAP}Envelope" or body is None or len(body) != 1:
            raise Failed("the answer is not a SOAP envelope with one element in its Body")
        return body[0]


class Player:
    """Plays against whatever the project's property ``endpoint`` names."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._definitions: dict[str, Definition] = {}

    def play(self, case: Case) -> None:
        """Play every step of a case; raise Failed with all assertions that do not hold in the first step that fails."""
        run = _Run(self._project.properties, dict.fromkeys(case.properties, ""))
        for step in case.steps:
            if isinstance(step, Delay):
                time.sleep(int(run.expand(step.milliseconds)) / 1000)
            elif isinstance(step, Transfer):
                if step.target not in run.case:
                    raise NotUnderstood(f"{case}: no property {step.target}")
                run.case[step.target] = select(run.answers[step.source], run.expand(step.path))
            else:
                run.answers[step.name] = answer = self._answer(step, run)
                judged = [(assertion, _problem(assertion, answer, run)) for assertion in step.assertions]
                if problems := [f"{assertion.name}: {problem}" for assertion, problem in judged if problem]:
                    raise Failed(f"{case}, {step.name}: {problems}\n{answer.text}")

    def definition(self, interface: str) -> Definition:
        """Return the WSDL of an interface, from where the project says that it is."""
        if interface not in self._definitions:
            entry = self._project.interfaces[interface]
            address = _Run(self._project.properties, {}).expand(entry.definition)
            self._definitions[interface] = Definition(address, entry.binding)
        return self._definitions[interface]

    def _answer(self, step: Request, run: _Run) -> Answer:
        definition = self.definition(step.interface)
        body = run.expand(step.body)
        asked = etree.fromstring(body.encode()).find(f"{SOAP}Body/*")
        if asked is None or asked.tag != definition.messages(step.operation)[0]:
            raise Failed(f"{step.name} does not ask for {step.operation}")
        headers = {"Content-Type": "text/xml;charset=UTF-8", "SOAPAction": '""'}
        return Answer(_fetch(run.expand(step.endpoint), body.encode(), headers).decode(), definition, step.operation)


@dataclass
class _Run:
    """The properties and answers while one case is played."""

    project: dict[str, str]
    case: dict[str, str]
    answers: dict[str, Answer] = field(default_factory=dict)

    def expand(self, text: str) -> str:
        """Put in the properties: ``${#Project#name}`` and ``${#TestCase#name}``."""
        expanded = re.sub(r"\$\{([^}]*)\}", self._value, text)
        if "${" in expanded:
            raise NotUnderstood("a property whose value names another property")
        return expanded

    def _value(self, found: re.Match[str]) -> str:
        _, scope, name = found[1].split("#") if found[1].count("#") == 2 else ("", "", "")
        properties = {"Project": self.project, "TestCase": self.case}.get(scope)
        if properties is None or name not in properties:
            raise NotUnderstood(found[0])
        return properties[name]


class Definition:
    """A WSDL with its schemas, read over HTTP."""

    def __init__(self, address: str, binding: str) -> None:
        self._wsdl = etree.fromstring(_fetch(address))
        self._namespace = str(self._wsdl.get("targetNamespace"))
        found = self._named("binding", binding.rpartition("}")[2])
        if binding != f"{{{self._namespace}}}{found.get('name')}":
            raise Failed(f"no binding {binding}")
        port_type = self._named("portType", str(found.get("type")).rpartition(":")[2])
        self.operations = {str(entry.get("name")): entry for entry in port_type.iterfind(f"{WSDL}operation")}

    def messages(self, operation: str) -> tuple[str, str, str]:
        """Return the names of an operation's elements: what asks, what answers, and the detail of a fault."""
        entry = self.operations[operation]
        asked, answered, fault = (self._element(entry.find(f"{WSDL}{kind}")) for kind in ("input", "output", "fault"))
        return asked, answered, fault

    @cached_property
    def schema(self) -> etree.XMLSchema:
        parser = etree.XMLParser()
        parser.resolvers.add(_Fetcher())
        types = self._wsdl.find(f"{WSDL}types/{SCHEMA}schema")
        if types is None:
            raise Failed("the WSDL has no schema")
        return etree.XMLSchema(etree.fromstring(etree.tostring(types), parser))

    def _named(self, kind: str, name: str) -> etree._Element:
        return next(entry for entry in self._wsdl.iterfind(f"{WSDL}{kind}") if entry.get("name") == name)

    def _element(self, reference: Any) -> str:
        part = self._named("message", reference.get("message").rpartition(":")[2])[0]
        prefix, _, name = str(part.get("element")).rpartition(":")
        return f"{{{part.nsmap[prefix]}}}{name}"


class _Fetcher(etree.Resolver):
    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:
        return self.resolve_string(_fetch(system_url), context, base_url=system_url)


def _fetch(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    try:
        with _HTTP.open(HttpRequest(url, body, headers or {}), timeout=30) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        with error:
            if body is None or error.code != 500:  # the status of every SOAP fault
                raise Failed(f"{url} answers with status {error.code}") from None
            return error.read()


def select(answer: Answer, path: str) -> str:
    """Return the one value that an XPath with SoapUI's namespace declarations selects."""
    declaration = re.compile(r"\s*declare namespace ([\w.-]+)='([^']*)';")
    namespaces: dict[str, str] = {}
    while found := declaration.match(path):
        namespaces[found[1]] = found[2]
        path = path[found.end() :]
    try:
        selected = answer.root.xpath(path.strip(), namespaces=namespaces)
    except etree.XPathError as error:
        raise NotUnderstood(f"{path}: {error}") from None
    if isinstance(selected, bool):
        return str(selected).lower()
    if isinstance(selected, float):
        return f"{selected:g}"
    if not isinstance(selected, list) or len(selected) != 1:
        # SoapUI is content if any of several values matches. That hides too much.
        raise Failed(f"{path.strip()} selects {len(selected)} values")
    if not isinstance(selected[0], etree._Element) or len(selected[0]):
        raise NotUnderstood(f"{path} selects something else than an element with text")
    return selected[0].text or ""


def _problem(assertion: Assertion, answer: Answer, run: _Run) -> str | None:
    """Return why an assertion does not hold, or None."""
    settings = {name: run.expand(value) for name, value in assertion.settings.items()}
    try:
        _JUDGES[assertion.kind](answer, settings)
    except Failed as failed:
        return str(failed)
    return None


def _is_soap(answer: Answer, settings: dict[str, str]) -> None:
    _ = answer.content


def _is_no_fault(answer: Answer, settings: dict[str, str]) -> None:
    if answer.content.tag == f"{SOAP}Fault":
        raise Failed("it is a fault")


def _is_fault(answer: Answer, settings: dict[str, str]) -> None:
    if answer.content.tag != f"{SOAP}Fault":
        raise Failed("it is not a fault")


def _follows_schema(answer: Answer, settings: dict[str, str]) -> None:
    _, answered, fault = answer.definition.messages(answer.operation)
    content, expected = answer.content, answered
    if content.tag == f"{SOAP}Fault":
        detail = content.find("detail")
        if detail is None or len(detail) != 1:
            raise Failed("the fault has no detail, or more than one")
        content, expected = detail[0], fault
    if content.tag != expected:
        raise Failed(f"{content.tag} instead of {expected}")
    if not answer.definition.schema.validate(content):
        raise Failed(str(answer.definition.schema.error_log))


def _matches(answer: Answer, settings: dict[str, str]) -> None:
    value = select(answer, settings["path"])
    if value != settings["content"]:
        raise Failed(f"{value!r} instead of {settings['content']!r}")


def _contains(answer: Answer, settings: dict[str, str]) -> None:
    if settings["token"] not in answer.text:
        raise Failed("it is not there")


def _does_not_contain(answer: Answer, settings: dict[str, str]) -> None:
    if settings["token"] in answer.text:
        raise Failed("it is there")


_JUDGES: dict[str, Callable[[Answer, dict[str, str]], None]] = {
    "SOAP Response": _is_soap,
    NO_FAULT: _is_no_fault,
    A_FAULT: _is_fault,
    "Schema Compliance": _follows_schema,
    "XPath Match": _matches,
    "Simple Contains": _contains,
    "Simple NotContains": _does_not_contain,
}
