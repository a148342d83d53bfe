"""nginx before the server, with the very configuration of the documentation."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from lxml import etree

from mm_soap.clock import system_clock
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, KOMMUN_B, OPERATOR_ONE, RECIPIENT, DemoOrganisation
from mm_soap.testing import TestPki
from mm_soap.testing.certificates import pem
from mm_soap.xml import RECIPIENT_V3
from tests.e2e.production import Production, lists_of, make, table, top
from tests.e2e.suite import Server, enveloped, free_port, until

pytestmark = [pytest.mark.slow, pytest.mark.needs_program("nginx")]

PAGE = Path(__file__).parents[2] / "docs/how-to/tls.md"
PROXY = "127.0.0.2"
REACHABLE = enveloped(
    f'<isReachable xmlns="{RECIPIENT_V3}"><senderOrgNr>{KOMMUN_A.number}</senderOrgNr>'
    f"<recipientId>{RECIPIENT}</recipientId></isReachable>"
)
SOAP = {"Content-Type": "text/xml; charset=utf-8"}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A register in production behind a proxy that calls from an address of its own on the same machine."""
    made = make(tmp_path_factory.mktemp("nginx"))
    (made.folder / "data").mkdir()
    made.fill()
    server = made.servers["far"]
    made.write(
        "far",
        top(public_url="https://post.example.se", port=server.port),
        table("[tls]", client_anchors=["pki/ca.pem"], proxies=[PROXY]),
        lists_of(made.folder / "pki", made.pki),
        table("[far]", database="data/far.sqlite3"),
    )
    try:
        server.start()
        yield made
    finally:
        server.stop()


def configuration(folder: Path, port: int, server: Server) -> str:
    """The block of the page, with the addresses and files of this test."""
    (block,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/mm-soap/tls/client-anchors.pem": str(folder / "pki/ca.pem"),
        "/etc/mm-soap/tls/": f"{folder}/far/",
        "http://192.0.2.20:8080": f"http://127.0.0.1:{server.port}",
        "/var/log/nginx/": f"{folder}/nginx/",
        "proxy_bind         192.0.2.10": f"proxy_bind {PROXY}",
    }
    for old, new in changes.items():
        assert old in block
        block = block.replace(old, new)
    temporary = "".join(
        f"{name}_temp_path {folder}/nginx/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    return (
        f"{user}daemon off;\npid {folder}/nginx/pid;\nerror_log {folder}/nginx/error.log;\nworker_processes 1;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{block}}}\n"
    )


@pytest.fixture(scope="module")
def nginx(production: Production) -> Iterator[str]:
    """The URL of a running nginx."""
    folder, port = production.folder, free_port()
    (folder / "nginx").mkdir()
    file = folder / "nginx/nginx.conf"
    file.write_text(configuration(folder, port, production.servers["far"]), encoding="utf-8")
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(file)], stderr=subprocess.PIPE) as process:
        try:
            until((folder / "nginx/pid").exists, 20, "nginx")
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()


def ask(url: str, production: Production, caller: DemoOrganisation | None, **headers: str) -> requests.Response:
    return requests.post(
        f"{url}/Recipient/v3",
        REACHABLE,
        headers=SOAP | {name.replace("__", "-"): value for name, value in headers.items()},
        cert=production.credentials(caller) if caller else None,
        verify=str(production.folder / "pki/ca.pem"),
        timeout=20,
    )


def code(answer: bytes) -> int:
    return int(etree.fromstring(answer).findtext(".//{*}ErrorCode", "0"))


def header_of(production: Production, organisation: DemoOrganisation) -> str:
    """What nginx would hand over for an organisation: its certificate alone."""
    text = Path(production.credentials(organisation)[0]).read_text()
    return quote(text[: text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")])


def direct(production: Production, source: str, *certificates: str) -> tuple[int, bytes]:
    """Call the server itself, from an address."""
    port = production.servers["far"].port
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(source, 0))) as connection:
        connection.putrequest("POST", "/Recipient/v3")
        for name, value in (*SOAP.items(), ("Content-Length", str(len(REACHABLE)))):
            connection.putheader(name, value)
        for certificate in certificates:
            connection.putheader("X-Client-Certificate", certificate)
        connection.endheaders(REACHABLE)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_who_calls_is_known(nginx: str, production: Production) -> None:
    codes = {
        caller.number: code(ask(nginx, production, caller).content)
        for caller in (KOMMUN_A, DISPATCHER, OPERATOR_ONE, KOMMUN_B)
    }
    assert codes == {KOMMUN_A.number: 0, DISPATCHER.number: 0, OPERATOR_ONE.number: 0, KOMMUN_B.number: 5002}
    callers = set(re.findall(r"caller=(\S+)", production.servers["far"].errors.read_text()))
    assert callers >= {KOMMUN_A.number, KOMMUN_B.number}
    assert "-" not in callers


@pytest.mark.parametrize("name", ["X__Client__Certificate", "X_Client_Certificate", "x__client__certificate"])
def test_a_client_cannot_say_who_it_is(nginx: str, production: Production, name: str) -> None:
    answer = ask(nginx, production, KOMMUN_B, **{name: header_of(production, KOMMUN_A)})
    assert code(answer.content) == 5002


def test_without_a_certificate_nginx_answers(nginx: str, production: Production, tmp_path: Path) -> None:
    assert ask(nginx, production, None, X__Client__Certificate=header_of(production, KOMMUN_A)).status_code == 400
    stranger = TestPki(system_clock, new_keys=True, name="Another authority")
    stranger.write(tmp_path, [stranger.organisation(KOMMUN_A.number, KOMMUN_A.name)])
    answer = requests.get(
        f"{nginx}/healthz",
        cert=(str(tmp_path / f"{KOMMUN_A.number}.pem"), str(tmp_path / f"{KOMMUN_A.number}.key")),
        verify=str(production.folder / "pki/ca.pem"),
        timeout=20,
    )
    assert answer.status_code == 400


def test_a_large_request_goes_through(nginx: str, production: Production) -> None:
    answer = requests.post(
        f"{nginx}/Recipient/v3",
        REACHABLE + b" " * 3_000_000,
        headers=SOAP,
        cert=production.credentials(KOMMUN_A),
        verify=str(production.folder / "pki/ca.pem"),
        timeout=30,
    )
    assert (answer.status_code, code(answer.content)) == (200, 0)


def test_its_logs_hold_no_queries(nginx: str, production: Production) -> None:
    """Also while mm-soap is away, which nginx complains of with the whole address."""
    server, logs = production.servers["far"], production.folder / "nginx"

    def look(path: str) -> int:
        return requests.get(
            nginx + path,
            cert=production.credentials(KOMMUN_A),
            headers={"Referer": f"https://example.se/?{RECIPIENT}"},
            verify=str(production.folder / "pki/ca.pem"),
            timeout=20,
        ).status_code

    server.stop()
    try:
        assert look(f"/Inbox/message/7-0?recipientId={RECIPIENT}") == 502
    finally:
        server.start()
    look(f"/Inbox?q=Amnesmark&recipientId={RECIPIENT}")
    until(lambda: " /Inbox 404 " in (logs / "mm-soap.log").read_text(), 20, "its line")
    written = "".join(each.read_text() for each in logs.glob("*.log"))
    assert " /Inbox/message/7-0 502 " in written
    assert "Amnesmark" not in written
    assert RECIPIENT not in written


def test_who_goes_past_the_proxy_is_not_answered(production: Production) -> None:
    good = header_of(production, KOMMUN_A)
    for source in ("127.0.0.1", "127.0.0.3"):
        status, answer = direct(production, source, good)
        assert status == 403
        assert b"proxy" in answer
        assert b"Envelope" not in answer
    assert direct(production, PROXY, good)[0] == 200


def test_what_a_proxy_hands_over_must_be_one_good_certificate(production: Production) -> None:
    good = header_of(production, KOMMUN_A)
    other = TestPki(system_clock, new_keys=True, name="Another authority").organisation(KOMMUN_A.number, "Kommun A")
    foreign = quote(pem([other.certificate]))
    expired = production.pki.organisation(KOMMUN_A.number, "Kommun A", expired=True)
    old = quote(pem([expired.certificate]))
    nameless = production.pki.organisation(KOMMUN_A.number, "Kommun A", no_organisation=True)
    for certificates in (
        (),
        ("",),
        (good, good),
        ("%zz",),
        ("A" * 20_000,),
        (quote("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),),
        (foreign,),
        (old,),
        (quote(pem([nameless.certificate])),),
    ):
        status, answer = direct(production, PROXY, *certificates)
        assert (status, code(answer)) == (500, 5002), certificates
        assert b"AAAA" not in answer
