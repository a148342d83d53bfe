from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from mm_soap.errors import ConfigurationError
from mm_soap.pki import Identity, TrustStore, read_certificates
from mm_soap.testing import FrozenClock, TestPki

KOMMUN_A = "162021004748"
KOMMUN_B = "162021003898"
VECTOR_SIGNER = Path(__file__).parents[2] / "vectors" / "signer-cert.pem"


@pytest.fixture
def folder(pki: TestPki, tmp_path: Path) -> Path:
    pki.organisation(KOMMUN_A, "Kommun A")
    pki.organisation(KOMMUN_B, "Kommun B")
    pki.organisation(KOMMUN_A, "Kommun A", expired=True)
    pki.write(tmp_path / "pki")
    return tmp_path / "pki"


def load(folder: Path, certificate: str = KOMMUN_A, key: str = KOMMUN_A) -> Identity:
    return Identity.load(folder / f"{certificate}.pem", folder / f"{key}.key")


class TestFiles:
    def test_an_identity_comes_back_from_its_files(self, pki: TestPki, folder: Path, clock: FrozenClock) -> None:
        identity = load(folder)
        assert identity.organisation == KOMMUN_A
        assert identity.chain == (pki.issuing.certificate,)
        store = TrustStore.load([folder / "ca.pem"], clock)
        assert store.check(identity.certificate).organisation == KOMMUN_A

    def test_keys_are_for_their_owner_alone(self, folder: Path) -> None:
        keys = sorted(folder.glob("*.key"))
        assert [k.stem for k in keys] == [KOMMUN_B, KOMMUN_A]
        assert {k.stat().st_mode & 0o777 for k in keys} == {0o600}

    def test_the_authorities_stand_in_ca_pem(self, pki: TestPki, folder: Path) -> None:
        assert read_certificates(folder / "ca.pem") == pki.anchors
        assert read_certificates(folder / "issuing-ca.pem") == (pki.issuing.certificate,)
        assert not list(folder.glob("*ca*.key"))

    def test_writing_again_replaces(self, pki: TestPki, folder: Path) -> None:
        pki.write(folder)
        assert load(folder).organisation == KOMMUN_A


class TestWrongFiles:
    def test_a_missing_certificate(self, folder: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"certificate file .*000\.pem cannot be read: No such file"):
            load(folder, certificate="000")

    def test_a_missing_key(self, folder: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"key file .*000\.key cannot be read: No such file"):
            load(folder, key="000")

    def test_a_key_of_another(self, folder: Path) -> None:
        with pytest.raises(ConfigurationError, match="does not belong to the first certificate"):
            load(folder, key=KOMMUN_B)

    def test_a_certificate_file_without_certificate(self, folder: Path) -> None:
        with pytest.raises(ConfigurationError, match="must hold certificates in PEM form"):
            Identity.load(folder / f"{KOMMUN_A}.key", folder / f"{KOMMUN_A}.key")

    def test_a_key_file_without_key(self, folder: Path) -> None:
        with pytest.raises(ConfigurationError, match="must hold a private key in PEM form"):
            Identity.load(folder / f"{KOMMUN_A}.pem", folder / f"{KOMMUN_A}.pem")

    def test_an_encrypted_key(self, folder: Path) -> None:
        encrypted = load(folder).key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
        )
        (folder / "encrypted.key").write_bytes(encrypted)
        with pytest.raises(ConfigurationError, match="is encrypted; store it unencrypted"):
            load(folder, key="encrypted")

    def test_a_key_that_is_not_rsa(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "elliptic.key").write_bytes(pem)
        with pytest.raises(ConfigurationError, match="must be an RSA key"):
            load(folder, key="elliptic")

    def test_a_certificate_that_names_no_organisation(self, pki: TestPki, tmp_path: Path) -> None:
        pki.write(tmp_path, [pki.organisation(KOMMUN_A, "Kommun A", no_organisation=True)])
        with pytest.raises(ConfigurationError, match="cannot be used: The certificate names no organisation"):
            load(tmp_path)


def test_the_key_is_not_in_the_text_of_an_identity(folder: Path) -> None:
    assert "key" not in repr(load(folder)).lower()


def test_a_clock_needs_a_time_zone(clock: FrozenClock) -> None:
    with pytest.raises(ValueError, match="time zone"):
        clock.set(clock().replace(tzinfo=None))


def test_the_signer_of_the_samples_can_be_pinned() -> None:
    (certificate,) = read_certificates(VECTOR_SIGNER)
    store = TrustStore([certificate], lambda: certificate.not_valid_before_utc)
    assert store.check(certificate).organisation == KOMMUN_A
