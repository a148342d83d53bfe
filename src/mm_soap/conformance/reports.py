"""What a run found, as JSON, JUnit XML and one HTML file, with the captured messages beside them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from lxml import etree

from mm_soap.conformance.masking import Masking, masked_text, readable
from mm_soap.conformance.model import Arrival, Exchange, Finding, Report, Verdict
from mm_soap.errors import ConfigurationError
from mm_soap.version import __version__

FORMAT: Final = 1
"""The version of the JSON document's shape; a key that is taken away or means something else raises it."""

_SHOWN_CHARACTERS: Final = 6000
_MOST_SHOWN: Final = 3
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUPS: Final = {
    "soap": "SOAP and HTTP",
    "wsdl": "WSDL",
    "fault": "Faults",
    "http": "HTTP",
    "envelope": "Envelope",
    "operation": "Operation",
    "schema": "Schema",
    "signature": "The sender's signature",
    "certificate": "The sender's certificate",
    "seal": "The dispatcher's seal",
    "message": "Messages",
    "attachment": "Attachments",
    "class-one": "Notifications and forwarded deliveries",
    "calls": "Between calls",
    "retry": "Lost answers and faults",
}


@dataclass(frozen=True)
class Files:
    """Where the reports were written."""

    html: Path
    json: Path
    junit: Path
    messages: Path


def write_reports(report: Report, folder: Path, *, unmasked: bool = False) -> Files:
    """Write report.html, report.json, junit.xml and the folder messages, and return where they are.

    Args:
        report: of one run.
        folder: made if it is not there. What a run before left in it under these names is replaced.
        unmasked: keep bodies, attachments, signatures and personal numbers in all of them.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    files = Files(folder / "report.html", folder / "report.json", folder / "junit.xml", folder / "messages")
    try:
        files.messages.mkdir(parents=True, exist_ok=True)
        for old in files.messages.glob("*-[0-9][0-9][0-9]-*.txt"):
            old.unlink()
        for one in report.arrivals or ():
            _write_exchange(one.exchange, "request", one.number, files.messages, unmasked=unmasked)
        written = {
            finding.case.id: _write_messages(finding, files.messages, unmasked=unmasked) for finding in report.findings
        }
        document = as_document(report, written, unmasked=unmasked)
        files.json.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        files.junit.write_bytes(as_junit(report, unmasked=unmasked))
        files.html.write_text(as_html(report, unmasked=unmasked), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"The folder {folder} cannot be written: {error.strerror}.") from None
    return files


def as_document(
    report: Report, messages: Mapping[str, Iterable[tuple[str, str]]] | None = None, *, unmasked: bool = False
) -> dict[str, Any]:
    """Return the report as one JSON document. Its shape is in docs/how-to/judge-a-foreign-party.md.

    Args:
        report: of one run.
        messages: for each case, the file names of what was sent and what came.
        unmasked: keep personal numbers in what is said.
    """
    kept = messages or {}
    return {
        "format": FORMAT,
        "mm_soap": __version__,
        "role": report.role,
        "endpoints": list(report.endpoints),
        "started": report.started.isoformat(),
        "conforms": report.conforms,
        "masked": not unmasked,
        "counts": {_word(verdict): report.count(verdict) for verdict in Verdict},
        "cases": [_case(finding, tuple(kept.get(finding.case.id, ())), unmasked) for finding in report.findings],
        **({} if report.arrivals is None else {"requests": [_arrival(one, unmasked) for one in report.arrivals]}),
    }


def _arrival(arrival: Arrival, unmasked: bool) -> dict[str, Any]:
    return {
        "number": arrival.number,
        "at": arrival.at.isoformat(),
        "url": _said(arrival.exchange.url, unmasked),
        "method": arrival.exchange.method,
        "operation": arrival.operation,
        "status": arrival.exchange.status,
        "broken": list(arrival.broken),
        "judged": arrival.judged,
        "notes": [_said(note, unmasked) for note in arrival.notes],
    }


def _case(finding: Finding, names: tuple[tuple[str, str], ...], unmasked: bool) -> dict[str, Any]:
    case = finding.case
    return {
        "id": case.id,
        "group": case.group,
        "title": case.title,
        "rule": case.rule,
        "verdict": _word(finding.verdict),
        "what": _said(finding.what, unmasked),
        "place": _said(finding.place, unmasked),
        "also": [{"what": _said(what, unmasked), "place": _said(place, unmasked)} for what, place in finding.also],
        "remedy": case.remedy if finding.verdict is Verdict.FAILED else "",
        "seconds": round(finding.seconds, 3),
        "exchanges": [
            {
                "url": _said(exchange.url, unmasked),
                "method": exchange.method,
                "status": exchange.status,
                "seconds": round(exchange.seconds, 3),
                "sent": names[number][0] if number < len(names) else None,
                "received": names[number][1] if number < len(names) else None,
            }
            for number, exchange in enumerate(finding.exchanges)
        ],
    }


def as_junit(report: Report, *, unmasked: bool = False) -> bytes:
    """Return the report as JUnit XML: one suite, a test case for each case, with its group as class name."""
    suite = etree.Element(
        "testsuite",
        name=f"mm-soap conform {report.role}",
        tests=str(len(report.findings)),
        failures=str(report.count(Verdict.FAILED)),
        skipped=str(report.count(Verdict.NOT_TRIED)),
        errors="0",
        time=f"{sum(finding.seconds for finding in report.findings):.3f}",
        timestamp=report.started.isoformat(),
    )
    for finding in report.findings:
        case = finding.case
        node = etree.SubElement(
            suite,
            "testcase",
            classname=f"{report.role}.{case.group}",
            name=case.id,
            time=f"{finding.seconds:.3f}",
        )
        what = _xml(_said(finding.what, unmasked))
        if finding.verdict is Verdict.FAILED:
            failure = etree.SubElement(node, "failure", message=what, type=_xml(case.rule))
            place = _xml(_said(finding.place, unmasked))
            rows = [("Expected", case.title), ("Found", what), ("Place", place)]
            rows += [("Also", _xml(_said(f"{text} {where}".strip(), unmasked))) for text, where in finding.also]
            rows += [("Rule", case.rule), ("Remedy", case.remedy)]
            failure.text = "\n".join(f"{name}: {content}" for name, content in rows)
        elif finding.verdict is Verdict.NOT_TRIED:
            etree.SubElement(node, "skipped", message=what)
    root = etree.Element("testsuites")
    root.append(suite)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def as_html(report: Report, *, unmasked: bool = False) -> str:
    """Return the report as one HTML file without scripts or references to anything outside."""
    environment = Environment(
        loader=PackageLoader("mm_soap.conformance"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        said=lambda text: _said(text, unmasked),
        messages=lambda exchange: [_for_reading(text) for text in _messages(exchange, unmasked)],
        word=_word,
        heading=lambda group: _GROUPS.get(group, group),
        limit=_MOST_SHOWN,
        tried=lambda verdict: report.untried if verdict is Verdict.NOT_TRIED else verdict.value,
    )
    groups: dict[str, list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault(finding.case.group, []).append(finding)
    return environment.get_template("report.html").render(
        report=report,
        groups=groups,
        failed=[finding for finding in report.findings if finding.verdict is Verdict.FAILED],
        counts={_word(verdict): report.count(verdict) for verdict in Verdict},
        version=__version__,
        unseen=Counter(finding.what for finding in report.findings if finding.verdict is Verdict.NOT_TRIED),
        unmasked=unmasked,
    )


def _write_messages(finding: Finding, folder: Path, *, unmasked: bool) -> tuple[tuple[str, str], ...]:
    return tuple(
        _write_exchange(each, finding.case.id, number, folder, unmasked=unmasked)
        for number, each in enumerate(finding.exchanges, 1)
    )


def _write_exchange(exchange: Exchange, name: str, number: int, folder: Path, *, unmasked: bool) -> tuple[str, str]:
    if exchange.number:  # of a request that several cases may name
        name, number = "request", exchange.number
    files = f"{name}-{number:03}-sent.txt", f"{name}-{number:03}-received.txt"
    if not exchange.number or not (folder / files[0]).exists():
        for file, message in zip(files, _messages(exchange, unmasked), strict=True):
            (folder / file).write_text(message, encoding="utf-8", newline="")
    return f"{folder.name}/{files[0]}", f"{folder.name}/{files[1]}"


def _messages(exchange: Exchange, unmasked: bool) -> tuple[str, str]:
    # What was sent and what came, as text. One masking for both, so that equal numbers have equal letters.
    hide: Callable[[str], str] = str if unmasked else Masking().message
    head = "Nothing came." if exchange.status is None else f"HTTP {exchange.status}"
    return (
        _message(f"{exchange.method} {exchange.url}", exchange.sent_headers, exchange.sent, hide),
        _message(head, exchange.received_headers, exchange.received, hide),
    )


def _message(head: str, headers: Iterable[tuple[str, str]], raw: bytes, hide: Callable[[str], str]) -> str:
    return "\n".join([hide(head), *(f"{name}: {hide(value)}" for name, value in headers), "", hide(readable(raw))])


def _for_reading(text: str) -> str:
    # The files beside the report hold the messages as they were.
    text = text.replace("><", ">\n<")
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}\n… {len(text) - _SHOWN_CHARACTERS} more characters: see the folder messages"


def _said(text: str, unmasked: bool) -> str:
    return text if unmasked else masked_text(text)


def _xml(text: str) -> str:
    return _NO_XML.sub("�", text)


def _word(verdict: Verdict) -> str:
    return verdict.value.replace(" ", "_")
