"""Certificate requests, as the requester makes them."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.testing.certificates import distinguished_name


def new_request(organisation: str, name: str, key: RSAPrivateKey) -> bytes:
    """Return a certificate request (PKCS #10, PEM) that a test bed answers.

    Args:
        organisation: the organisation number, 12 digits.
        name: its name, 2 to 64 characters.
        key: signs the request, and does not leave the caller.

    Raises:
        ValueError: the name is too long for a certificate.
    """
    subject = distinguished_name(("SE", name, name), organisation)
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256()).public_bytes(Encoding.PEM)
