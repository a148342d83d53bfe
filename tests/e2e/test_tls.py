"""TLS with certificates on both sides: who gets in, who is believed, and what a silent client holds up."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from lxml import etree

from mm_soap.clock import system_clock
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, KOMMUN_B, OPERATOR_ONE, RECIPIENT, DemoOrganisation
from mm_soap.sender import distribute_secure_request
from mm_soap.testing import TestPki
from mm_soap.testing.certificates import pem, write_key
from mm_soap.xml import MESSAGE_V3, RECIPIENT_V3
from tests.e2e.suite import Demonstration, enveloped, letter, mm_soap, stopped_at_the_end, until


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration that speaks TLS and was never served."""
    folder = tmp_path_factory.mktemp("template") / "demo"
    made = mm_soap("init", folder, "--demo", "--tls")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def secured(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with stopped_at_the_end(Demonstration.copy_of(template, tmp_path_factory.mktemp("tls") / "demo")) as own:
        own.serve(MM_SOAP_THREADS="4")
        yield own


def answer(
    demonstration: Demonstration, path: str, body: str, caller: DemoOrganisation | None, **headers: str
) -> tuple[int, etree._Element]:
    """Call with the certificate of an organisation; return the fault's code, or 0, and the answer."""
    pki = demonstration.folder / "pki"
    response = requests.post(
        f"{demonstration.servers[0].url}{path}",
        enveloped(body),
        headers={"Content-Type": "text/xml; charset=utf-8", **headers},
        cert=(str(pki / f"{caller.number}.pem"), str(pki / f"{caller.number}.key")) if caller else None,
        verify=str(pki / "ca.pem"),
        timeout=20,
    )
    root = etree.fromstring(response.content)
    return int(root.findtext(".//{*}ErrorCode", "0")), root


def status_request(sender: DemoOrganisation, distribution: str) -> str:
    return (
        f'<checkDistributionStatus xmlns="{MESSAGE_V3}"><senderId>{sender.number}</senderId>'
        f"<distributionId>{distribution}</distributionId></checkDistributionStatus>"
    )


REACHABLE = (
    f'<isReachable xmlns="{RECIPIENT_V3}"><senderOrgNr>{KOMMUN_A.number}</senderOrgNr>'
    f"<recipientId>{RECIPIENT}</recipientId></isReachable>"
)


def test_the_whole_chain(secured: Demonstration, tmp_path: Path) -> None:
    body = tmp_path / "text.txt"
    body.write_text("Hej.", encoding="utf-8")
    said = ("--sender", KOMMUN_A.number, "--recipient", RECIPIENT, "--subject", "Beslut", "--body", body)
    server = secured.servers[0]
    sent = mm_soap("send", "--config", secured.config, *said, "--wait", MM_SOAP_PORT=str(server.port))
    assert sent.returncode == 0, sent.stderr
    assert len(secured.mailbox()) == 1
    callers = set(re.findall(r"caller=(\S+)", server.errors.read_text()))
    assert callers >= {KOMMUN_A.number, DISPATCHER.number, OPERATOR_ONE.number}
    assert "-" not in callers


def test_a_delivery_and_its_status_are_for_its_sender_and_its_dispatchers(secured: Demonstration) -> None:
    document = secured.signed(letter())
    request = distribute_secure_request(document).decode()
    assert answer(secured, "/Message/v3", request, KOMMUN_B)[0] == 5002
    assert answer(secured, "/Message/v3", request, OPERATOR_ONE)[0] == 5002
    code, accepted = answer(secured, "/Message/v3", request, KOMMUN_A)
    assert code == 0
    distribution = accepted.findtext(".//{*}return", "")
    assert answer(secured, "/Message/v3", request, DISPATCHER)[1].findtext(".//{*}return") == distribution
    question = status_request(KOMMUN_A, distribution)
    assert answer(secured, "/Message/v3", question, KOMMUN_B)[0] == 5002
    until(lambda: answer(secured, "/Message/v3", question, KOMMUN_A)[0] == 0, 20, "the status")
    assert answer(secured, "/Message/v3", question, DISPATCHER)[0] == 0


def test_the_register_answers_those_whom_the_contract_names(secured: Demonstration) -> None:
    codes = {
        caller.number: answer(secured, "/Recipient/v3", REACHABLE, caller)[0]
        for caller in (KOMMUN_A, DISPATCHER, OPERATOR_ONE, KOMMUN_B)
    }
    assert codes == {KOMMUN_A.number: 0, DISPATCHER.number: 0, OPERATOR_ONE.number: 0, KOMMUN_B.number: 5002}


def test_a_header_is_no_certificate(secured: Demonstration) -> None:
    certificate = (secured.folder / "pki" / f"{KOMMUN_A.number}.pem").read_text().replace("\n", "%0A")
    assert answer(secured, "/Recipient/v3", REACHABLE, KOMMUN_B, **{"X-Client-Certificate": certificate})[0] == 5002


@pytest.mark.parametrize("known", [False, True], ids=["without a certificate", "with a stranger's"])
def test_who_has_no_good_certificate_gets_no_answer(secured: Demonstration, tmp_path: Path, known: bool) -> None:
    stranger = TestPki(system_clock).organisation(KOMMUN_A.number, "Kommun A")
    certificate, key = tmp_path / "other.pem", tmp_path / "other.key"
    certificate.write_bytes(pem([stranger.certificate, *stranger.chain]))
    write_key(key, stranger.key)
    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
        requests.get(
            f"{secured.servers[0].url}/healthz",
            cert=(str(certificate), str(key)) if known else None,
            verify=str(secured.folder / "pki/ca.pem"),
            timeout=20,
        )


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "spoken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
def test_old_versions_are_not_spoken(secured: Demonstration, version: ssl.TLSVersion, spoken: bool) -> None:
    context = ssl.create_default_context(cafile=secured.folder / "pki/ca.pem")
    context.load_cert_chain(*(secured.folder / f"pki/{KOMMUN_A.number}.{end}" for end in ("pem", "key")))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    with socket.create_connection(("127.0.0.1", secured.servers[0].port), 20) as plain:
        try:
            context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        except (ssl.SSLError, ConnectionError):
            assert not spoken
        else:
            assert spoken


def test_silent_clients_do_not_hold_the_server_up(secured: Demonstration) -> None:
    """More of them than threads: some send nothing, some half a handshake."""
    port = secured.servers[0].port
    with ExitStack() as open_now:
        for number in range(12):
            silent = open_now.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            if number % 2:
                silent.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert answer(secured, "/Recipient/v3", REACHABLE, KOMMUN_A)[0] == 0
