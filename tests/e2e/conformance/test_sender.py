"""The kit listens in a process of its own: right senders pass, and the report says what was wrong with others."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from mm_soap.conformance.xmlsig import signed
from mm_soap.demonstration import KOMMUN_A, KOMMUN_B, OPERATOR_ONE, RECIPIENT, DemoOrganisation
from mm_soap.far import Operator
from mm_soap.message import build_delivery
from mm_soap.sender import distribute_secure_request
from mm_soap.soap.envelope import wrap
from tests.e2e.clients.conftest import CLIENTS, run_script
from tests.e2e.suite import Demonstration, begun, letter, mm_soap, post, until

pytestmark = pytest.mark.slow


class Listening:
    """``mm-soap conform sender`` on a free port, told to end by a signal."""

    def __init__(self, demonstration: Demonstration, folder: Path, *options: str) -> None:
        self.report = folder / "report"
        self.out, self.errors = folder / "out.txt", folder / "errors.txt"
        plan = mm_soap("conform", "plan", "--config", demonstration.config)
        (folder / "plan.toml").write_text(plan.stdout, encoding="utf-8")
        files = ["--plan", str(folder / "plan.toml"), "--report", str(self.report), "--port", "0"]
        self.out.touch()
        self.errors.touch()
        self.process = begun("conform", "sender", *files, *options, out=self.out, err=self.errors)
        until(lambda: "\nready " in self.said() or self.process.poll() is not None, 40, "the ready line")
        assert self.process.poll() is None, self.said()
        self.url = self.said().partition("\nready ")[2].split()[0]

    def said(self) -> str:
        return self.out.read_text() + self.errors.read_text()

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End it in order, and return its exit status."""
        with suppress(ProcessLookupError):
            self.process.send_signal(by)
        return self.process.wait(40)

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.report / "report.json").read_text(encoding="utf-8"))
        return found


@contextmanager
def listening(demonstration: Demonstration, folder: Path, *options: str) -> Iterator[Listening]:
    started = Listening(demonstration, folder, *options)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()


def failed(document: dict[str, Any]) -> list[str]:
    return [one["id"] for one in document["cases"] if one["verdict"] == "failed"]


def passed(document: dict[str, Any], group: str) -> bool:
    return all(one["verdict"] == "passed" for one in document["cases"] if one["group"] == group)


def request(demonstration: Demonstration, by: DemoOrganisation = KOMMUN_A) -> bytes:
    document = etree.tostring(build_delivery(letter()))
    return wrap(distribute_secure_request(signed(document, demonstration.identity(by))))


@pytest.mark.parametrize("first", ["answered", "lost", "technical"])
def test_the_suites_own_sender_passes(fresh: Demonstration, tmp_path: Path, first: str) -> None:
    body, file = tmp_path / "text.txt", tmp_path / "beslut.pdf"
    body.write_text("Hej på dig.")
    file.write_bytes(b"%PDF-1.4\n%%EOF\n")
    with listening(fresh, tmp_path, "--first", first) as kit:
        fresh.change("sender", dispatcher_url=kit.url)
        message = ["--recipient", RECIPIENT, "--subject", "Beslut", "--body", body, "--attach", file, "--wait"]
        sent = mm_soap("send", "--config", fresh.config, "--sender", KOMMUN_A.number, *message, "--json")
        assert json.loads(sent.stdout)["delivery_status"] == "Delivered", sent.stderr
        assert kit.end(signal.SIGINT) == 0, kit.said()
    document = kit.document()
    assert failed(document) == []
    assert all(passed(document, group) for group in ("http", "envelope", "schema", "signature", "certificate"))
    assert passed(document, "attachment")
    assert passed(document, "status")
    assert len(document["requests"]) == (3 if first == "answered" else 4)


def test_the_python_client_passes(fresh: Demonstration, tmp_path: Path) -> None:
    text, file = tmp_path / "text.txt", tmp_path / "beslut.pdf"
    text.write_text("Hej på dig.")
    file.write_bytes(b"%PDF-1.4\n%%EOF\n")
    client = CLIENTS / "python" / "mm_client.py"
    keys = [fresh.folder / "pki" / f"{KOMMUN_A.number}.{kind}" for kind in ("pem", "key")]
    with listening(fresh, tmp_path, "--first", "lost") as kit:
        address = f"{kit.url}/Message/v3"
        sent = run_script(client, "send", address, *keys, RECIPIENT, "Beslut", text, file)
        assert sent.returncode == 0, sent.stderr
        told = run_script(client, "follow", address, KOMMUN_A.number, sent.stdout.strip())
        assert told.stdout.strip() == "Delivered", told.stderr
        assert kit.end() == 0, kit.said()
    assert failed(kit.document()) == []


def test_the_suites_own_dispatcher_passes(fresh: Demonstration, tmp_path: Path) -> None:
    with listening(fresh, tmp_path) as kit:
        fresh.serve()
        fresh.change("sender", dispatcher_url=fresh.servers[0].url)
        with fresh.register() as register:  # where the address of the settings was written when it was served
            address = f"{kit.url}/Service/v3"
            register.add_operator(Operator(OPERATOR_ONE.number, OPERATOR_ONE.name, address, address))
        body = tmp_path / "text.txt"
        body.write_text("Hej på dig.")
        message = ["--recipient", RECIPIENT, "--subject", "Beslut", "--body", body, "--wait"]
        sent = mm_soap("send", "--config", fresh.config, "--sender", KOMMUN_A.number, *message)
        assert sent.returncode == 0, sent.stderr
        assert kit.end() == 0, kit.said()
    document = kit.document()
    assert failed(document) == []
    assert passed(document, "seal")
    assert passed(document, "signature")


def test_a_wrong_sender_is_told_live_and_in_every_report(fresh: Demonstration, tmp_path: Path) -> None:
    with listening(fresh, tmp_path) as kit:
        status, _ = post(f"{kit.url}/Message/v3", request(fresh, KOMMUN_B), content_type="text/plain")
        assert status == 415
        until(lambda: "certificate.signer" in kit.said(), 20, "the finding")
        assert kit.process.poll() is None
        assert kit.end() == 1
    wrong = ["sender.http.content-type", "sender.certificate.signer"]
    assert failed(kit.document()) == wrong
    assert kit.document()["requests"][0]["broken"] == wrong
    page = (kit.report / "report.html").read_text(encoding="utf-8")
    junit = (kit.report / "junit.xml").read_text(encoding="utf-8")
    assert all(one in page and one in junit for one in wrong)
    written = "".join(file.read_text(encoding="utf-8") for file in kit.report.rglob("*") if file.is_file())
    assert RECIPIENT not in written + kit.said()
    assert sorted(file.name for file in (kit.report / "messages").iterdir()) == [
        "request-001-received.txt",
        "request-001-sent.txt",
    ]


def test_it_ends_by_itself_and_prints_one_document(fresh: Demonstration, tmp_path: Path) -> None:
    with listening(fresh, tmp_path, "--json", "--until-calls", "1") as kit:
        assert post(f"{kit.url}/Message/v3", request(fresh))[0] == 200
        assert kit.process.wait(40) == 0
    assert failed(json.loads(kit.out.read_text())) == []


def test_where_nothing_came_it_does_not_conform(fresh: Demonstration, tmp_path: Path) -> None:
    with listening(fresh, tmp_path, "--for", "0.2") as kit:
        assert kit.process.wait(40) == 1
    assert "Nothing came" in kit.said()


def test_wrong_use_ends_with_two(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('[sender]\ntrust = "nowhere.pem"\n')
    given = ["--plan", tmp_path / "plan.toml", "--report", tmp_path / "report"]
    assert mm_soap("conform", "sender", *given).returncode == 2
    assert mm_soap("conform", "sender", *given, "--first", "never").returncode == 2
    (tmp_path / "plan.toml").write_text("[register]\n")
    refused = mm_soap("conform", "sender", *given)
    assert refused.returncode == 2
    assert "has no table [sender]" in refused.stderr
