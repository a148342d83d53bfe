"""Signed heads: whose they are, that nothing in them was changed, and that openssl says the same."""

from __future__ import annotations

import subprocess
from base64 import b64decode, encodebytes
from datetime import timedelta
from pathlib import Path

import pytest

from mm_soap.errors import ConfigurationError
from mm_soap.evidence.heads import SignedHeads, sign_heads
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.certificates import pem

NUMBER = "165599999900"
DOCUMENT = '{\n  "far": {"position": 3}\n}\n'
FILE = Path("heads.pem")


@pytest.fixture(scope="module")
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture(scope="module")
def pki(clock: FrozenClock) -> TestPki:
    return TestPki(clock)


@pytest.fixture(scope="module")
def signed(pki: TestPki) -> str:
    return sign_heads(DOCUMENT, pki.organisation(NUMBER, "Förmedlaren"))


@pytest.fixture(scope="module")
def anchors(pki: TestPki, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    file = tmp_path_factory.mktemp("pki") / "ca.pem"
    file.write_bytes(pem([pki.root.certificate]))
    return [file]


def test_what_was_signed_is_read_and_its_signer_named(signed: str, anchors: list[Path], clock: FrozenClock) -> None:
    assert SignedHeads.is_in(signed)
    heads = SignedHeads(signed, FILE)
    assert (heads.document, heads.check(anchors, clock())) == (DOCUMENT, NUMBER)


@pytest.mark.needs_program("openssl")
def test_openssl_verifies_it(signed: str, anchors: list[Path], tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "heads.pem"
    command = ["openssl", "cms", "-verify", "-inform", "PEM", "-in", file, "-CAfile", anchors[0], "-purpose", "any"]
    command += ["-attime", str(int(clock().timestamp()))]
    for text, status in ((signed, 0), (changed(signed), 4)):
        file.write_text(text)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout == DOCUMENT) == (status, status == 0), done.stderr


def changed(signed: str) -> str:
    """The same with another position in the document, which openssl finds by its digest."""
    lines = signed.splitlines()
    raw = b64decode("".join(lines[1:-1]))
    assert raw.count(b'"position": 3') == 1
    again = encodebytes(raw.replace(b'"position": 3', b'"position": 4')).decode()
    return f"{lines[0]}\n{again}{lines[-1]}\n"


def test_a_changed_document_is_refused(signed: str, anchors: list[Path], clock: FrozenClock) -> None:
    heads = SignedHeads(changed(signed), FILE)
    with pytest.raises(ConfigurationError, match="does not hold"):
        heads.check(anchors, clock())


def test_a_signer_of_another_authority_is_refused(anchors: list[Path], clock: FrozenClock) -> None:
    stranger = TestPki(clock, new_keys=True, name="Another authority").organisation(NUMBER, "Förmedlaren")
    heads = SignedHeads(sign_heads(DOCUMENT, stranger), FILE)
    with pytest.raises(ConfigurationError, match="is not believed"):
        heads.check(anchors, clock())


def test_the_certificate_counts_at_the_time_of_the_heads(signed: str, anchors: list[Path], clock: FrozenClock) -> None:
    with pytest.raises(ConfigurationError, match="is not believed"):
        SignedHeads(signed, FILE).check(anchors, clock() + timedelta(days=36_500))


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "MIIB", "\N{SNOWMAN}", "=", "MAA="],
    ids=["empty", "no base64", "cut", "not ascii", "padding", "no signed data"],
)
def test_something_else_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigurationError, match="must hold"):
        SignedHeads(f"-----BEGIN PKCS7-----\n{text}\n-----END PKCS7-----\n", FILE)
