"""What the test bed's authority reads, what it issues, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.errors import ConfigurationError
from mm_soap.pki import TrustStore, is_test_certificate
from mm_soap.testbed.authority import LONGEST_REQUEST, RequestRefused, TestbedAuthority, read_request
from mm_soap.testbed.requesting import new_request
from mm_soap.testing.certificates import ISSUING, kept_key
from mm_soap.testing.clock import FrozenClock

NUMBER = "165599999942"
KEY = kept_key("testbed requester")
AnyKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def request(
    *extensions: x509.ExtensionType,
    numbers: tuple[str, ...] = (NUMBER,),
    names: tuple[str, ...] = ("Kommun X",),
    key: AnyKey = KEY,
) -> bytes:
    attributes = [x509.NameAttribute(NameOID.SERIAL_NUMBER, number) for number in numbers]
    attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in names]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def authority(tmp_path: Path, clock: FrozenClock) -> TestbedAuthority:
    return TestbedAuthority.load(tmp_path / "pki" / "ca.pem", tmp_path / "pki" / "ca.key", timedelta(days=30), clock)


def test_what_it_issues_is_trusted_for_signatures_and_nothing_else(
    authority: TestbedAuthority, clock: FrozenClock
) -> None:
    asked = read_request(new_request(NUMBER, "Kommun X", KEY))
    leaf, issuer = authority.issue(asked)
    store = TrustStore([issuer], clock)
    assert store.check(leaf).organisation == NUMBER
    assert leaf.public_key() == KEY.public_key()
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)
    assert leaf.not_valid_after_utc == clock() + timedelta(days=30)
    assert is_test_certificate(leaf)
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_its_key_is_its_owners_alone_and_it_stays_the_same(
    authority: TestbedAuthority, tmp_path: Path, clock: FrozenClock
) -> None:
    files = tmp_path / "pki" / "ca.pem", tmp_path / "pki" / "ca.key"
    assert files[1].stat().st_mode & 0o777 == 0o600
    assert TestbedAuthority.load(*files, timedelta(days=1), clock).certificate == authority.certificate


@pytest.mark.parametrize("what", ["no key", "no certificate", "another key", "no key in it"])
def test_files_that_do_not_belong_together_are_told(
    what: str, authority: TestbedAuthority, tmp_path: Path, clock: FrozenClock
) -> None:
    certificate, key = tmp_path / "pki" / "ca.pem", tmp_path / "pki" / "ca.key"
    if what == "no key":
        key.unlink()
    elif what == "no certificate":
        certificate.unlink()
    elif what == "no key in it":
        key.write_text("nothing")
    else:
        TestbedAuthority.load(tmp_path / "ca.pem", tmp_path / "ca.key", timedelta(days=1), clock)
        key.write_bytes((tmp_path / "ca.key").read_bytes())
    with pytest.raises(ConfigurationError):
        TestbedAuthority.load(certificate, key, timedelta(days=1), clock)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "no certificate request"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "no certificate request"),
        (b"x" * (LONGEST_REQUEST + 1), "longer"),
        (request(x509.BasicConstraints(ca=True, path_length=None)), "authority"),
        (request(ISSUING), "authority"),
        (request(numbers=()), "serialNumber"),
        (request(numbers=(NUMBER, "165599999900")), "serialNumber"),
        (request(numbers=("165599999943",)), "check digit"),
        (request(numbers=("5599999942",)), "check digit"),
        (request(numbers=("192705178354",)), "check digit"),
        (request(names=()), "organizationName"),
        (request(names=("A", "B")), "organizationName"),
        (request(names=("X",)), "organizationName"),
        (request(names=(" Kommun",)), "organizationName"),
        (request(names=("Kom\u202emun",)), "organizationName"),
        (request(key=kept_key("weak requester", 1024)), "2048"),
        (request(key=ec.generate_private_key(ec.SECP256R1())), "RSA"),
    ],
)
def test_requests_that_are_refused(raw: bytes, word: str) -> None:
    with pytest.raises(RequestRefused, match=word) as refused:
        read_request(raw)
    assert NUMBER not in str(refused.value)


def test_a_request_that_was_changed_is_refused() -> None:
    der = x509.load_pem_x509_csr(request()).public_bytes(Encoding.DER)
    with pytest.raises(RequestRefused, match="not signed"):
        read_request(der.replace(b"Kommun X", b"Kommun Y"))
    assert read_request(der).name == "Kommun X"


@given(st.binary(max_size=400))
def test_no_bytes_escape_but_as_a_refusal(raw: bytes) -> None:
    with pytest.raises(RequestRefused):
        read_request(raw)
