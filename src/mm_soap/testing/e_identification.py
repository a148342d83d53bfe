"""An e-identification issuer as code, with persons right and wrong, for tests and demonstration."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from mm_soap.clock import Clock
from mm_soap.errors import ConfigurationError
from mm_soap.pki import read_certificates
from mm_soap.testing.certificates import ENCIPHERING, RSA_BITS, SIGNING, pem, sign, write_key
from mm_soap.testing.pki import Authority, TestPki
from mm_soap.testing.user_signatures import CmsOptions, XmlOptions, signed_cms, signed_xml
from mm_soap.user_signatures import UserSignature
from mm_soap.user_signatures.certificate import signer_of

_WEAK_RSA_BITS: Final = 1024
_LASTS: Final = timedelta(days=730)


@dataclass(frozen=True)
class EIdentity:
    """What a person signs with: the certificate, its key, and the authorities up to the root, the nearest first."""

    personal_number: str
    name: str
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_text(self) -> str:
        """The certificate as SignatureData/Certificate holds it: base64 of DER."""
        return b64encode(self.certificate.public_bytes(Encoding.DER)).decode()

    @classmethod
    def load(cls, certificate: Path) -> EIdentity:
        """Return the person of the two files that `EIdentificationIssuer.write` wrote.

        Args:
            certificate: person-NUMBER.pem; the key is in person-NUMBER.key beside it.

        Raises:
            ConfigurationError: a file cannot be read, or holds something else.
            UserSignatureError: the certificate names no person.
        """
        leaf, *chain = read_certificates(certificate)
        signer = signer_of(leaf)
        file = certificate.with_suffix(".key")
        try:
            key = load_pem_private_key(file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError):
            raise ConfigurationError(f"The file {file} must hold a private key in PEM form.") from None
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"The key in {file} must be an RSA or an elliptic key.")
        return cls(signer.personal_number, signer.name, leaf, key, tuple(chain))

    def sign_xml(
        self,
        text: str,
        *,
        nonce: str | None = None,
        encoding: str = "UTF-8",
        options: XmlOptions | None = None,
    ) -> UserSignature:
        """Return the person's XML signature over a text, as BankID-like clients make it.

        Args:
            text: the agreement text.
            nonce: stands in srvInfo/nonce and in the Nonce.
            encoding: how the text becomes bytes; Python must know it.
            options: where the signature is to differ from the usual.
        """
        content = text.encode(encoding)
        chain = [self.certificate, *self.chain]
        chosen = options or XmlOptions(visible=f'charset="{encoding}" visible="wysiwys"')
        made = signed_xml(self.key, chain, content, nonce, chosen)
        return UserSignature(made, self.certificate_text, nonce, encoding)

    def sign_cms(
        self,
        text: str,
        *,
        detached: bool = False,
        nonce: str | None = None,
        encoding: str = "UTF-8",
        options: CmsOptions | None = None,
    ) -> UserSignature:
        """Return the person's CMS signature over a text.

        Args:
            text: the agreement text.
            detached: leave the text out of the signature.
            nonce: stands in the signed attribute senderNonce and in the Nonce.
            encoding: how the text becomes bytes; Python must know it.
            options: where the signature is to differ from the usual.
        """
        content = text.encode(encoding)
        chain = [self.certificate, *self.chain]
        made = signed_cms(self.key, chain, content, nonce, detached=detached, options=options)
        return UserSignature(made, self.certificate_text, nonce, encoding)


class EIdentificationIssuer:
    """A root, an issuing authority below it, and the persons that they certify.

    ::

        issuer = EIdentificationIssuer(FrozenClock())
        person = issuer.person("192705178354", "Anna Andersson")
        signature = issuer.sign_xml(person, "I want digital post.")
        UserSignatureVerifier(issuer.anchors, clock).verify(signature, "I want digital post.").personal_number

    Its authorities bear the mark of the test CA: a production installation refuses them.

    Args:
        clock: all dates are counted from what it says when a certificate is made.
        pki: what makes its authorities and its RSA keys; one of its own unless given, whose keys are made once in each
            process.
    """

    def __init__(self, clock: Clock, pki: TestPki | None = None) -> None:
        self._clock = clock
        self._pki = pki or TestPki(clock)
        self.root = self._pki.authority("e-identification root", None)
        self.issuing = self._pki.authority("e-identification issuing", self.root)

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        """The certificate to trust: the root. What it issued comes with each signature."""
        return (self.root.certificate,)

    def authority(self, label: str, issuer: Authority | None, *, expired: bool = False) -> Authority:
        """Return a further authority, issued by another one or, with None, self-signed."""
        return self._pki.authority(label, issuer, expired=expired)

    def person(
        self,
        personal_number: str,
        name: str,
        *,
        issuer: Authority | None = None,
        serial_numbers: Sequence[str] | None = None,
        semantic: bool = False,
        full_name: bool = False,
        elliptic: ec.EllipticCurve | None = None,
        expired: bool = False,
        not_yet_valid: bool = False,
        wrong_usage: bool = False,
        other_issuer: bool = False,
        weak_key: bool = False,
    ) -> EIdentity:
        """Return the e-identification of a person: a good one, or one that is wrong in the ways asked for.

        Args:
            personal_number: 12 digits.
            name: given names and surname, the latter after the last space.
            issuer: who certifies; the issuing authority unless said.
            serial_numbers: what stands in the subject's serialNumber instead of the personal number; may be none.
            semantic: write the number as ``PNOSE-`` and the digits (ETSI EN 319 412-1).
            full_name: write the name as commonName alone, without givenName and surname.
            elliptic: the curve of the key; RSA unless said.
            expired: its dates ended a day ago.
            not_yet_valid: its dates begin in a day.
            wrong_usage: the key is for encryption only.
            other_issuer: certified with a strange key, in the name of the issuing authority.
            weak_key: an RSA key of 1024 bits.
        """
        numbers = [f"PNOSE-{personal_number}" if semantic else personal_number]
        issuer = issuer or self.issuing
        key = (
            ec.generate_private_key(elliptic)
            if elliptic
            else self._pki._key(f"person {personal_number}", _WEAK_RSA_BITS if weak_key else RSA_BITS)
        )
        begin, end = self._dates(expired=expired, not_yet_valid=not_yet_valid)
        certificate = sign(
            _subject(numbers if serial_numbers is None else serial_numbers, name, full_name=full_name),
            key.public_key(),
            issuer.certificate.subject,
            self._pki._key("another e-identification authority") if other_issuer else issuer.key,
            begin,
            end,
            [(ENCIPHERING if wrong_usage else SIGNING, True), (x509.BasicConstraints(False, None), True)],
            claimed_issuer_key=issuer.key.public_key() if other_issuer else None,
        )
        chain = (issuer.certificate,) if issuer is not self.root else ()
        return EIdentity(personal_number, name, certificate, key, chain)

    def sign_xml(
        self,
        person: EIdentity,
        text: str,
        *,
        nonce: str | None = None,
        encoding: str = "UTF-8",
        options: XmlOptions | None = None,
    ) -> UserSignature:
        """Return a person's XML signature, as `EIdentity.sign_xml` does."""
        return person.sign_xml(text, nonce=nonce, encoding=encoding, options=options)

    def sign_cms(
        self,
        person: EIdentity,
        text: str,
        *,
        detached: bool = False,
        nonce: str | None = None,
        encoding: str = "UTF-8",
        options: CmsOptions | None = None,
    ) -> UserSignature:
        """Return a person's CMS signature, as `EIdentity.sign_cms` does."""
        return person.sign_cms(text, detached=detached, nonce=nonce, encoding=encoding, options=options)

    def write(self, directory: Path, persons: Sequence[EIdentity]) -> None:
        """Write e-identification-ca.pem and, for each person, person-NUMBER.pem and person-NUMBER.key.

        The first holds the root, each of the others the certificate and then its issuer. Keys are unencrypted, with
        mode 0600. The authorities' keys are not written.

        Raises:
            OSError: the files cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "e-identification-ca.pem").write_bytes(pem(self.anchors))
        for person in persons:
            file = directory / f"person-{person.personal_number}.pem"
            file.write_bytes(pem([person.certificate, *person.chain]))
            write_key(file.with_suffix(".key"), person.key)

    def _dates(self, *, expired: bool, not_yet_valid: bool) -> tuple[datetime, datetime]:
        day = timedelta(days=1)
        now = self._clock().replace(microsecond=0)
        if expired:
            return now - _LASTS, now - day
        return (now + day if not_yet_valid else now - day), now + _LASTS


def _subject(numbers: Sequence[str], name: str, *, full_name: bool) -> x509.Name:
    given, _, family = name.rpartition(" ")
    attributes = [x509.NameAttribute(NameOID.COUNTRY_NAME, "SE")]
    if not full_name:
        attributes += [x509.NameAttribute(NameOID.SURNAME, family), x509.NameAttribute(NameOID.GIVEN_NAME, given)]
    attributes += [x509.NameAttribute(NameOID.SERIAL_NUMBER, number) for number in numbers]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, name)])
