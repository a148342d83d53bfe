"""How the test PKI makes keys and certificates and writes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

RSA_BITS: Final = 2048


def key_usage(
    *, sign: bool = False, commit: bool = False, encipher: bool = False, issue: bool = False
) -> x509.KeyUsage:
    """Return a keyUsage extension with the bits of these purposes alone."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=commit,
        key_encipherment=encipher,
        data_encipherment=encipher,
        key_agreement=False,
        key_cert_sign=issue,
        crl_sign=issue,
        encipher_only=False,
        decipher_only=False,
    )


SIGNING: Final = key_usage(sign=True, commit=True)
ENCIPHERING: Final = key_usage(encipher=True)
ISSUING: Final = key_usage(issue=True)


def new_key(bits: int = RSA_BITS) -> rsa.RSAPrivateKey:
    """Return a fresh RSA key; ``bits`` is its length."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def kept_key(label: str, bits: int = RSA_BITS) -> rsa.RSAPrivateKey:
    """Return the RSA key of a label, made once in each process."""
    # Making a key takes a hundred times as long as all the rest here. One for each label and process will do in tests.
    return new_key(bits)


def addresses_of_status(crl_url: str, ocsp_url: str) -> list[tuple[x509.ExtensionType, bool]]:
    """Return the extensions that say where the revocation of a certificate is told; none for an empty address."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    if ocsp_url:
        location = x509.UniformResourceIdentifier(ocsp_url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)
        found.append((x509.AuthorityInformationAccess([access]), False))
    return found


def distinguished_name(
    parts: tuple[str, str, str], number: str | None = None, *, multi_valued: bool = False
) -> x509.Name:
    """Return a subject: country, organisation and common name, and the organisation number if there is one."""
    country, organisation, common = parts
    identifying = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if number is not None:
        identifying.insert(0, x509.NameAttribute(NameOID.SERIAL_NUMBER, number))
    return x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, country)]),
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)]),
            *(
                [x509.RelativeDistinguishedName(identifying)]
                if multi_valued
                else [x509.RelativeDistinguishedName([a]) for a in identifying]
            ),
        ]
    )


def sign(
    subject: x509.Name,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey,
    begin: datetime,
    end: datetime,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    *,
    claimed_issuer_key: rsa.RSAPublicKey | None = None,
) -> x509.Certificate:
    """Return a certificate; each extension comes with whether it is critical.

    ``claimed_issuer_key`` is the key that the certificate says it was signed with; the real one unless given.
    """
    authority_key = claimed_issuer_key or issuer_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, SHA256())


def pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return certificates in PEM form, one after the other."""
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


def write_key(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """Write a key in PEM form, unencrypted, for its owner alone.

    Raises:
        OSError: the file cannot be written.
    """
    # Made anew with its mode, so that nobody else can open it before the mode is set.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
