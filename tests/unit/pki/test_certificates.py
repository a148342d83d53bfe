from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_soap.errors import Refusal, Refused
from mm_soap.pki import load_certificate, organisation_number, subject_name
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.certificates import kept_key

KOMMUN_A = "162021004748"


@cache
def shared_pki() -> TestPki:
    return TestPki(FrozenClock())


@cache
def der_of_kommun_a() -> bytes:
    return shared_pki().organisation(KOMMUN_A, "Kommun A").certificate.public_bytes(Encoding.DER)


class TestOrganisationNumber:
    def test_is_the_subjects_serial_number(self, pki: TestPki) -> None:
        assert organisation_number(pki.organisation(KOMMUN_A, "Kommun A").certificate) == KOMMUN_A

    def test_is_found_in_a_multi_valued_rdn(self, pki: TestPki) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A", multi_valued=True).certificate
        assert max(len(rdn) for rdn in certificate.subject.rdns) == 2
        assert organisation_number(certificate) == KOMMUN_A

    @pytest.mark.parametrize(
        "number",
        [
            "2021004748",
            "SE162021004748",
            "192705178354",
            "16202100474",
            "1620210047480",
            "162021004748 ",
            "16x021004748",
        ],
    )
    def test_anything_but_12_digits_with_16_is_no_organisation(self, pki: TestPki, number: str) -> None:
        with pytest.raises(Refused) as caught:
            organisation_number(pki.organisation(number, "Kommun A").certificate)
        assert caught.value.refusal is Refusal.CERTIFICATE_NO_ORGANISATION

    def test_two_numbers_are_no_organisation(self, clock: FrozenClock) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, n) for n in (KOMMUN_A, "162021003898")])
        builder = x509.CertificateBuilder(name, name, kept_key("two").public_key(), 1, clock(), clock())
        with pytest.raises(Refused) as caught:
            organisation_number(builder.sign(kept_key("two"), SHA256()))
        assert caught.value.refusal is Refusal.CERTIFICATE_NO_ORGANISATION


class TestLoad:
    def test_reads_der(self, pki: TestPki) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        assert load_certificate(certificate.public_bytes(Encoding.DER)) == certificate

    @pytest.mark.parametrize("change", [lambda d: b"", lambda d: d[:-1], lambda d: d + b"\0", lambda d: d * 20])
    def test_refuses_what_is_not_one_certificate(self, change) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(Refused) as caught:
            load_certificate(change(der_of_kommun_a()))
        assert caught.value.refusal is Refusal.CERTIFICATE_UNREADABLE

    @pytest.mark.parametrize("part", [b"Kommun A", b"mm-soap test CA, issuing", b"\x55\x1d\x0f\x01\x01\xff\x04"])
    def test_refuses_at_once_what_would_fail_only_later(self, part: bytes) -> None:
        der = der_of_kommun_a()
        assert part in der
        with pytest.raises(Refused) as caught:
            load_certificate(der.replace(part, part[:-1] + b"\xff"))
        assert caught.value.refusal is Refusal.CERTIFICATE_UNREADABLE

    @settings(max_examples=60)
    @given(st.data())
    @pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
    def test_damaged_bytes_are_refused_and_nothing_else_escapes(self, data: st.DataObject) -> None:
        der = bytearray(der_of_kommun_a())
        for _ in range(data.draw(st.integers(1, 4))):
            der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
        assert verdict(bytes(der)) in {KOMMUN_A, *(r for r in Refusal if r.name.startswith("CERTIFICATE_"))}


def verdict(der: bytes) -> str | Refusal:
    try:
        certificate = load_certificate(der)
        assert subject_name(certificate) is not None
        return shared_pki().trust_store().check(certificate).organisation
    except Refused as refused:
        return refused.refusal


def test_subject_name_is_rfc_4514(pki: TestPki) -> None:
    certificate = pki.organisation(KOMMUN_A, "Kommun A, Nämnden").certificate
    assert subject_name(certificate) == ("CN=Kommun A\\, Nämnden,serialNumber=162021004748,O=Kommun A\\, Nämnden,C=SE")
