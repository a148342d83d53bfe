"""Reading certificates: from foreign bytes, from this installation's files, and what their subject says."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from mm_soap.errors import ConfigurationError, Refusal, Refused

MAX_CERTIFICATE_BYTES: Final = 16_384
"""Certificates longer than this, in bytes of DER, are not read. Real ones are about a tenth of it."""

TEST_CA_MARK: Final = "mm-soap test CA"
"""Stands in the common name of every authority that the test PKI makes."""

_ORGANISATION: Final = re.compile(r"16[0-9]{10}")
_SHORT_NAMES: Final = {NameOID.SERIAL_NUMBER: "serialNumber"}


@lru_cache(maxsize=256)
def _parse(der: bytes) -> x509.Certificate:
    return _legible(x509.load_der_x509_certificate(der))


def _legible(certificate: x509.Certificate) -> x509.Certificate:
    # The parser reads these when they are asked for, and raises then. After this they can be used without a thought.
    _ = certificate.subject, certificate.issuer, certificate.extensions
    _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate


def load_certificate(der: bytes) -> x509.Certificate:
    """Return the certificate that came as DER bytes, such as those of KeyInfo/X509Data.

    The same bytes again cost a look-up only.

    Raises:
        Refused: ``CERTIFICATE_UNREADABLE``.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise Refused(Refusal.CERTIFICATE_UNREADABLE)
    try:
        return _parse(bytes(der))
    except Exception:  # the parser names several, and what was sent must never decide what escapes
        raise Refused(Refusal.CERTIFICATE_UNREADABLE) from None


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file of this installation, in the order of the file; at least one.

    Raises:
        ConfigurationError: the file is missing, cannot be read, or holds no certificate.
    """
    try:
        return tuple(_legible(c) for c in x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise ConfigurationError(f"The certificate file {path} cannot be read: {error.strerror}.") from None
    except Exception:  # as in load_certificate
        raise ConfigurationError(f"The file {path} must hold certificates in PEM form, and does not.") from None


def organisation_number(certificate: x509.Certificate) -> str:
    """Return the organisation that a certificate names: 12 digits that begin with 16.

    It is the subject's one serialNumber (OID 2.5.4.5), also where that stands in a multi-valued RDN. Source:
    the contract's services, "Parties". ``certificate`` is one that this package read.

    Raises:
        Refused: ``CERTIFICATE_NO_ORGANISATION``, also when there are several.
    """
    values = [a.value for a in certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)]
    if len(values) != 1 or not isinstance(values[0], str) or not _ORGANISATION.fullmatch(values[0]):
        raise Refused(Refusal.CERTIFICATE_NO_ORGANISATION)
    return values[0]


def subject_name(certificate: x509.Certificate) -> str:
    """Return the subject as RFC 4514 writes it, for X509SubjectName. It is for people: never read it back.

    ``certificate`` is one that this package read.
    """
    return certificate.subject.rfc4514_string(_SHORT_NAMES)


def is_test_certificate(certificate: x509.Certificate) -> bool:
    """Whether the certificate is of the test CA, or was issued by it. ``certificate`` is one that this package read."""
    names = (*certificate.subject, *certificate.issuer)
    return any(isinstance(name.value, str) and TEST_CA_MARK in name.value for name in names)


def within_dates(certificate: x509.Certificate, now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when a certificate is valid.

    Raises:
        Refused: ``CERTIFICATE_NOT_YET_VALID`` or ``CERTIFICATE_EXPIRED``, where that is not now.
    """
    if now < certificate.not_valid_before_utc:
        raise Refused(Refusal.CERTIFICATE_NOT_YET_VALID)
    if now > certificate.not_valid_after_utc:
        raise Refused(Refusal.CERTIFICATE_EXPIRED)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc
