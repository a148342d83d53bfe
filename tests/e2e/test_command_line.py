"""The mm-soap command as people and scripts use it."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner

from mm_soap.demonstration import DISPATCHER, KOMMUN_A, OPERATOR_ONE, OPERATOR_TWO, RECIPIENT, UNKNOWN
from mm_soap.message import build_delivery
from mm_soap.testing.documents import one_page_pdf
from tests.e2e.conftest import VECTORS_CERTIFICATE
from tests.e2e.suite import (
    COMMAND,
    Demonstration,
    Result,
    Server,
    a_message,
    distribute,
    final_status,
    get,
    letter,
    mm_soap,
)
from tests.unit.dsig.samples import VECTORS

VECTOR = VECTORS / "java" / "doc-exc.xml"


def refused(result: Result, expected: int, *words: str) -> None:
    """Check that a command ended with this status and one sentence on standard error, with these words in it."""
    assert result.returncode == expected, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("mm-soap: ")
    assert line.endswith((".", ")"))
    for word in words:
        assert word in line


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to send."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "body.txt").write_text("Hej på dig!\n", encoding="utf-8")
    (folder / "body.html").write_text("<p>Hej <b>på</b> dig!</p>", encoding="utf-8")
    (folder / "latin.txt").write_bytes("Hej på dig!".encode("latin-1"))
    (folder / "beslut.pdf").write_bytes(one_page_pdf("Beslut", "Ja."))
    (folder / "not.pdf").write_bytes(b"this is no PDF")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n")
    (folder / "large.pdf").write_bytes(one_page_pdf("Beslut", "Ja.").ljust(2_097_153))
    return folder


def send(demonstration: Demonstration, body: Path, *more: object, **change: str) -> Result:
    said = {"sender": KOMMUN_A.number, "recipient": RECIPIENT, "subject": "Beslut", **change}
    options = [part for name, value in said.items() for part in (f"--{name}", value)]
    port = str(demonstration.servers[0].port)
    return mm_soap("send", "--config", demonstration.config, *options, "--body", body, *more, MM_SOAP_PORT=port)


def test_from_sending_to_the_mailbox(demonstration: Demonstration, served: Server, texts: Path) -> None:
    port, at = str(served.port), ("--config", demonstration.config, "--json")
    attach = ("--attach", texts / "beslut.pdf", "--attach", texts / "beslut.pdf")
    result = send(demonstration, texts / "body.txt", *attach, "--wait", "--json", subject="Beslut [1] om å")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    sent = json.loads(result.stdout)
    assert sent.keys() == {"distribution_id", "message_id", "type", "delivery_status"}
    assert (sent["type"], sent["delivery_status"]) == ("Digital", "Delivered")

    with ThreadPoolExecutor(3) as pool:
        asked = pool.submit(mm_soap, "status", sent["distribution_id"], *at, MM_SOAP_PORT=port)
        traced = [pool.submit(mm_soap, "trace", sent[name], *at) for name in ("distribution_id", "message_id")]
        listed = pool.submit(mm_soap, "mailbox", "list", RECIPIENT, *at)

    assert json.loads(asked.result().stdout) == {
        "distribution_id": sent["distribution_id"],
        "sender": KOMMUN_A.number,
        "type": "Digital",
        "delivery_status": "Delivered",
    }
    ways = [json.loads(each.result().stdout) for each in traced]
    assert ways[0] == ways[1]
    assert [(step["party"], step["kind"], step["outcome"]) for step in ways[0]] == [
        ("dispatcher", "accepted", "accepted"),
        ("dispatcher", "look-up", "sealed"),
        (f"operator:{OPERATOR_ONE.number}", "delivery", "stored"),
        ("dispatcher", "hand-over", "delivered"),
    ]
    mailbox = json.loads(listed.result().stdout)
    assert isinstance(mailbox, list)
    assert mailbox[0].keys() >= {"message_id", "subject", "sender", "received"}
    (mine,) = [each for each in mailbox if each["message_id"] == sent["message_id"]]
    assert (mine["subject"], mine["sender"]) == ("Beslut [1] om å", KOMMUN_A.number)
    assert [each["received"] for each in mailbox] == sorted((each["received"] for each in mailbox), reverse=True)


def test_for_people_and_without_colour(demonstration: Demonstration, served: Server, texts: Path) -> None:
    result = send(demonstration, texts / "body.html", "--wait")
    assert result.returncode == 0, result.stderr
    (distribution,) = re.findall(r"distribution id\W+([0-9a-f-]{36})", result.stdout)
    at = ("--config", demonstration.config)
    with ThreadPoolExecutor(3) as pool:
        shown = [
            *pool.map(
                lambda command: mm_soap(*command, *at), [("trace", distribution), ("mailbox", "list", RECIPIENT)]
            ),
            mm_soap("status", distribution, *at, MM_SOAP_PORT=str(served.port)),
        ]
    for each in (result, *shown):
        assert each.returncode == 0
        assert "\x1b" not in each.stdout + each.stderr
        assert "\r" not in each.stdout + each.stderr
        assert "…" not in each.stderr  # progress is for terminals
    assert "signature" in shown[0].stdout
    assert "Beslut" in shown[1].stdout
    assert "Delivered" in shown[2].stdout


@pytest.mark.parametrize("subject", ["Beslut [bold]fetstil[/bold]", "[/x]"])
def test_square_brackets_are_text(demonstration: Demonstration, served: Server, texts: Path, subject: str) -> None:
    distribution = distribute(served.url, demonstration.signed(letter(RECIPIENT, a_message(subject))))
    final_status(served.url, distribution)
    shown = mm_soap("mailbox", "list", RECIPIENT, "--config", demonstration.config)
    assert shown.returncode == 0
    assert subject in shown.stdout


def test_not_waiting(demonstration: Demonstration, texts: Path) -> None:
    result = send(demonstration, texts / "body.txt", "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout).keys() == {"distribution_id", "message_id"}


def test_a_recipient_who_is_not_in_the_register(demonstration: Demonstration, texts: Path) -> None:
    result = send(demonstration, texts / "body.txt", "--wait", "--json", recipient=UNKNOWN)
    assert result.returncode == 1
    sent = json.loads(result.stdout)
    assert (sent["type"], sent["delivery_status"]) == ("Not", None)


@pytest.mark.parametrize(
    ("body", "more", "change", "expected", "word"),
    [
        ("body.txt", (), {"sender": "162120000000"}, 2, "[[sender]]"),
        ("body.txt", (), {"recipient": "192705178355"}, 1, "5001"),
        ("body.txt", ("picture.png",), {}, 2, "picture.png"),
        ("body.txt", ("not.pdf",), {}, 1, "5019"),
        ("body.txt", ("large.pdf",), {}, 1, "5005"),
        ("body.txt", ("absent.pdf",), {}, 2, "absent.pdf"),
        ("latin.txt", (), {}, 2, "UTF-8"),
        ("absent.txt", (), {}, 2, "absent.txt"),
        ("body.txt", (), {"subject": "x" * 256}, 1, "5001"),
        ("body.txt", (), {"subject": "x\x01"}, 1, "5001"),
    ],
)
def test_what_cannot_be_sent(
    demonstration: Demonstration,
    texts: Path,
    body: str,
    more: tuple[str, ...],
    change: dict[str, str],
    expected: int,
    word: str,
) -> None:
    attached = [part for name in more for part in ("--attach", texts / name)]
    refused(send(demonstration, texts / body, *attached, **change), expected, word)


def test_ids_that_nobody_knows(demonstration: Demonstration, served: Server) -> None:
    at = ("--config", demonstration.config)
    port = str(served.port)
    refused(mm_soap("status", "no-such-id", *at, MM_SOAP_PORT=port), 1)
    refused(mm_soap("trace", "no-such-id", *at), 1)
    refused(mm_soap("mailbox", "list", UNKNOWN, *at), 1)


def test_nobody_answers(template: Path) -> None:
    """The sentence says whom to look after."""
    at = ("--config", template / "mm-soap.toml")
    refused(mm_soap("status", "an-id", *at, MM_SOAP_PORT="1"), 1, "http://127.0.0.1:1")


def test_the_module_is_the_command() -> None:
    result = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize("arguments", [(), ("send",), ("serve", "--nonsense"), ("nonsense",), ("init", "x")])
def test_wrong_use(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = mm_soap(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert not any(tmp_path.iterdir())


# Settings


def test_settings_that_are_wrong(template: Path, tmp_path: Path) -> None:
    missing = tmp_path / "absent.toml"
    refused(mm_soap("serve", "--config", missing), 2, str(missing))
    own = Demonstration.copy_of(template, tmp_path / "demo")
    at = ("--config", own.config)
    refused(mm_soap("serve", *at, "--party", "nobody"), 2, "nobody")
    refused(mm_soap("serve", *at, MM_SOAP_PROT="1"), 2, "MM_SOAP_PROT")
    refused(mm_soap("serve", *at, MM_SOAP_PORT="many"), 2, "MM_SOAP_PORT")
    own.change("dispatcher", databse="data/x.sqlite3")
    refused(mm_soap("serve", *at), 2, "databse")


def test_init_leaves_what_is_there_alone(fresh: Demonstration) -> None:
    before = {path: path.read_bytes() for path in fresh.folder.rglob("*") if path.is_file()}
    refused(mm_soap("init", fresh.folder, "--demo"), 2, str(fresh.config))
    assert {path: path.read_bytes() for path in fresh.folder.rglob("*") if path.is_file()} == before


def test_init_says_what_it_made(tmp_path: Path) -> None:
    folder = tmp_path / "de[b]mo"  # square brackets are markup to what prints
    result = mm_soap("init", folder, "--demo", "--json")
    assert result.returncode == 0, result.stderr
    made = json.loads(result.stdout)
    assert made == {"config": f"{folder}/mm-soap.toml", "data": f"{folder}/data", "pki": f"{folder}/pki"}
    files = {path.name for path in Path(made["pki"]).iterdir()}
    assert "ca.pem" in files
    for organisation in (KOMMUN_A, DISPATCHER, OPERATOR_ONE, OPERATOR_TWO):
        assert {f"{organisation.number}.pem", f"{organisation.number}.key"} <= files
        assert Path(made["pki"], f"{organisation.number}.key").stat().st_mode & 0o077 == 0
    refused(mm_soap("init", folder, "--demo"), 2, str(folder))


# Serving


def test_where_it_listens(fresh: Demonstration) -> None:
    server = Server(fresh.config, environment={"MM_SOAP_HOST": "0.0.0.0"})
    fresh.servers.append(server)
    server.start()
    assert server.out.read_text() == f"ready {server.url}\n"
    for path in ("/healthz", "/readyz", "/metrics", "/Message/v3?wsdl"):
        assert get(server.url + path)[0] == 200
    assert f'location="{server.url}/Message/v3"'.encode() in get(f"{server.url}/Message/v3?wsdl")[1]
    with socket.create_connection(("127.0.0.2", server.port), timeout=5):
        pass
    server.stop()
    assert server.out.read_text() == f"ready {server.url}\n"
    assert "\x1b" not in server.errors.read_text()


def test_without_other_settings_it_is_this_machine_alone(demonstration: Demonstration, served: Server) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", served.port)) != 0
    assert 'host = "127.0.0.1"\nport = 8080\n' in demonstration.config.read_text()


def test_a_port_that_is_taken(demonstration: Demonstration, served: Server) -> None:
    result = mm_soap("serve", "--config", demonstration.config, MM_SOAP_PORT=str(served.port))
    assert result.returncode in (1, 2)
    assert "ready" not in result.stdout
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert str(served.port) in last


def test_a_connection_that_says_nothing_does_not_keep_it_from_stopping(fresh: Demonstration) -> None:
    server = fresh.serve("far")
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 15
        with suppress(ConnectionResetError):  # it was still in the queue of the listening socket
            assert idle.recv(1) == b""
    assert "Traceback" not in server.output()


# Verifying


def verified(*arguments: object) -> tuple[int, Any]:
    result = mm_soap("verify", *arguments, "--json")
    return result.returncode, json.loads(result.stdout)


def test_verify_what_others_signed() -> None:
    files = [VECTOR, VECTORS / "mono" / "id-inc.xml"]
    with ThreadPoolExecutor(2) as pool:
        for ended, report in pool.map(lambda file: verified(file, "--trust", VECTORS_CERTIFICATE), files):
            assert ended == 0, report
            assert (report["valid"], report["trusted"]) == (True, True)
            assert [each["signer"] for each in report["signatures"]] == [KOMMUN_A.number]
            assert report["problems"] == []


def test_verify_without_trust_says_so(tmp_path: Path, template: Path) -> None:
    ended, report = verified(VECTOR)
    assert (ended, report["valid"], report["trusted"]) == (0, True, None)
    ended, report = verified(VECTOR, "--trust", template / "pki" / "ca.pem")
    assert (ended, report["valid"], report["trusted"]) == (1, False, False)
    shown = mm_soap("verify", VECTOR).stdout
    assert "--trust CERT" in shown
    assert KOMMUN_A.number in shown


def test_verify_a_changed_file(tmp_path: Path) -> None:
    changed = tmp_path / "changed.xml"
    changed.write_bytes(VECTOR.read_bytes().replace(b"191212121212", b"191212121213"))
    ended, report = verified(changed, "--trust", VECTORS_CERTIFICATE)
    assert (ended, report["valid"]) == (1, False)
    assert [each["rule"] for each in report["problems"]] == ["SIGNATURE_INVALID", "CONTENT_CHANGED"]
    shown = mm_soap("verify", changed)
    assert shown.returncode == 1
    assert "SIGNATURE_INVALID" in shown.stdout
    refused(mm_soap("verify", tmp_path / "absent.xml"), 2, "absent.xml")
    (tmp_path / "other.xml").write_text("<a/>")
    ended, report = verified(tmp_path / "other.xml")
    assert (ended, report["valid"]) == (1, False)
    (tmp_path / "no.xml").write_text("no xml")
    ended, report = verified(tmp_path / "no.xml")
    assert (ended, [each["rule"] for each in report["problems"]]) == (1, ["MALFORMED_XML"])


def test_verify_sha1(tmp_path: Path, demonstration: Demonstration) -> None:
    file = tmp_path / "sha1.xml"
    file.write_bytes(signed_with_sha1(demonstration))
    ended, report = verified(file, "--trust", demonstration.folder / "pki" / "ca.pem")
    assert (ended, [each["rule"] for each in report["problems"]]) == (1, ["SIGNATURE_ALGORITHM", "SHA1", "SHA1"])
    ended, report = verified(file, "--trust", demonstration.folder / "pki" / "ca.pem", "--allow-sha1")
    assert (ended, report["valid"]) == (0, True)


def test_verify_says_why_and_writes_what_was_hashed(tmp_path: Path) -> None:
    formatted = VECTORS / "broken" / "formatted-before-the-signature-came.xml"
    trust = ("--trust", VECTORS / "broken" / "signer-cert.pem")
    ended, report = verified(formatted, *trust, "--canonical", tmp_path / "hashed")
    assert (ended, report["valid"]) == (1, False)
    (finding,) = report["problems"][1:]
    assert (finding["rule"], finding["place"], finding["signature"]) == (
        "WHITE_SPACE_ADDED",
        "SignedDelivery, line 1",
        "sender",
    )
    assert sorted(each["file"] for each in report["canonical"]) == sorted(map(str, (tmp_path / "hashed").iterdir()))
    for each in report["canonical"]:
        assert hashlib.sha256(Path(each["file"]).read_bytes()).hexdigest() == each["computed"]
        assert each["holds"] == (each["computed"] == each["expected"])
    came, hashed = (
        Path(
            next(each["file"] for each in report["canonical"] if each["part"] == "document" and each["holds"] == holds)
        )
        for holds in (False, True)
    )
    assert came.read_bytes().split() != hashed.read_bytes().split()
    assert b"".join(came.read_bytes().split()) == b"".join(hashed.read_bytes().split())
    shown = mm_soap("verify", formatted, *trust, "--canonical", tmp_path / "again").stdout
    assert "✗ WHITE_SPACE_ADDED at SignedDelivery, line 1: " in shown
    assert str(tmp_path / "again" / "sender-document-as-the-signer-hashed-it.xml") in shown
    (tmp_path / "file").touch()
    refused(mm_soap("verify", formatted, "--canonical", tmp_path / "file"), 2, "cannot be written")


def test_verify_writes_what_is_hashed_where_all_is_right(tmp_path: Path) -> None:
    ended, report = verified(VECTOR, "--trust", VECTORS_CERTIFICATE, "--canonical", tmp_path)
    assert (ended, report["problems"]) == (0, [])
    assert {each["part"] for each in report["canonical"] if each["holds"]} == {"document", "SignedInfo"}


def test_verify_a_file_in_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "latin.xml"
    file.write_bytes(VECTOR.read_bytes().decode().encode("latin-1"))
    ended, report = verified(file)
    assert (ended, [each["rule"] for each in report["problems"]]) == (1, ["MALFORMED_XML", "NOT_UTF8"])


def signed_with_sha1(demonstration: Demonstration) -> bytes:
    """What an old system sends. signxml makes no such signature unless it is told to twice."""

    class OldSigner(XMLSigner):
        def check_deprecated_methods(self) -> None:
            """Let SHA-1 pass."""

    signer = OldSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA1,
        digest_algorithm=DigestAlgorithm.SHA1,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    identity = demonstration.identity(KOMMUN_A)
    signed = signer.sign(build_delivery(letter()), key=identity.key, cert=[identity.certificate])
    return etree.tostring(signed)
