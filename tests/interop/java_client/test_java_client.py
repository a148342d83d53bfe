"""A Java system whose client was generated from the served WSDLs asks, signs, sends and follows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mm_soap.demonstration import (
    COMPANY,
    KOMMUN_A,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    RECIPIENT_PENDING,
    UNKNOWN,
)
from tests.e2e.suite import Demonstration, Server

PROGRAM = Path(__file__).with_name("SendAndFollow.java")
LIBRARIES = "/usr/share/java/jaxws-rt.jar:/usr/share/java/jaxws-ri-runtime.jar"

pytestmark = [pytest.mark.needs_program("wsimport", "javac", "java"), pytest.mark.slow]


def run(*command: str | Path, folder: Path) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def classes(served: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, generated and compiled."""
    folder = tmp_path_factory.mktemp("java")
    for path in ("/Recipient/v3", "/Message/v3"):
        options = ("-quiet", "-B-XautoNameResolution", "-d", folder)
        run("wsimport", *options, f"{served.url}{path}?wsdl", folder=folder)
    run("javac", "-nowarn", "-encoding", "UTF-8", "-cp", f"{folder}:{LIBRARIES}", "-d", folder, PROGRAM, folder=folder)
    return folder


def test_ask_sign_send_and_follow(demonstration: Demonstration, served: Server, classes: Path) -> None:
    pki = demonstration.folder / "pki"
    recipients = (RECIPIENT, UNKNOWN, RECIPIENT_AT_TWO, RECIPIENT_PENDING, COMPANY, RECIPIENT)
    mine = (pki / f"{KOMMUN_A.number}.pem", pki / f"{KOMMUN_A.number}.key")
    printed = run(
        "java", "-cp", f"{classes}:{LIBRARIES}", "SendAndFollow", served.url, *mine, *recipients, folder=classes
    )
    lines = printed.splitlines()
    assert lines[:6] == [
        f"{RECIPIENT} Secure false true {OPERATOR_ONE.number}",
        f"{UNKNOWN} Not false false -",
        f"{RECIPIENT_AT_TWO} Secure false true {OPERATOR_TWO.number}",
        f"{RECIPIENT_PENDING} Secure true true {OPERATOR_ONE.number}",
        f"{COMPANY} Secure false true {OPERATOR_ONE.number}",
        f"{RECIPIENT} Secure false true {OPERATOR_ONE.number}",
    ]
    assert lines[6:9] == ["too many 5005 36", "the same again true", "changed 5006"]
    assert re.fullmatch(r"sent [0-9a-f-]{36} Digital Delivered", lines[9])
    assert demonstration.mailbox()[0].subject == "Beslut å & ä"
