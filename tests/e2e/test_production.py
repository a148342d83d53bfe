"""The profile production: parties that know each other by certificates, and starts that it refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mm_soap.clock import system_clock
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, OPERATOR_ONE, RECIPIENT
from mm_soap.testing import TestPki
from tests.e2e.production import Production, make, served
from tests.e2e.suite import mm_soap, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    made = make(tmp_path_factory.mktemp("production"))
    (made.folder / "data").mkdir()
    made.fill()
    with served(made):
        yield made


def send(production: Production, *more: str) -> str:
    """Send a message; return its distribution id."""
    body = production.folder / "text.txt"
    body.write_text("Hej.", encoding="utf-8")
    said = ("--sender", KOMMUN_A.number, "--recipient", RECIPIENT, "--subject", "Beslut", "--body", body)
    sent = mm_soap("send", "--config", production.sender_config, *said, *more, "--json")
    assert sent.returncode == 0, sent.stderr
    return str(json.loads(sent.stdout)["distribution_id"])


def test_the_whole_chain(production: Production) -> None:
    before = len(production.mailbox())
    send(production, "--wait")
    assert len(production.mailbox()) == before + 1
    callers = {
        name: set(re.findall(r"caller=(\S+)", server.errors.read_text())) for name, server in production.servers.items()
    }
    assert callers["far"] == {DISPATCHER.number, OPERATOR_ONE.number}
    assert callers["dispatcher"] == {KOMMUN_A.number}
    assert callers["operator"] == {DISPATCHER.number}


def another_name(production: Production, folder: Path) -> None:
    production.pki.write_server(folder, ("brevlada.example", "192.0.2.7"))


def expired(production: Production, folder: Path) -> None:
    production.pki.write_server(folder, ("127.0.0.1",), expired=True)


def unknown_authority(production: Production, folder: Path) -> None:
    TestPki(system_clock, new_keys=True, name="Another authority").write_server(folder, ("127.0.0.1",))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (another_name, "its certificate is for another name than the address"),
        (expired, "its certificate has expired"),
        (unknown_authority, "its certificate was not issued by an authority that is trusted here"),
    ],
)
def test_a_server_that_is_not_the_right_one_gets_nothing(
    production: Production, wrong: Callable[[Production, Path], None], reason: str, tmp_path: Path
) -> None:
    """The dispatcher says why in words, keeps the message, and hands it over when the operator is itself again."""
    server, files = production.servers["operator"], production.folder / "operator"
    shutil.copytree(files, tmp_path / "right")
    server.stop()
    try:
        wrong(production, files)
        server.start()
        before = len(production.mailbox())
        distribution = send(production)

        def told() -> bool:
            traced = mm_soap("trace", distribution, "--config", production.folder / "dispatcher.toml")
            return reason in " ".join(traced.stdout.split())

        until(told, 20, "the reason")
        assert len(production.mailbox()) == before
    finally:
        server.stop()
        shutil.copytree(tmp_path / "right", files, dirs_exist_ok=True)
        server.start()
    until(lambda: len(production.mailbox()) == before + 1, 20, "the message")
    status = mm_soap("status", distribution, "--config", production.sender_config, "--json")
    assert json.loads(status.stdout)["delivery_status"] == "Delivered", status.stdout


def with_line(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def loosen(folder: Path) -> None:
    (folder / "dispatcher/server.key").chmod(0o640)


def use_test_certificate(folder: Path) -> None:
    TestPki(system_clock).write_server(folder / "dispatcher", ("127.0.0.1",))


def trust_test_ca(folder: Path) -> None:
    TestPki(system_clock).write(folder / "test")
    with_line(folder / "dispatcher.toml", 'client_anchors = ["pki/ca.pem"]', 'client_anchors = ["test/ca.pem"]')


def without_revocation(folder: Path) -> None:
    file = folder / "dispatcher.toml"
    before, _, after = file.read_text().partition("[[revocation.issuer]]")
    file.write_text(before + after[after.index("[dispatcher]") :])


def mix_keys(folder: Path) -> None:
    shutil.copy(folder / f"pki/{KOMMUN_A.number}.key", folder / "dispatcher/server.key")


def changed(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: with_line(folder / "dispatcher.toml", old, new)


REFUSED = {
    "a key that others read": (loosen, r"tls\.key names .*, which others may read: run `chmod 600 .*`\."),
    "a certificate of the test CA": (use_test_certificate, r"tls\.certificate names .*, which is of the test CA"),
    "callers of the test CA": (trust_test_ca, r"tls\.client_anchors names .*, which is of the test CA"),
    "no callers": (changed('client_anchors = ["pki/ca.pem"]', ""), r"Set tls\.client_anchors"),
    "nobody is believed": (changed('\nanchors = ["pki/ca.pem"]', ""), r"Set trust\.anchors"),
    "no revocation": (without_revocation, r"The production profile needs a table \[revocation\]"),
    "a register over HTTP": (changed("https://", "http://"), r"dispatcher\.register_url must begin with https://"),
    "another certificate's key": (mix_keys, r"server\.pem and its key cannot be used for TLS: .* belong together\."),
    "no certificate": (
        lambda folder: (folder / "dispatcher/server.pem").unlink(),
        r"server\.pem cannot be read: No such file",
    ),
}


@pytest.mark.parametrize(("spoil", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_stops_a_start(tmp_path: Path, spoil: Callable[[Path], None], sentence: str) -> None:
    made = make(tmp_path)
    (tmp_path / "data").mkdir()
    spoil(tmp_path)
    tried = mm_soap("serve", "--config", tmp_path / "dispatcher.toml", MM_SOAP_PORT=str(made.servers["far"].port))
    assert tried.returncode == 2
    assert re.search(sentence, " ".join(tried.stderr.split())), tried.stderr
    assert tried.stdout == ""
    assert "Traceback" not in tried.stderr
    assert len(re.findall(r"\.(\s|$)", tried.stderr.strip())) == 1, "one sentence"


def test_plain_http_stops_a_start(tmp_path: Path) -> None:
    make(tmp_path)
    file = tmp_path / "far.toml"
    file.write_text(file.read_text().partition("[far]")[2].join(("[far]", "")))
    tried = mm_soap("serve", "--config", file)
    assert tried.returncode == 2
    assert "The production profile needs a table [tls]" in " ".join(tried.stderr.split())
