"""Samples signed by other software hold, however they travel, and none holds after a change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography import x509

from mm_soap.dsig import Form, Trust, seal_for, sealed_document, verify_delivery, verify_sealed
from mm_soap.errors import Refused
from mm_soap.pki import TrustStore
from mm_soap.xml import parse_untrusted
from tests.unit.dsig import samples

CERTIFICATE = x509.load_pem_x509_certificate((samples.VECTORS / "signer-cert.pem").read_bytes())
FILES = samples.SIGNED


@pytest.fixture(scope="module")
def rules() -> Trust:
    return samples.trust(store=TrustStore([CERTIFICATE, *samples.PKI.anchors], samples.CLOCK))


def test_all_producers_are_there() -> None:
    assert len(FILES) == 26


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
class TestVector:
    def test_holds_alone(self, path: Path, rules: Trust) -> None:
        raw = path.read_bytes()
        verified = verify_delivery(raw, parse_untrusted(raw), rules)
        assert verified.signer.organisation == "162021004748"
        assert verified.form is Form.AS_CAME
        assert verified.root.findtext(".//{*}Subject") == "Beslut å ä ö"
        assert verified.root.find("{*}Signature") is None

    @pytest.mark.parametrize("declarations", ["", samples.BUSY], ids=["bare", "busy"])
    def test_holds_in_a_distribute_secure(self, path: Path, rules: Trust, declarations: str) -> None:
        assert samples.verify(samples.distribute(path.read_bytes(), declarations), rules).form is Form.RENAMED

    def test_what_verified_holds_alone_again(self, path: Path, rules: Trust) -> None:
        document = samples.verify(samples.distribute(path.read_bytes(), samples.BUSY), rules).document
        assert verify_delivery(document, parse_untrusted(document), rules).document == document

    @pytest.mark.parametrize("where", ["Beslut", "SGVqIH", "191212121212", "Kontakta", "Id>msg-1", "text/plain"])
    def test_one_changed_character_is_refused(self, path: Path, rules: Trust, where: str) -> None:
        raw = path.read_bytes()
        changed = raw.replace(where.encode(), where[:-1].encode() + (b"9" if where[-1] != "9" else b"8"))
        assert changed != raw
        for envelope in (samples.distribute(changed), samples.distribute(changed, samples.BUSY)):
            with pytest.raises(Refused):
                samples.verify(envelope, rules)
        with pytest.raises(Refused):
            verify_delivery(changed, parse_untrusted(changed), rules)

    def test_a_change_anywhere_in_text_is_refused(self, path: Path, rules: Trust) -> None:
        raw = path.read_bytes()
        places = [match.start(1) for match in re.finditer(rb">([A-Za-z0-9+/][^<>]+)<", raw)]
        assert len(places) >= 10  # the texts, the digest, the signature, the certificate
        for place in places:
            changed = raw[:place] + (b"A" if raw[place : place + 1] != b"A" else b"B") + raw[place + 1 :]
            with pytest.raises(Refused):
                samples.verify(samples.distribute(changed), rules)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
@pytest.mark.parametrize("declarations", ["", samples.BUSY], ids=["bare", "busy"])
def test_holds_inside_a_seal(path: Path, rules: Trust, declarations: str) -> None:
    document = samples.verify(samples.distribute(path.read_bytes()), rules).document
    seal = seal_for(document, samples.DISPATCHER, samples.CLOCK().date())
    envelope = samples.deliver(sealed_document(document, seal), declarations)
    verified = verify_sealed(envelope, samples.payload(envelope), rules)
    assert verified.delivery.document == document
    assert verified.signer.organisation == samples.DISPATCHER.organisation
    assert verified.received == samples.CLOCK().date()
    assert verified.signatures_ok
