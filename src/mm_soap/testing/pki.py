"""A certificate authority as code, with organisations right and wrong, for tests and demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from mm_soap.clock import Clock
from mm_soap.pki import TEST_CA_MARK, Identity, TrustStore
from mm_soap.testing.certificates import (
    ENCIPHERING,
    ISSUING,
    RSA_BITS,
    SIGNING,
    addresses_of_status,
    distinguished_name,
    kept_key,
    new_key,
    pem,
    sign,
    write_key,
)

_WEAK_RSA_BITS: Final = 1024
_AUTHORITY_LASTS: Final = timedelta(days=3650)
_LEAF_LASTS: Final = timedelta(days=730)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test PKI: its certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def path(self) -> str:
        """What its addresses at a `StatusServer` begin with: its key identifier, in hexadecimal."""
        return x509.SubjectKeyIdentifier.from_public_key(self.certificate.public_key()).digest.hex()


class TestPki:
    """A root, an issuing authority below it, and the organisations that they certify.

    ::

        pki = TestPki(FrozenClock())
        sender = pki.organisation("162021004748", "Kommun A")
        pki.trust_store().check(sender.certificate).organisation  # "162021004748"

    Args:
        clock: all dates are counted from what it says when a certificate is made.
        new_keys: make each RSA key anew. Otherwise the keys are made once in each process and shared by every
            `TestPki`, which is what tests want: the same organisation always has the same key.
        name: what the authorities are called. With another name they pass for real ones, also in production.
        crl_url: before ``/ID.crl`` in each certificate's CRL distribution point, ID being the issuer's `path`;
            empty for none. A `StatusServer` answers there.
        ocsp_url: before ``/ID.ocsp`` in each certificate's address of a responder; empty for none.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    def __init__(
        self, clock: Clock, *, new_keys: bool = False, name: str = TEST_CA_MARK, crl_url: str = "", ocsp_url: str = ""
    ) -> None:
        self._clock = clock
        self._crl_url = crl_url
        self._ocsp_url = ocsp_url
        self._new_keys = new_keys
        self._name = name
        self._good: dict[str, Identity] = {}
        self.root = self.authority("root", None)
        self.issuing = self.authority("issuing", self.root)

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        """The certificates to trust: the root and the issuing authority, as in ca.pem."""
        return self.root.certificate, self.issuing.certificate

    def trust_store(self) -> TrustStore:
        """Return a trust store for `anchors` that goes by this PKI's clock."""
        return TrustStore(self.anchors, self._clock)

    def authority(
        self,
        label: str,
        issuer: Authority | None,
        *,
        path_length: int | None = None,
        expired: bool = False,
        constrained: bool = True,
    ) -> Authority:
        """Return a further authority, issued by another one or, with None, self-signed.

        Args:
            label: makes its name and its key its own.
            issuer: who signs it.
            path_length: how many authorities may stand below it; None for no limit.
            expired: its dates ended a day ago.
            constrained: without, the certificate has no basicConstraints and so is no authority's.
        """
        key = self._key(f"authority {label}")
        name = distinguished_name(("SE", "mm-soap", f"{self._name}, {label}"))
        begin, end = self._dates(_AUTHORITY_LASTS, expired=expired)
        begin -= timedelta(days=30)  # before whatever it issues
        extensions: list[tuple[x509.ExtensionType, bool]] = [(ISSUING, True)]
        if constrained:
            extensions.append((x509.BasicConstraints(ca=True, path_length=path_length), True))
        issuer_name, issuer_key = (issuer.certificate.subject, issuer.key) if issuer else (name, key)
        extensions += self._addresses(issuer)
        return Authority(sign(name, key.public_key(), issuer_name, issuer_key, begin, end, extensions), key)

    def organisation(
        self,
        number: str,
        name: str,
        *,
        issuer: Authority | None = None,
        expired: bool = False,
        not_yet_valid: bool = False,
        wrong_usage: bool = False,
        other_issuer: bool = False,
        no_organisation: bool = False,
        weak_key: bool = False,
        self_signed: bool = False,
        multi_valued: bool = False,
    ) -> Identity:
        """Return the identity of an organisation: a good one, or one that is wrong in the ways asked for.

        Args:
            number: 12 digits, or anything that a test wants in the subject's serialNumber.
            name: the organisation's name.
            issuer: who certifies it; the issuing authority unless said.
            expired: its dates ended a day ago.
            not_yet_valid: its dates begin in a day.
            wrong_usage: the key is for encryption only.
            other_issuer: certified with a strange key, in the name of the issuing authority.
            no_organisation: the subject has no serialNumber.
            weak_key: an RSA key of 1024 bits.
            self_signed: no authority; such a certificate is to be pinned.
            multi_valued: serialNumber and common name share one RDN.
        """
        key = self._key(f"organisation {number}", _WEAK_RSA_BITS if weak_key else RSA_BITS)
        subject = distinguished_name(("SE", name, name), None if no_organisation else number, multi_valued=multi_valued)
        begin, end = self._dates(_LEAF_LASTS, expired=expired, not_yet_valid=not_yet_valid)
        issuer = issuer or self.issuing
        issuer_key = self._key("another authority") if other_issuer else issuer.key
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (ENCIPHERING if wrong_usage else SIGNING, True),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            *self._addresses(issuer),
        ]
        identity = Identity(
            number,
            sign(
                subject,
                key.public_key(),
                subject if self_signed else issuer.certificate.subject,
                key if self_signed else issuer_key,
                begin,
                end,
                extensions,
                claimed_issuer_key=issuer.key.public_key() if other_issuer else None,
            ),
            key,
            () if self_signed or other_issuer else (issuer.certificate,),
        )
        faulty = (expired, not_yet_valid, wrong_usage, other_issuer, no_organisation, weak_key, self_signed)
        if not any(faulty):
            self._good[number] = identity
        return identity

    def write_server(
        self, directory: Path, names: Sequence[str], *, expired: bool = False, elliptic: bool = False
    ) -> None:
        """Write server.pem and server.key: the identity of a server that is reached by these names.

        Args:
            directory: made if it is not there.
            names: host names, and addresses such as ``127.0.0.1``.
            expired: its dates ended a day ago.
            elliptic: its key is one of an elliptic curve; of RSA otherwise.

        Raises:
            OSError: the files cannot be written.
        """
        key = ec.generate_private_key(ec.SECP256R1()) if elliptic else self._key("server")
        begin, end = self._dates(_LEAF_LASTS, expired=expired)
        subject = distinguished_name(("SE", "mm-soap", names[0]))
        issuer = self.issuing
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (SIGNING, True),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
            *self._addresses(issuer),
        ]
        certificate = sign(subject, key.public_key(), issuer.certificate.subject, issuer.key, begin, end, extensions)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "server.pem").write_bytes(pem([certificate, issuer.certificate]))
        write_key(directory / "server.key", key)

    def elliptic(self, number: str, name: str) -> x509.Certificate:
        """Return a certificate, right but for its key, which is not RSA."""
        begin, end = self._dates(_LEAF_LASTS)
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        issuer = self.issuing
        subject = distinguished_name(("SE", name, name), number)
        return sign(subject, key, issuer.certificate.subject, issuer.key, begin, end, [(SIGNING, True)])

    def write(self, directory: Path, identities: Sequence[Identity] | None = None) -> None:
        """Write ca.pem, issuing-ca.pem and, for each organisation, NUMBER.pem and NUMBER.key.

        ca.pem holds the root and then the issuing authority, issuing-ca.pem the latter alone; NUMBER.pem holds the
        certificate and then its issuer. Keys are unencrypted, with mode 0600. The authorities' keys are not written.

        Args:
            directory: made if it is not there.
            identities: whose files to write; all faultless ones made here unless given.

        Raises:
            OSError: the files cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "ca.pem").write_bytes(pem(self.anchors))
        (directory / "issuing-ca.pem").write_bytes(pem([self.issuing.certificate]))
        for identity in self._good.values() if identities is None else identities:
            chain = [identity.certificate, *identity.chain]
            (directory / f"{identity.organisation}.pem").write_bytes(pem(chain))
            write_key(directory / f"{identity.organisation}.key", identity.key)

    def _addresses(self, issuer: Authority | None) -> list[tuple[x509.ExtensionType, bool]]:
        if issuer is None:
            return []
        return addresses_of_status(
            f"{self._crl_url}/{issuer.path}.crl" if self._crl_url else "",
            f"{self._ocsp_url}/{issuer.path}.ocsp" if self._ocsp_url else "",
        )

    def _key(self, label: str, bits: int = RSA_BITS) -> rsa.RSAPrivateKey:
        return new_key(bits) if self._new_keys else kept_key(label, bits)

    def _dates(
        self, lasts: timedelta, *, expired: bool = False, not_yet_valid: bool = False
    ) -> tuple[datetime, datetime]:
        day = timedelta(days=1)
        now = self._clock().replace(microsecond=0)
        if expired:
            return now - lasts, now - day
        if not_yet_valid:
            return now + day, now + lasts
        return now - day, now + lasts


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
