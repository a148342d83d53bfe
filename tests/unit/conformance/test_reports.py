"""The reports of a run: their shapes, and that nothing foreign in them is more than text."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from mm_soap.conformance import Broken, Cases, Exchange, Finding, NotTried, Report, Verdict, run
from mm_soap.conformance.carrying import Line
from mm_soap.conformance.register import CASES
from mm_soap.conformance.reports import as_document, as_html, as_junit, write_reports
from mm_soap.errors import ConfigurationError

PERSON = "192705178354"
HOSTILE = f"<script>alert(1)</script>\x00 {PERSON} ]]> </pre></details><img src=x onerror=y>"
STARTED = datetime(2026, 11, 22, 2, 45, tzinfo=UTC)


def _report() -> Report:
    cases = Cases[None]("register")
    for name in ("soap.good", "isReachable.bad", "account.missing"):
        cases.add(name, f"Title of {name}.", lambda _: None, rule="services, isReachable", remedy="Sort the rows.")
    good, bad, missing = cases
    exchange = Exchange(
        "http://127.0.0.1/Recipient/v3",
        f"<E><recipientId>{PERSON}</recipientId></E>".encode(),
        500,
        f"<E><faultstring>{HOSTILE}</faultstring></E>".encode(),
        0.0123,
        sent_headers=(("SOAPAction", '""'),),
        received_headers=(("x-note", f"<b>{PERSON}"),),
    )
    silent = Exchange("http://127.0.0.1/Recipient/v3", b"", None, b"", 0.5)
    findings: list[Finding] = [
        Finding(good, Verdict.PASSED, exchanges=(exchange,), seconds=0.01),  # type: ignore[arg-type]
        Finding(bad, Verdict.FAILED, f"A fault: {HOSTILE}", "return[2]", (exchange, silent), 0.6),  # type: ignore[arg-type]
        Finding(missing, Verdict.NOT_TRIED, "The plan does not have person_certificate."),  # type: ignore[arg-type]
    ]
    return Report("register", ("http://127.0.0.1/Recipient/v3",), STARTED, findings)


def test_the_json_document_has_its_shape() -> None:
    document = as_document(_report())
    assert json.loads(json.dumps(document)) == document
    assert {name: document[name] for name in ("format", "role", "conforms", "masked", "started")} == {
        "format": 1,
        "role": "register",
        "conforms": False,
        "masked": True,
        "started": "2026-11-22T02:45:00+00:00",
    }
    assert document["counts"] == {"passed": 1, "failed": 1, "not_tried": 1}
    good, bad, missing = document["cases"]
    assert set(bad) == {
        "id",
        "group",
        "title",
        "rule",
        "verdict",
        "what",
        "place",
        "also",
        "remedy",
        "seconds",
        "exchanges",
    }
    assert (bad["id"], bad["group"], bad["verdict"]) == ("register.isReachable.bad", "isReachable", "failed")
    assert (bad["remedy"], good["remedy"]) == ("Sort the rows.", "")
    assert bad["exchanges"][1] == {
        "url": "http://127.0.0.1/Recipient/v3",
        "method": "POST",
        "status": None,
        "seconds": 0.5,
        "sent": None,
        "received": None,
    }
    assert missing["verdict"] == "not_tried"
    assert PERSON not in json.dumps(document)


def test_junit_parses_and_counts() -> None:
    root = etree.fromstring(as_junit(_report()))
    (suite,) = root
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "Remedy: Sort the rows." in (failure.text or "")
    assert PERSON not in (failure.text or "")


def test_html_shows_foreign_text_as_text() -> None:
    page = as_html(_report())
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert PERSON not in page
    assert page.count("</html>") == 1


def test_html_refers_to_nothing_outside() -> None:
    page = etree.fromstring(as_html(_report()).replace("\x00", ""), etree.HTMLParser())
    attributes = {name: value for node in page.iter("*") for name, value in node.attrib.items()}
    assert not {"src", "srcset", "onclick", "onerror", "onload", "action"} & attributes.keys()
    assert [node.get("href") for node in page.iter("a")] == ["#register.isReachable.bad"]
    assert list(page.iter("link", "script", "iframe", "img")) == []
    policy = page.find(".//meta[@http-equiv='Content-Security-Policy']")
    assert policy is not None
    assert str(policy.get("content")).startswith("default-src 'none'")


def test_html_opens_what_failed() -> None:
    page = etree.fromstring(as_html(_report()).replace("\x00", ""), etree.HTMLParser())
    cases = {node.get("id"): node for node in page.iter("details") if node.get("id")}
    assert {name for name, node in cases.items() if node.get("open") is not None} == {"register.isReachable.bad"}
    assert len(cases["register.isReachable.bad"].findall(".//pre")) == 4
    assert cases["register.soap.good"].findall(".//pre") == []


def test_reports_are_files_with_the_messages_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "report"
    files = write_reports(_report(), folder)
    kept = sorted(file.name for file in files.messages.iterdir())
    assert len(kept) == 6
    document: dict[str, Any] = json.loads(files.json.read_text(encoding="utf-8"))
    names = [each[side] for case in document["cases"] for each in case["exchanges"] for side in ("sent", "received")]
    assert sorted(names) == [f"messages/{name}" for name in kept]
    written = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*") if file.is_file())
    assert PERSON not in written
    assert "SOAPAction" in written


def test_unmasked_reports_hold_everything(tmp_path: Path) -> None:
    files = write_reports(_report(), tmp_path, unmasked=True)
    assert PERSON in files.html.read_text(encoding="utf-8")
    assert f"<recipientId>{PERSON}<" in (files.messages / "register.soap.good-001-sent.txt").read_text(encoding="utf-8")
    assert json.loads(files.json.read_text(encoding="utf-8"))["masked"] is False


def test_a_second_run_leaves_no_message_of_the_first(tmp_path: Path) -> None:
    write_reports(_report(), tmp_path)
    report = _report()
    del report.findings[1:]
    files = write_reports(report, tmp_path)
    assert len(list(files.messages.iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_reports(_report(), tmp_path / "file")


def test_a_case_is_not_tried_where_one_that_it_needs_did_not_pass() -> None:
    cases = Cases[None]("register")

    def broken(_: None) -> None:
        raise Broken("wrong", "Body")

    def absent(_: None) -> None:
        raise NotTried("nothing given")

    for name, check, needs in (
        ("a.first", broken, ()),
        ("a.second", broken, ("a.first",)),
        ("a.third", broken, ("a.second",)),
        ("b.absent", absent, ()),
        ("b.after", lambda _: None, ("b.absent",)),
    ):
        cases.add(name, name, check, rule="r", remedy="m", needs=needs)
    report = run("register", cases, None, [Line("http://127.0.0.1:9")], lambda: STARTED)
    assert [finding.verdict.value for finding in report.findings] == [
        "failed",
        "not tried",
        "not tried",
        "not tried",
        "passed",
    ]


def test_the_calls_of_several_lines_stand_in_the_order_in_which_they_were_made() -> None:
    one, two = Line("http://127.0.0.1:9/one", timeout=1), Line("http://127.0.0.1:9/two", timeout=1)
    cases = Cases[None]("register")

    def check(_: None) -> None:
        for line in (two, one, two):
            with suppress(Broken):
                line.call(b"<a/>")

    cases.add("a.b", "t", check, rule="r", remedy="m")
    (finding,) = run("register", cases, None, [one, two], lambda: STARTED).findings
    assert [each.url[-3:] for each in finding.exchanges] == ["two", "one", "two"]


def test_needs_stand_before_what_needs_them() -> None:
    part = Cases[None]("register")
    part.add("a.second", "t", lambda _: None, rule="r", remedy="m", needs=("a.first",))
    with pytest.raises(ValueError, match=r"a\.first"):
        Cases("register", part)
    with pytest.raises(ValueError, match="twice"):
        part.add("a.second", "t", lambda _: None, rule="r", remedy="m")


@pytest.mark.parametrize("case", list(CASES), ids=lambda case: case.id)
def test_each_case_says_title_rule_and_remedy_in_a_sentence(case: Any) -> None:
    assert case.title.endswith(".")
    assert case.remedy.endswith(".")
    assert case.rule
    assert case.title[0].isupper() or case.title.split(maxsplit=1)[0] in case.id
