"""A register in Java, with classes generated from our WSDLs, reads what mm-soap asks; mm-soap reads what it answers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from mm_soap.demonstration import DISPATCHER, KOMMUN_A, OPERATOR_ONE, RECIPIENT, RECIPIENT_AT_TWO, UNKNOWN
from mm_soap.register_client import RegisterClient
from mm_soap.soap import SoapClient
from tests.e2e.suite import Demonstration, Server, distribute, final_status, free_port, letter

PROGRAM = Path(__file__).with_name("RegisterEndpoint.java")
LIBRARIES = "/usr/share/java/jaxws-rt.jar:/usr/share/java/jaxws-ri-runtime.jar"
SAAJ = "-Djavax.xml.soap.SAAJMetaFactory=com.sun.xml.messaging.saaj.soap.SAAJMetaFactoryImpl"

pytestmark = [pytest.mark.needs_program("wsimport", "javac", "java"), pytest.mark.slow]


def run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def classes(served: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The register, generated and compiled; the WSDLs that it publishes beside it."""
    folder = tmp_path_factory.mktemp("java")
    (folder / "META-INF" / "wsdl").mkdir(parents=True)
    for name, path in (("Recipient", "/Recipient/v3"), ("Authority", "/Authority")):
        run("wsimport", "-quiet", "-B-XautoNameResolution", "-d", folder, f"{served.url}{path}?wsdl")
        with urlopen(f"{served.url}{path}?wsdl") as wsdl:
            (folder / "META-INF" / "wsdl" / f"{name}.wsdl").write_bytes(wsdl.read())
    run("javac", "-nowarn", "-encoding", "UTF-8", "-cp", f"{folder}:{LIBRARIES}", "-d", folder, PROGRAM)
    return folder


@dataclass
class Register:
    """The Java register, while it runs."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> list[str]:
        """Stop it and return the questions that it was asked."""
        self.process.terminate()
        assert self.process.stdout is not None
        return [line.strip() for line in self.process.stdout if line.startswith("asked ")]


@contextmanager
def running(classes: Path, order: str, address: str) -> Iterator[Register]:
    url = f"http://127.0.0.1:{free_port()}"
    parties = (KOMMUN_A.number, DISPATCHER.number, OPERATOR_ONE.number, address, order, RECIPIENT, RECIPIENT_AT_TWO)
    options = (SAAJ, "-Dcom.sun.xml.ws.monitoring.endpoint=false", "-cp", f"{classes}:{LIBRARIES}")
    process = subprocess.Popen(
        ["java", *options, "RegisterEndpoint", url, *parties],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Register(url, process)
        finally:
            process.kill()


@pytest.mark.parametrize("order", ["asked", "reversed"])
def test_a_look_up_of_several(classes: Path, order: str) -> None:
    asked = [UNKNOWN, RECIPIENT, RECIPIENT_AT_TWO]
    with running(classes, order, "http://127.0.0.1:1/Service/v3") as register:
        recipient = SoapClient(f"{register.url}/Recipient/v3", timeout=20)
        authority = SoapClient(f"{register.url}/Authority", timeout=20)
        with closing(recipient), closing(authority):
            client = RegisterClient(recipient, authority, max_age=60.0)
            found = client.reachable(KOMMUN_A.number, asked)
            assert client.sender_connected(KOMMUN_A.number)
            assert client.may_dispatch(DISPATCHER.number, KOMMUN_A.number)
            assert not client.may_dispatch(OPERATOR_ONE.number, KOMMUN_A.number)
        assert register.stop() == [f"asked {KOMMUN_A.number} {' '.join(asked)}"]
    assert [(each.recipient, each.registered, each.sender_accepted, each.operator) for each in found] == [
        (UNKNOWN, False, False, None),
        (RECIPIENT, True, True, OPERATOR_ONE.number),
        (RECIPIENT_AT_TWO, True, True, OPERATOR_ONE.number),
    ]


def test_the_dispatcher_and_an_operator_with_a_foreign_register(fresh: Demonstration, classes: Path) -> None:
    port = free_port()
    with running(classes, "asked", f"http://127.0.0.1:{port}/Service/v3") as register:
        for table in ("dispatcher", "operator"):
            fresh.change(table, register_url=register.url)
        server = Server(fresh.config, ("dispatcher", f"operator:{OPERATOR_ONE.number}"), port=port)
        fresh.servers.append(server)
        server.start()
        distribution = distribute(server.url, fresh.signed(letter()))
        assert final_status(server.url, distribution) == ("Digital", "Delivered")
        assert register.stop() == [f"asked {KOMMUN_A.number} {RECIPIENT}"]
