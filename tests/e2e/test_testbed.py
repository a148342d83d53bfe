"""The test bed as organisations use it: a certificate, a message, and what the pages tell of it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3

from mm_soap.clock import system_clock
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, RECIPIENT, UNKNOWN
from mm_soap.testbed.requesting import new_request
from mm_soap.testing.certificates import new_key
from mm_soap.testing.pki import TestPki
from tests.e2e.suite import Demonstration, Server, get, mm_soap, post, until
from tests.e2e.testbed import (
    OTHER,
    SENDER,
    broken,
    certified,
    listed,
    newest,
    send,
    served_testbed,
    signed,
    steps,
    with_pdf,
)

ROOT = Path(__file__).parents[2]
SECRETS = ("Hemligt", "hemlig", RECIPIENT, "SGVt")
FIRST = ("HTTP", "Envelope", "Schema", "Signature", "Message rules", "Authorisation")


@pytest.fixture(scope="module")
def bed(fresh_for_module: Demonstration) -> Iterator[Server]:
    with served_testbed(fresh_for_module) as server:
        yield server


@pytest.fixture(scope="module")
def folder(bed: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certified")
    certified(bed, made)
    return made


@pytest.fixture(scope="module")
def identity(folder: Path) -> object:
    from mm_soap.pki import Identity

    return Identity.load(folder / f"{SENDER.number}.pem", folder / f"{SENDER.number}.key")


def test_the_command_writes_certificate_key_and_authorities(folder: Path) -> None:
    files = {file.name: file for file in folder.iterdir()}
    assert set(files) == {f"{SENDER.number}.pem", f"{SENDER.number}.key", "ca.pem"}
    assert stat.S_IMODE(files[f"{SENDER.number}.key"].stat().st_mode) == 0o600
    assert b"BEGIN CERTIFICATE" in files["ca.pem"].read_bytes()


def test_a_fresh_organisation_sends_with_the_python_client_and_sees_every_step(
    bed: Server, folder: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("En hemlig text", encoding="utf-8")
    client = ROOT / "clients" / "python" / "send_message.py"
    options = ["--endpoint", bed.url, "--recipient", RECIPIENT, "--subject", "Hemligt", "--text", str(text)]
    options += ["--certificate", str(folder / f"{SENDER.number}.pem"), "--key", str(folder / f"{SENDER.number}.key")]
    ran = subprocess.run([sys.executable, client, *options], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    distribution_id = ran.stdout.strip()
    address = listed(bed, f"?sender={SENDER.number}")[0]
    until(lambda: b"Delivered: distributeSecure" in get(bed.url + address)[1], 30, "the delivery")
    page = get(bed.url + address)[1].decode()
    after = ("Accepted", "Looked up in the register", "Sealed", "Handed to the operator", "Unpacked into the mailbox")
    found = steps(page)
    assert [name for name in found if name in (*FIRST, *after)] == [*FIRST, *after]
    assert set(found.values()) == {"holds"}
    assert distribution_id in page
    for name in ("MessageHeader.Id", "TransId", "CallId", "distribution id"):
        assert f"<dt>{name}" in page
    assert "rsa-sha256" in page
    assert f"serialNumber={SENDER.number}" in page
    assert not [secret for secret in SECRETS if secret in page]
    follow = [sys.executable, client.with_name("follow_status.py"), "--endpoint", bed.url]
    subprocess.run([*follow, "--sender", SENDER.number, distribution_id], check=True, capture_output=True)
    assert "Status asked" in steps(get(bed.url + address)[1].decode())
    asked = newest(bed)
    assert "Answered: checkDistributionStatus" in asked
    assert f'href="{address}"' in asked


def test_a_signature_that_does_not_hold(bed: Server, identity: object) -> None:
    document = signed(identity)  # type: ignore[arg-type]
    assert send(bed, document.replace(b"Kommun X", b"Kommun Z")) == 500
    page = newest(bed)
    found = steps(page)
    assert [found[name] for name in FIRST] == ["holds", "holds", "holds", "broken", "holds", "holds"]
    ((what, rule, remedy),) = broken(page)
    assert "CONTENT_CHANGED" in what
    assert rule == "signing.md, The digest input"
    assert "Hash only after the last change" in remedy


@pytest.mark.parametrize(
    ("change", "step", "word", "rule"),
    [
        ({"checksum": "0" * 32}, "Message rules", "MD5", "messages.md"),
        ({"body": b"this is no PDF"}, "Message rules", "ContentType", "messages.md"),
        ({"content_type": "image/png"}, "Message rules", "not supported", "messages.md"),
    ],
)
def test_a_message_that_breaks_a_rule(
    bed: Server, identity: object, change: dict[str, object], step: str, word: str, rule: str
) -> None:
    assert send(bed, signed(identity, with_pdf(**change))) == 500  # type: ignore[arg-type]
    page = newest(bed)
    assert [name for name, result in steps(page).items() if result == "broken"] == [step, "Refused"]
    assert any(word in what for what, _, _ in broken(page))
    assert all(source.startswith(rule) and remedy for _, source, remedy in broken(page))
    assert not [secret for secret in SECRETS if secret in page]


def test_a_request_that_breaks_the_schema_is_explained_without_what_was_sent(bed: Server, identity: object) -> None:
    document = signed(identity)  # type: ignore[arg-type]
    assert send(bed, re.sub(rb"(</?)Recipient\b", rb"\1Mottagare", document)) == 500
    page = newest(bed)
    assert steps(page)["Schema"] == "broken"
    assert any("Recipient" in what and rule == "the schema" for what, rule, _ in broken(page)), broken(page)
    told = page.partition("Captured messages")[0]
    assert not [secret for secret in SECRETS if secret in told]


def test_somebody_elses_certificate_is_refused(bed: Server) -> None:
    stranger = TestPki(system_clock, new_keys=True).organisation(SENDER.number, SENDER.name)
    assert send(bed, signed(stranger)) == 500
    page = newest(bed)
    assert steps(page)["Signature"] == "broken"
    ((what, rule, remedy),) = broken(page)
    assert "not trusted here" in what
    assert rule == "errors.md, 5002"
    assert "Sign with the certificate" in remedy


def test_nobody_sends_as_another(bed: Server, identity: object) -> None:
    assert send(bed, signed(identity, sender=KOMMUN_A)) == 500  # type: ignore[arg-type]
    page = newest(bed)
    assert [name for name, result in steps(page).items() if result == "broken"] == ["Authorisation", "Refused"]
    assert "neither the sender" in broken(page)[0][0]


def test_a_recipient_without_a_mailbox(bed: Server, identity: object) -> None:
    assert send(bed, signed(identity, recipient=UNKNOWN)) == 200  # type: ignore[arg-type]
    until(lambda: "not delivered" in newest(bed), 30, "the look-up")
    assert steps(newest(bed))["Looked up in the register"] == "broken"
    assert UNKNOWN not in newest(bed)


@pytest.mark.parametrize(
    ("path", "kind", "body", "step", "words"),
    [
        ("/Message/v3", "application/soap+xml", b"<a/>", "HTTP", ("415", "text/xml")),
        ("/message/v3", "text/xml", b"<a/>", "HTTP", ("404", "/Message/v3")),
        ("/Message/v3", "text/xml", b"<a>\n<b></a>", "Envelope", ("line 2", "well-formed")),
        ("/Message/v3", "text/xml", b"<!DOCTYPE a><a/>", "Envelope", ("document type",)),
        ("/Message/v3", "text/xml", b"<a/>", "Envelope", ("SOAP 1.1 envelope",)),
        ("/Notification/v3", "text/xml", b"<a/>", "Envelope", ("SOAP 1.1 envelope",)),
    ],
)
def test_what_fails_before_the_message_is_shown_too(
    bed: Server, path: str, kind: str, body: bytes, step: str, words: tuple[str, ...]
) -> None:
    answer = urllib3.request("POST", bed.url + path, body=body, headers={"Content-Type": kind}, retries=False)
    assert answer.status in (404, 415, 500)
    page = newest(bed)
    results = steps(page)
    assert results[step] == "broken"
    assert "holds" not in {results[name] for name in FIRST[FIRST.index(step) + 1 :]}
    assert all(word in page for word in words)


def test_one_finds_ones_own(bed: Server, tmp_path: Path) -> None:
    assert send(bed, signed(certified(bed, tmp_path, OTHER), sender=OTHER)) == 200
    assert len(listed(bed, f"?sender={OTHER.number}")) == 1
    assert len(listed(bed)) > 1
    assert listed(bed, "?sender=162021003898") == []
    status, page = get(f"{bed.url}/testbed?sender=hemligt")
    assert (status, b"12 digits" in page) == (200, True)


def test_a_certificate_by_curl(bed: Server) -> None:
    body = new_request(SENDER.number, SENDER.name, new_key())
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl --data-binary says
    answer = urllib3.request("POST", f"{bed.url}/testbed/certificates", body=body, headers=form)
    assert (answer.status, answer.data.count(b"BEGIN CERTIFICATE")) == (200, 2)
    refused = urllib3.request("POST", f"{bed.url}/testbed/certificates", body=b"x", headers=form)
    assert (refused.status, b"no certificate request" in refused.data) == (400, True)
    large = urllib3.request("POST", f"{bed.url}/testbed/certificates", body=b"x" * 100_000, headers=form)
    assert large.status in (400, 413)


def test_a_certificate_by_the_form_needs_its_token(bed: Server) -> None:
    csr = new_request(SENDER.number, SENDER.name, new_key()).decode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    address = f"{bed.url}/testbed/certificate"
    without = urllib3.request("POST", address, body=urlencode({"csr": csr}), headers=form)
    assert without.status == 400
    assert b"BEGIN CERTIFICATE-" not in without.data
    page = urllib3.request("GET", address)
    token = re.search(rb'name="csrf_token" value="([^"]+)"', page.data)
    assert token is not None
    cookies = SimpleCookie(page.headers["Set-Cookie"])
    assert "HttpOnly" in page.headers["Set-Cookie"]
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    body = urlencode({"csr": csr, "csrf_token": token[1].decode()})
    given = urllib3.request("POST", address, body=body, headers={**form, "Cookie": cookie})
    assert (given.status, b"BEGIN CERTIFICATE-" in given.data) == (200, True)


def test_pages_carry_a_strict_policy_and_nothing_from_elsewhere(bed: Server) -> None:
    for path in ("/testbed", "/testbed/certificate", "/testbed/999999999", listed(bed)[0]):
        answer = urllib3.request("GET", bed.url + path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        page = answer.data.decode()
        assert "<script" not in page
        assert " style=" not in page
        assert not re.findall(r'(?:src|<link[^>]*href)="https?:', page)


@pytest.mark.parametrize("path", ["/testbed/x", "/testbed/-1", "/testbed/99999999999999999999999", "/static/../x"])
def test_addresses_where_nothing_is(bed: Server, path: str) -> None:
    assert get(bed.url + path)[0] == 404


def test_the_contract_and_the_probes_are_served_as_ever(bed: Server) -> None:
    assert get(f"{bed.url}/Message/v3?wsdl")[0] == 200
    status, said = get(f"{bed.url}/readyz")
    # What follows is of certificates that it has seen and that expire soon.
    assert (status, said.splitlines()[0]) == (200, b"ok")
    assert post(f"{bed.url}/Authority", b"<a/>")[0] == 500


def test_numbers_of_the_test_beds_own_parties_are_refused_by_the_command(bed: Server, tmp_path: Path) -> None:
    said = ("--organisation", DISPATCHER.number, "--name", "Somebody", "--out", tmp_path / "out", "--url", bed.url)
    got = mm_soap("testbed", "certificate", *said)
    assert got.returncode == 1
    assert "own parties" in got.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"--organisation": "165599999943"}, "check digit"),
        ({"--name": "X" * 65}, "characters"),
        ({"--url": "http://127.0.0.1:9"}, "could not be reached"),
    ],
)
def test_the_command_says_what_is_wrong(bed: Server, tmp_path: Path, options: dict[str, str], word: str) -> None:
    said = {"--organisation": SENDER.number, "--name": "Kommun X", "--out": str(tmp_path), "--url": bed.url, **options}
    got = mm_soap("testbed", "certificate", *(part for pair in said.items() for part in pair))
    assert got.returncode in (1, 2)
    assert word in got.stderr
    assert "Traceback" not in got.stderr


def test_a_key_is_never_overwritten(bed: Server, folder: Path) -> None:
    before = (folder / f"{SENDER.number}.key").read_bytes()
    said = ("--organisation", SENDER.number, "--name", SENDER.name, "--out", folder, "--url", bed.url)
    assert mm_soap("testbed", "certificate", *said).returncode == 2
    assert (folder / f"{SENDER.number}.key").read_bytes() == before


def test_the_command_prints_json(bed: Server, tmp_path: Path) -> None:
    said = ("--organisation", SENDER.number, "--name", SENDER.name, "--out", tmp_path, "--url", bed.url, "--json")
    got = json.loads(mm_soap("testbed", "certificate", *said).stdout)
    assert Path(got["certificate"]).exists()
    assert (got["organisation"], set(got)) == (SENDER.number, {"organisation", "certificate", "key", "ca"})


def test_without_the_option_there_is_no_test_bed(served: Server) -> None:
    assert get(f"{served.url}/testbed")[0] == 404
    assert get(f"{served.url}/static/style.css")[0] == 404


def test_production_has_none(fresh: Demonstration) -> None:
    got = mm_soap("serve", "--testbed", "--config", fresh.config, MM_SOAP_PROFILE="production")
    assert got.returncode == 2
    assert "never served in the production profile" in got.stderr


@pytest.mark.parametrize(("options", "word"), [(("--testbed", "--party", "far"), "--party"), ((), "--config FILE")])
def test_wrong_use(options: tuple[str, ...], word: str) -> None:
    got = mm_soap("serve", *options)
    assert (got.returncode, word in got.stderr) == (2, True)


def test_it_needs_nothing_but_an_empty_folder(tmp_path: Path) -> None:
    server = Server(tmp_path / "mm-soap-testbed" / "mm-soap.toml", options=("--testbed",))
    server.begin_in(tmp_path)
    try:
        server.wait()
        assert get(f"{server.url}/testbed")[0] == 200
        assert get(f"{server.url}/testbed/ca.pem")[1].count(b"BEGIN CERTIFICATE") == 3
    finally:
        server.stop()
