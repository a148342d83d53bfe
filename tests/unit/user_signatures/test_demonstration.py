"""The persons of a demonstration can sign, and the installation believes them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mm_soap.demonstration import RECIPIENT, RECIPIENT_AT_TWO, UNKNOWN, init_demo
from mm_soap.errors import ConfigurationError
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.certificates import kept_key
from mm_soap.testing.e_identification import EIdentity
from mm_soap.user_signatures import UserSignatureVerifier
from tests.unit.user_signatures.samples import ANNA, ISSUER, TEXT


def test_its_persons_can_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TestPki, "_key", lambda self, label, bits=2048: kept_key(label, bits))
    clock = FrozenClock()
    settings = init_demo(tmp_path, clock)
    assert settings.far
    verifier = UserSignatureVerifier.load(settings.far.e_identification_anchors, clock)
    for number in (RECIPIENT, RECIPIENT_AT_TWO, UNKNOWN):
        person = EIdentity.load(tmp_path / f"pki/person-{number}.pem")
        assert verifier.verify(person.sign_xml(TEXT), TEXT).personal_number == number
        assert verifier.verify(person.sign_cms(TEXT, detached=True), TEXT).name == person.name
    key = tmp_path / f"pki/person-{RECIPIENT}.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_person_without_a_key(tmp_path: Path) -> None:
    ISSUER.write(tmp_path, [ANNA])
    file = tmp_path / f"person-{ANNA.personal_number}"
    assert EIdentity.load(file.with_suffix(".pem")).certificate == ANNA.certificate
    for change in (lambda: file.with_suffix(".key").write_text("x"), lambda: file.with_suffix(".key").unlink()):
        change()
        with pytest.raises(ConfigurationError):
            EIdentity.load(file.with_suffix(".pem"))


def test_without_a_file_of_issuers(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        UserSignatureVerifier.load([tmp_path / "missing.pem"], FrozenClock())
