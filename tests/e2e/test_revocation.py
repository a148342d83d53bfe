"""Certificates that are revoked in the middle of traffic, and responders that are away: with real processes."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest
import requests
from cryptography import x509
from lxml import etree

from mm_soap.bootstrap import databases
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.contract import ports
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, KOMMUN_B, OPERATOR_ONE, RECIPIENT, DemoOrganisation
from mm_soap.dsig import sign_delivery
from mm_soap.dsig.sign import seal_for, sealed_document
from mm_soap.message import build_delivery
from mm_soap.pki import Identity
from mm_soap.soap.envelope import wrap
from mm_soap.storage import events_of, reading
from mm_soap.testing import StatusServer
from tests.e2e.production import Production, make, served
from tests.e2e.suite import letter, mm_soap, until
from tests.e2e.test_tls import status_request
from tests.unit.dsig.samples import deliver, distribute

pytestmark = pytest.mark.slow

Revoke = Callable[[x509.Certificate], None]

REFRESH = 1
WITHIN = 60
"""Seconds: refreshed each second, so this is for slow machines alone."""


@pytest.fixture
def status() -> Iterator[StatusServer]:
    with StatusServer(system_clock) as server:
        yield server


@pytest.fixture(scope="module")
def served_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Production, StatusServer]]:
    folder = tmp_path_factory.mktemp("revocation")
    with StatusServer(system_clock) as status:
        made = make(folder, status, refresh=REFRESH, max_age=3, grace=600)
        (folder / "data").mkdir()
        made.fill()
        with served(made):
            yield made, status


@pytest.fixture
def production(served_once: tuple[Production, StatusServer]) -> Production:
    """One installation for several tests; each begins when nothing is revoked."""
    production, status = served_once
    status.authority(production.pki.issuing).revoked.clear()
    until(lambda: [ask(production, each)[0] for each in (KOMMUN_A, DISPATCHER)] == [5003, 5003], WITHIN, "good callers")
    return production


def identity(production: Production, organisation: DemoOrganisation) -> Identity:
    certificate, key = map(Path, production.credentials(organisation))
    return Identity.load(certificate, key)


@pytest.fixture
def revoke(served_once: tuple[Production, StatusServer], production: Production) -> Callable[[x509.Certificate], None]:
    return served_once[1].authority(production.pki.issuing).revoke


def call(production: Production, party: str, port: str, body: bytes, caller: DemoOrganisation) -> etree._Element:
    """The answer's Body."""
    answer = requests.post(
        f"{production.servers[party].url}{ports()[port].path}",
        body if b"Envelope" in body else wrap(body),
        headers={"Content-Type": "text/xml; charset=utf-8"},
        cert=production.credentials(caller),
        verify=str(production.folder / "pki/ca.pem"),
        timeout=30,
    )
    return etree.fromstring(answer.content)


def told(answer: etree._Element) -> tuple[int, str]:
    """ErrorCode and Description; 0 for no fault."""
    return int(answer.findtext(".//{*}ErrorCode", "0")), answer.findtext(".//{*}Description", "")


def ask(production: Production, caller: DemoOrganisation) -> tuple[int, str]:
    unknown = "00000000-0000-4000-8000-000000000000"
    return told(call(production, "dispatcher", "message", status_request(KOMMUN_A, unknown).encode(), caller))


def post_letter(production: Production, signer: DemoOrganisation, caller: DemoOrganisation) -> etree._Element:
    document = sign_delivery(build_delivery(letter(RECIPIENT)), identity(production, signer))
    return call(production, "dispatcher", "message", distribute(document), caller)


REVOKED = (5002, "The certificate is revoked. Use another one, and make the call again.")


def test_a_caller_is_refused_when_its_certificate_is_revoked(production: Production, revoke: Revoke) -> None:
    """On the same connection too; others go on. What was refused is written down."""
    with requests.Session() as session:
        session.trust_env = False
        session.cert, session.verify = production.credentials(KOMMUN_A), str(production.folder / "pki/ca.pem")

        def kept() -> etree._Element:
            url = f"{production.servers['dispatcher'].url}/Message/v3"
            body = wrap(status_request(KOMMUN_A, "00000000-0000-4000-8000-000000000000").encode())
            answer = session.post(url, body, headers={"Content-Type": "text/xml; charset=utf-8"}, timeout=30)
            return etree.fromstring(answer.content)

        assert told(kept())[0] == 5003
        revoke(identity(production, KOMMUN_A).certificate)
        until(lambda: told(kept()) == REVOKED, WITHIN, "the refusal")
        call_id = kept().findtext(".//{*}CallId")
    assert ask(production, DISPATCHER)[0] == 5003
    (database,) = databases(load(production.folder / "dispatcher.toml")).values()
    with reading(database) as connection:
        (event,) = events_of(connection, call_id=call_id)
    database.dispose()
    assert (event.kind, event.outcome) == ("refusal", "CERTIFICATE_REVOKED")


def test_a_signer_is_refused_when_its_certificate_is_revoked(production: Production, revoke: Revoke) -> None:
    """Whoever brings it; what was accepted before is delivered."""
    assert told(post_letter(production, KOMMUN_A, DISPATCHER))[0] == 0
    revoke(identity(production, KOMMUN_A).certificate)
    until(lambda: told(post_letter(production, KOMMUN_A, DISPATCHER)) == REVOKED, WITHIN, "the refusal")
    assert told(post_letter(production, DISPATCHER, DISPATCHER))[0] == 0


def test_what_was_accepted_before_the_revocation_arrives(production: Production, revoke: Revoke) -> None:
    """The operator is away when the sender's certificate is revoked: the day in the seal counts."""
    before = len(production.mailbox())
    operator = production.servers["operator"]
    operator.stop()
    assert told(post_letter(production, KOMMUN_A, KOMMUN_A))[0] == 0
    revoke(identity(production, KOMMUN_A).certificate)
    until(lambda: ask(production, KOMMUN_A) == REVOKED, WITHIN, "the revocation")
    operator.start()
    until(lambda: len(production.mailbox()) == before + 1, WITHIN, "the message")


def test_a_dispatchers_seal_is_refused_when_its_certificate_is_revoked(production: Production, revoke: Revoke) -> None:
    """It seals with one certificate and calls with another."""
    sealer = production.pki.organisation(DISPATCHER.number, DISPATCHER.name)

    def bring() -> tuple[int, str]:
        document = sign_delivery(build_delivery(letter(RECIPIENT)), identity(production, KOMMUN_A))
        seal = seal_for(document, sealer, system_clock().astimezone(UTC).date())
        sealed = sealed_document(document, seal)
        return told(call(production, "operator", "service", deliver(sealed), DISPATCHER))

    before = len(production.mailbox())
    assert bring()[0] == 0
    revoke(sealer.certificate)
    until(lambda: bring() == REVOKED, WITHIN, "the refusal")
    assert len(production.mailbox()) > before


def test_nothing_is_sent_to_a_server_whose_certificate_is_revoked(
    production: Production, revoke: Revoke, served_once: tuple[Production, StatusServer]
) -> None:
    """It waits, and the trace says why."""
    (server,) = x509.load_pem_x509_certificates((production.folder / "operator/server.pem").read_bytes())[:1]
    revoke(server)
    sent: list[str] = []

    def waits() -> bool:
        sent.append(post_letter(production, KOMMUN_A, KOMMUN_A).findtext(".//{*}return", ""))
        # An attempt takes its time: those before the last ones have had it.
        return any("its certificate is revoked" in trace(each) for each in sent[-4:])

    def trace(distribution: str) -> str:
        traced = mm_soap("trace", distribution, "--config", production.folder / "dispatcher.toml")
        return " ".join(traced.stdout.split())

    until(waits, WITHIN, "the reason")
    before = len(production.mailbox())
    served_once[1].authority(production.pki.issuing).revoked.clear()
    until(lambda: len(production.mailbox()) > before, 30, "what had waited")


def test_what_waits_for_an_operator_arrives_once_it_has_a_new_certificate(
    production: Production, revoke: Revoke
) -> None:
    """The old one stays revoked. Meanwhile what waits is kept, and metrics and log tell of it."""
    operator, dispatcher = production.servers["operator"], production.servers["dispatcher"]
    revoke(x509.load_pem_x509_certificates((production.folder / "operator/server.pem").read_bytes())[0])
    before, sent, log = len(production.mailbox()), list[str](), len(dispatcher.output())

    def stopped() -> bool:
        # The first of them may still have arrived.
        sent.append(post_letter(production, KOMMUN_A, KOMMUN_A).findtext(".//{*}return", ""))
        return "its certificate is revoked" in dispatcher.output()[log:]

    def revoked() -> float:
        shown = requests.get(
            f"{dispatcher.url}/metrics",
            cert=production.credentials(KOMMUN_A),
            verify=str(production.folder / "pki/ca.pem"),
            timeout=30,
        ).text
        return sum(
            float(each) for each in re.findall(r"^mm_soap_revocation_refused_total\{.*\} (\S+)", shown, re.MULTILINE)
        )

    refused = revoked()
    until(stopped, WITHIN, "the reason")
    sent.append(post_letter(production, KOMMUN_A, KOMMUN_A).findtext(".//{*}return", ""))
    assert revoked() > refused
    assert len(production.mailbox()) < before + len(sent)
    operator.stop()
    production.pki.write_server(production.folder / "operator", ("127.0.0.1", "operator.example"))
    operator.start()
    until(lambda: len(production.mailbox()) == before + len(sent), 60, "what had waited")


def test_a_sender_hands_nothing_to_a_dispatcher_whose_certificate_is_revoked(
    production: Production, revoke: Revoke, tmp_path: Path, served_once: tuple[Production, StatusServer]
) -> None:
    (tmp_path / "text.txt").write_text("Hej.")
    to = ("--sender", KOMMUN_A.number, "--recipient", RECIPIENT, "--subject", "Beslut", "--body", tmp_path / "text.txt")

    def said(command: str, *more: str) -> str:
        return " ".join(mm_soap(command, *to, *more, "--config", production.sender_config).stderr.split())

    assert "revoked" not in said("send")
    revoke(x509.load_pem_x509_certificates((production.folder / "dispatcher/server.pem").read_bytes())[0])
    until(lambda: "its certificate is revoked" in said("send"), WITHIN, "the refusal")
    assert "its certificate is revoked" in said("notify", "--email-from", "a@example.se", "--email", "Hej")


def test_a_file_is_verified_with_the_revocation_of_settings(
    production: Production, revoke: Revoke, tmp_path: Path
) -> None:
    file = tmp_path / "signed.xml"
    file.write_bytes(sign_delivery(build_delivery(letter(RECIPIENT)), identity(production, KOMMUN_A)))

    def rules(*options: object) -> list[str]:
        shown = json.loads(mm_soap("verify", file, *options, "--json").stdout)
        assert shown["valid"] is not bool(shown["problems"])
        return [one["rule"] for one in shown["problems"]]

    settings = ("--config", production.folder / "operator.toml")
    assert rules(*settings) == []
    revoke(identity(production, KOMMUN_A).certificate)
    until(lambda: rules(*settings)[:1] == ["CERTIFICATE_REVOKED"], WITHIN, "the revocation")
    assert rules("--trust", production.folder / "pki/ca.pem") == []  # nobody asked for it


def test_the_responder_is_away(tmp_path: Path, status: StatusServer) -> None:
    """Within the grace all goes on, and health, metrics and log tell of it; after it nothing does, until it is back."""
    made = make(tmp_path, status, refresh=1, max_age=2, grace=3600, clock_skew=0)
    (tmp_path / "data").mkdir()
    made.fill()
    dispatcher = made.servers["dispatcher"]

    def get(path: str) -> str:
        answer = requests.get(
            f"{dispatcher.url}{path}",
            cert=made.credentials(KOMMUN_B),
            verify=str(tmp_path / "pki/ca.pem"),
            timeout=30,
        )
        return answer.text

    def metric(name: str) -> float:
        lines = get("/metrics").splitlines()
        return max(float(line.split()[-1]) for line in lines if line.startswith(name) and 'kind="crl"' in line)

    with served(made):
        assert ask(made, KOMMUN_A)[0] == 5003
        until(lambda: get("/readyz") == "ok\n", WITHIN, "all well")
        status.mode = "away"
        until(lambda: "could not be renewed: HTTP 503. It counts until" in get("/readyz"), WITHIN, "the warning")
        until(lambda: metric("mm_soap_revocation_age_seconds") > 3, WITHIN, "an age beyond max_age")
        assert 0 < metric("mm_soap_revocation_left_seconds") < 3600
        # The processes share what they ask for: now and then it is this one's turn.
        until(lambda: metric("mm_soap_revocation_failures_total") >= 1, WITHIN, "a failure")
        assert ask(made, KOMMUN_A)[0] == 5003
        dispatcher.stop()
        two_hours_ago = time.time() - 7200
        for file in (tmp_path / "data/revocation").glob("*.crl"):
            os.utime(file, (two_hours_ago, two_hours_ago))
        dispatcher.start()
        code, text = ask(made, KOMMUN_A)
        assert (code, "could not be found out. Repeat the same call later." in text) == (4000, True)
        assert "counts no more since" in get("/readyz")
        status.mode = "good"
        until(lambda: ask(made, KOMMUN_A)[0] == 5003, 90, "the end of the outage")
        until(lambda: get("/readyz") == "ok\n", WITHIN, "all well")
        log = dispatcher.errors.read_text()
    for part in ("could not be renewed: HTTP 503", "counts no more since", "is fresh, of"):
        assert part in log


def test_a_long_list(tmp_path: Path, status: StatusServer) -> None:
    """100 000 entries cost memory for the list, and no call waits for it."""
    made = make(tmp_path, status, refresh=1)
    (tmp_path / "data").mkdir()
    made.fill()
    status.authority(made.pki.issuing).entries = [
        x509.RevokedCertificateBuilder().serial_number(number).revocation_date(system_clock()).build()
        for number in range(1, 100_001)
    ]
    with served(made):
        assert ask(made, KOMMUN_A)[0] == 5003
        (worker,) = made.servers["dispatcher"].workers()
        before = memory(worker)
        asked = len(status.asked)
        until(lambda: len(status.asked) > asked + 8, 60, "several refreshes")
        assert ask(made, KOMMUN_A)[0] == 5003
        assert memory(worker) - before < 60_000_000
        status.authority(made.pki.issuing).revoke(identity(made, KOMMUN_A).certificate)
        until(lambda: ask(made, KOMMUN_A) == REVOKED, WITHIN, "the refusal")


def memory(process: int) -> int:
    """Resident memory in bytes."""
    (line,) = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def test_the_command_tells_of_revocation(production: Production, revoke: Revoke) -> None:
    def rows() -> dict[tuple[str, str], list[str]]:
        shown = mm_soap("certificates", "--config", production.folder / "operator.toml", "--json")
        found: dict[tuple[str, str], list[str]] = {}
        for row in json.loads(shown.stdout):
            found.setdefault((row["party"], row["use"]), []).append(row["revocation"])
        return found

    party = f"operator:{OPERATOR_ONE.number}"
    found = rows()
    assert (found[party, "signing"], found["tls", "server"]) == (["good"], ["good"])
    assert sorted(found["trust", "anchor"]) == ["good", "not checked"]  # the issuing authority, and the root
    revoke(identity(production, OPERATOR_ONE).certificate)
    until(lambda: rows()[party, "signing"][0].startswith("revoked since "), WITHIN, "the command")
    said = mm_soap("certificates", "--config", production.folder / "operator.toml")
    assert said.returncode == 1
    assert f"The certificate of {party} (signing" in " ".join(said.stderr.split())
