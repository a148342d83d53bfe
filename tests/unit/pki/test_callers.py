"""Whose a client certificate is, also while its connection stays open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.errors import Refusal, Refused
from mm_soap.pki import CallerCertificates, Identity, TrustStore
from mm_soap.testing import FrozenClock, TestPki

NUMBER = "162021004748"


def der(identity: Identity) -> bytes:
    return identity.certificate.public_bytes(Encoding.DER)


@pytest.fixture
def callers(pki: TestPki, clock: FrozenClock) -> CallerCertificates:
    return CallerCertificates(pki.trust_store(), clock)


def refusal(callers: CallerCertificates, certificate: bytes) -> Refusal:
    with pytest.raises(Refused) as caught:
        callers.organisation(certificate)
    return caught.value.refusal


def test_the_organisation_is_the_one_of_the_subject(pki: TestPki, callers: CallerCertificates) -> None:
    assert callers.organisation(der(pki.organisation(NUMBER, "Kommun A"))) == NUMBER
    assert callers.organisation(der(pki.organisation(NUMBER, "Kommun A", multi_valued=True))) == NUMBER


def test_keys_of_elliptic_curves_are_good_for_tls(pki: TestPki, callers: CallerCertificates) -> None:
    assert callers.organisation(pki.elliptic(NUMBER, "Kommun A").public_bytes(Encoding.DER)) == NUMBER


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"expired": True}, Refusal.CERTIFICATE_EXPIRED),
        ({"not_yet_valid": True}, Refusal.CERTIFICATE_NOT_YET_VALID),
        ({"other_issuer": True}, Refusal.CERTIFICATE_UNKNOWN_ISSUER),
        ({"self_signed": True}, Refusal.CERTIFICATE_UNKNOWN_ISSUER),
        ({"no_organisation": True}, Refusal.CERTIFICATE_NO_ORGANISATION),
    ],
)
def test_what_identifies_nobody(
    pki: TestPki, callers: CallerCertificates, wrong: dict[str, Any], expected: Refusal
) -> None:
    certificate = der(pki.organisation(NUMBER, "Kommun A", **wrong))
    assert [refusal(callers, certificate) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("number", ["2021004748", "192021004748", "16202100474", "1620210047480", "16202100474A"])
def test_a_number_that_is_none(pki: TestPki, callers: CallerCertificates, number: str) -> None:
    certificate = der(pki.organisation(number, "Kommun A"))
    assert refusal(callers, certificate) is Refusal.CERTIFICATE_NO_ORGANISATION


def test_what_cannot_be_read(callers: CallerCertificates) -> None:
    for certificate in (b"", b"0", b"\x30\x82\xff\xff", b"x" * 20_000):
        assert refusal(callers, certificate) is Refusal.CERTIFICATE_UNREADABLE


def test_a_certificate_that_expires_is_refused_at_once(
    pki: TestPki, clock: FrozenClock, callers: CallerCertificates
) -> None:
    """Its connection may be open for long: the answer of a moment ago does not count beyond its last second."""
    identity = pki.organisation(NUMBER, "Kommun A")
    end = identity.certificate.not_valid_after_utc
    clock.set(end - timedelta(seconds=5))
    assert callers.organisation(der(identity)) == NUMBER
    clock.set(end)
    assert callers.organisation(der(identity)) == NUMBER
    clock.set(end + timedelta(seconds=1))
    assert refusal(callers, der(identity)) is Refusal.CERTIFICATE_EXPIRED


def test_an_authority_that_expires_is_noticed_within_a_minute(pki: TestPki, clock: FrozenClock) -> None:
    issuing = pki.authority("short", pki.root)
    identity = pki.organisation(NUMBER, "Kommun A", issuer=issuing)
    callers = CallerCertificates(TrustStore([pki.root.certificate, issuing.certificate], clock), clock)
    assert callers.organisation(der(identity)) == NUMBER
    ends = max(each.certificate.not_valid_after_utc for each in (pki.root, issuing))
    clock.set(ends + timedelta(minutes=1))
    assert refusal(callers, der(identity)) in (Refusal.CERTIFICATE_EXPIRED, Refusal.CERTIFICATE_PATH_INVALID)


def test_a_clock_that_is_set_back_keeps_no_verdict(
    pki: TestPki, clock: FrozenClock, callers: CallerCertificates
) -> None:
    identity = pki.organisation(NUMBER, "Kommun A")
    assert callers.organisation(der(identity)) == NUMBER
    clock.set(identity.certificate.not_valid_before_utc - timedelta(days=1))
    assert refusal(callers, der(identity)) is Refusal.CERTIFICATE_NOT_YET_VALID


def test_an_intermediate_that_is_no_anchor_identifies_nobody(pki: TestPki, clock: FrozenClock) -> None:
    """The handshake may have been satisfied with what the caller sent along; the docs say to add the intermediate."""
    below = pki.authority("below", pki.issuing)
    certificate = der(pki.organisation(NUMBER, "Kommun A", issuer=below))
    assert refusal(CallerCertificates(pki.trust_store(), clock), certificate) is Refusal.CERTIFICATE_UNKNOWN_ISSUER
    known = TrustStore([*pki.anchors, below.certificate], clock)
    assert CallerCertificates(known, clock).organisation(certificate) == NUMBER


def test_many_certificates_are_not_all_remembered(pki: TestPki, callers: CallerCertificates) -> None:
    good = der(pki.organisation(NUMBER, "Kommun A"))
    assert callers.organisation(good) == NUMBER
    for number in range(1100):
        refusal(callers, b"%d" % number)
    assert len(callers._known) <= 1024
    assert callers.organisation(good) == NUMBER
