"""The scripts in clients/python, run as an integrator runs them: by their files, beside no package of ours."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
import textwrap
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mm_soap.bootstrap import mailbox_services
from mm_soap.config import load
from mm_soap.demonstration import (
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    RECIPIENT_PENDING,
    RECIPIENT_WITHOUT_B,
    UNKNOWN,
)
from mm_soap.service_supplier.model import StoredMessage
from mm_soap.testing.documents import one_page_pdf
from tests.e2e.clients.conftest import CLIENTS, Installation, run_script
from tests.e2e.clients.terminator import TlsTerminator
from tests.e2e.suite import mm_soap

PYTHON = CLIENTS / "python"
ASK, SEND, FOLLOW = PYTHON / "ask_register.py", PYTHON / "send_message.py", PYTHON / "follow_status.py"
FAULT = re.compile(r"Refused with (\d{4}): (.+) \(CallId [0-9a-f-]{36}\)\n")


@pytest.fixture
def letter(tmp_path: Path) -> tuple[object, ...]:
    """The options that say what is sent: a text beyond ASCII, and two attachments."""
    (tmp_path / "beslut.txt").write_text("Hej!\n\nDitt beslut finns i bilagan. åäö\n", encoding="utf-8")
    (tmp_path / "beslut.pdf").write_bytes(one_page_pdf("Beslut", "Bygglov beviljas."))
    (tmp_path / "tid.ics").write_bytes(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n")
    attached = ("--attach", tmp_path / "beslut.pdf", "--attach", tmp_path / "tid.ics")
    return "--subject", "Beslut om <bygglov> & åtgärd", "--text", tmp_path / "beslut.txt", *attached


def send(installation: Installation, signer: str, recipient: str, *options: object) -> CompletedProcess[str]:
    fixed = ("--endpoint", installation.url, *installation.signer_options(signer), "--recipient", recipient)
    return run_script(SEND, *fixed, *options)


def follow(installation: Installation, sender: str, distribution_id: str, *options: object) -> CompletedProcess[str]:
    fixed = ("--endpoint", installation.url, "--sender", sender, "--interval", "0.5", "--wait", "40")
    return run_script(FOLLOW, *fixed, *options, distribution_id)


def refused(done: CompletedProcess[str]) -> tuple[str, str]:
    """Return the code and the description that a script printed, as its only line of errors."""
    assert (done.returncode, done.stdout.count("\n") <= 1) == (1, True)
    found = FAULT.fullmatch(done.stderr)
    assert found, done.stderr
    return found[1], found[2]


def test_the_register_answers_for_each_recipient_in_order(installation: Installation) -> None:
    recipients = (RECIPIENT, UNKNOWN, RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B, RECIPIENT_PENDING, RECIPIENT)
    done = run_script(ASK, "--endpoint", installation.url, "--sender", KOMMUN_B.number, *recipients)
    assert (done.returncode, done.stderr) == (0, "")
    heading, *rows = (re.split(r" {2,}", line) for line in done.stdout.splitlines())
    assert heading == ["recipient", "reachable", "account", "pending", "accepted", "operator"]
    assert rows == [
        [RECIPIENT, "yes", "Secure", "no", "yes", OPERATOR_ONE.name],
        [UNKNOWN, "no", "Not", "no", "no", "-"],
        [RECIPIENT_AT_TWO, "yes", "Secure", "no", "yes", OPERATOR_TWO.name],
        [RECIPIENT_WITHOUT_B, "no", "Secure", "no", "no", OPERATOR_TWO.name],
        [RECIPIENT_PENDING, "no", "Secure", "yes", "yes", OPERATOR_ONE.name],
        [RECIPIENT, "yes", "Secure", "no", "yes", OPERATOR_ONE.name],
    ]


def test_more_recipients_than_one_call_takes_are_asked_in_several(installation: Installation) -> None:
    done = run_script(ASK, "--endpoint", installation.url, "--sender", KOMMUN_A.number, *[RECIPIENT] * 1001)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(f"{RECIPIENT}  yes") == 1001


def test_a_fault_of_the_register_is_told_in_one_line(installation: Installation) -> None:
    done = run_script(ASK, "--endpoint", installation.url, "--sender", KOMMUN_A.number, "19270517-8354")
    code, description = refused(done)
    assert code == "5001"
    assert "8354" not in description


def test_a_server_that_is_away_is_told_in_one_line() -> None:
    done = run_script(ASK, "--endpoint", "http://127.0.0.1:1", "--sender", KOMMUN_A.number, RECIPIENT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ConnectionError: ")
    assert done.stderr.count("\n") == 1


def test_a_message_with_attachments_is_delivered(
    installation: Installation, letter: tuple[object, ...], tmp_path: Path
) -> None:
    sent = send(installation, KOMMUN_A.number, RECIPIENT_AT_TWO, *letter)
    assert (sent.returncode, sent.stderr) == (0, "")
    assert 1 <= len(sent.stdout.strip()) <= 50
    followed = follow(installation, KOMMUN_A.number, sent.stdout.strip())
    assert (followed.returncode, followed.stdout, followed.stderr) == (0, "Delivered\n", "")
    message = newest_message(installation, RECIPIENT_AT_TWO)
    assert message.summary.subject == "Beslut om <bygglov> & åtgärd"
    assert message.body == (tmp_path / "beslut.txt").read_bytes()
    assert [(file.filename, file.body) for file in message.attachments] == [
        (name, (tmp_path / name).read_bytes()) for name in ("beslut.pdf", "tid.ics")
    ]


def newest_message(installation: Installation, recipient: str) -> StoredMessage:
    """Return what operator two put last into a mailbox."""
    _, operator_two = services = mailbox_services(load(installation.folder / "mm-soap.toml"))
    try:
        return operator_two.get_message(recipient, operator_two.list_messages(recipient)[0].message_id)
    finally:
        for service in services:
            service.database.dispose()


def test_a_dispatcher_signs_for_a_sender(installation: Installation, letter: tuple[object, ...]) -> None:
    sender = ("--sender", KOMMUN_B.number, "--sender-name", KOMMUN_B.name)
    sent = send(installation, DISPATCHER.number, RECIPIENT, *sender, *letter)
    assert (sent.returncode, sent.stderr) == (0, "")
    assert follow(installation, KOMMUN_B.number, sent.stdout.strip()).stdout == "Delivered\n"


@pytest.mark.parametrize(("recipient", "ended"), [(UNKNOWN, "Not: "), (RECIPIENT_WITHOUT_B, "Paper: ")])
def test_what_must_go_on_paper_is_said(
    recipient: str, ended: str, installation: Installation, letter: tuple[object, ...]
) -> None:
    sent = send(installation, KOMMUN_B.number, recipient, *letter)
    assert (sent.returncode, sent.stderr) == (0, "")
    followed = follow(installation, KOMMUN_B.number, sent.stdout.strip())
    assert followed.returncode == 3
    assert followed.stdout.startswith(ended)


def test_a_signer_who_may_not_sign_is_refused(installation: Installation, letter: tuple[object, ...]) -> None:
    other = ("--sender", KOMMUN_A.number, "--sender-name", KOMMUN_A.name)
    assert refused(send(installation, KOMMUN_B.number, RECIPIENT, *other, *letter))[0] == "5002"


def test_an_unknown_distribution_is_refused(installation: Installation) -> None:
    assert refused(follow(installation, KOMMUN_A.number, "no-such-distribution"))[0] == "5003"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("beslut.exe", "beslut.exe cannot be attached"), ("missing.pdf", "FileNotFoundError")],
)
def test_a_file_that_cannot_be_attached_is_told_in_one_line(
    name: str, expected: str, installation: Installation, letter: tuple[object, ...]
) -> None:
    done = send(installation, KOMMUN_A.number, RECIPIENT, *letter, "--attach", name)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert expected in done.stderr


def test_a_key_of_another_certificate_is_told_in_one_line(
    installation: Installation, letter: tuple[object, ...]
) -> None:
    done = send(installation, KOMMUN_A.number, RECIPIENT, *letter, "--key", installation.key(KOMMUN_B.number))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "does not belong to the certificate" in done.stderr


def isolated(code: str, tmp_path: Path) -> CompletedProcess[str]:
    """Run code that uses the clients' module in an interpreter in which mm_soap cannot be imported."""
    file = tmp_path / "isolated.py"
    guard = f"import sys\nsys.modules['mm_soap'] = None\nsys.path.insert(0, {str(PYTHON)!r})\n"
    file.write_text(guard + textwrap.dedent(code), encoding="utf-8")
    return run_script(file)


def test_the_scripts_need_nothing_of_ours(installation: Installation, tmp_path: Path) -> None:
    arguments = ["ask_register.py", "--endpoint", installation.url, "--sender", KOMMUN_A.number, RECIPIENT]
    done = isolated(
        f"""
        import ask_register, send_message, follow_status
        sys.argv = {arguments!r}
        assert ask_register.main() == 0
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{RECIPIENT}  yes" in done.stdout


def test_the_requirements_are_what_is_imported() -> None:
    lines = (PYTHON / "requirements.txt").read_text().split()
    required = {re.split(r"[^\w]", line)[0] for line in lines}
    trees = [ast.parse(script.read_text(encoding="utf-8")) for script in PYTHON.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    foreign = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"mina_meddelanden", "verification"}
    assert foreign == required


def test_what_is_signed_has_the_form_that_every_receiver_accepts(installation: Installation, tmp_path: Path) -> None:
    certificate, key = installation.certificate(KOMMUN_A.number), installation.key(KOMMUN_A.number)
    done = isolated(
        f"""
        from pathlib import Path
        from mina_meddelanden import Attachment, Signer, build_delivery, sign
        signer = Signer.load(Path({str(certificate)!r}), Path({str(key)!r}))
        file = Attachment("tid.ics", "text/calendar", b"BEGIN:VCALENDAR")
        document = build_delivery((signer.organisation, signer.name), {RECIPIENT!r}, "Hej", "Hej", [file])
        print(sign(document, signer).decode())
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    document = done.stdout
    assert "xmlns:" not in document
    assert re.findall(r' URI="([^"]*)"', document) == [""]
    assert re.findall(r'Algorithm="([^"]+)"', document) == [
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    ]
    assert re.search(r"<X509SubjectName>[^<]*162021004748[^<]*</X509SubjectName><X509Certificate>", document)
    assert hashlib.md5(b"BEGIN:VCALENDAR").hexdigest() in document
    (tmp_path / "signed.xml").write_text(document, encoding="utf-8")
    verified = mm_soap("verify", tmp_path / "signed.xml", "--trust", installation.folder / "pki" / "ca.pem")
    assert verified.returncode == 0, verified.stderr


def test_mutual_tls(installation: Installation, letter: tuple[object, ...], tmp_path: Path) -> None:
    with TlsTerminator(installation.url, tmp_path) as secure:
        options = ("--client-certificate", secure.certificate, "--client-key", secure.key, "--ca", secure.authority)
        asked = ("--endpoint", secure.url, "--sender", KOMMUN_A.number, RECIPIENT)
        # A bundle that the environment names must not win over --ca.
        elsewhere = {"REQUESTS_CA_BUNDLE": str(installation.folder / "pki" / "ca.pem")}
        answered = run_script(ASK, *asked, *options, **elsewhere)
        assert (answered.returncode, answered.stderr) == (0, "")
        assert f"{RECIPIENT}  yes" in answered.stdout
        sent = send(installation, KOMMUN_A.number, RECIPIENT, *letter, "--endpoint", secure.url, *options)
        assert (sent.returncode, sent.stderr) == (0, "")
        assert "POST /Message/v3" in secure.requests

        unknown = run_script(ASK, *asked, "--ca", secure.authority)
        assert unknown.returncode == 1
        distrusted = run_script(ASK, *asked, *options[:4])
        assert distrusted.returncode == 1
        assert "CERTIFICATE_VERIFY_FAILED" in distrusted.stderr
