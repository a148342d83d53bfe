"""Certificate revocation lists. Source: RFC 5280, sections 5 and 6.3.

cryptography reads and looks up; of 100 000 entries that takes milliseconds and no memory but the list itself. Accepted
is the complete list that the issuer of the certificates signed itself: no delta, no indirect list, none for some
reasons alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import MD5, SHA1, HashAlgorithm
from cryptography.x509.extensions import ExtensionType

from mm_soap.revocation.model import Answer, Revoked, Standing, Unusable

_WEAK: Final = (MD5, SHA1)
_UNDERSTOOD: Final[tuple[type[ExtensionType], ...]] = (
    x509.AuthorityKeyIdentifier,
    x509.CRLNumber,
    x509.IssuingDistributionPoint,
)
_PEM: Final = b"-----BEGIN"


class RevocationList:
    """A list whose signature holds.

    Args:
        crl: the list.
        scope: its issuing distribution point, if it has one.
    """

    def __init__(self, crl: x509.CertificateRevocationList, scope: x509.IssuingDistributionPoint | None) -> None:
        self._crl = crl
        self._scope = scope
        self.this_update: datetime = crl.last_update_utc
        self.next_update: datetime | None = crl.next_update_utc

    def __len__(self) -> int:
        return len(self._crl)

    def answer(self, certificate: x509.Certificate) -> Answer:
        """Return what the list says of a certificate that its issuer issued."""
        if not _covers(self._scope, certificate):
            return Standing.UNKNOWN
        entry = self._crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is None:
            return Standing.GOOD
        return Revoked(entry.revocation_date_utc)


def read_list(raw: bytes, issuer: x509.Certificate) -> RevocationList:
    """Return the list of an issuer, in DER or PEM.

    Raises:
        Unusable: it cannot be read, is another issuer's, is not of the accepted kind, or its signature does not hold.
    """
    try:
        crl = (x509.load_pem_x509_crl if raw.lstrip().startswith(_PEM) else x509.load_der_x509_crl)(raw)
        return _checked(crl, issuer)
    except Unusable:
        raise
    except Exception:  # the parser reads lazily and names several; what came must never decide what escapes
        raise Unusable("it is no revocation list that can be read") from None


def _checked(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> RevocationList:
    if crl.issuer != issuer.subject:
        raise Unusable("it is the list of another issuer")
    algorithm: HashAlgorithm | None = crl.signature_hash_algorithm
    if isinstance(algorithm, _WEAK):
        raise Unusable("its signature is too weak")
    if not _may_sign_lists(issuer):
        raise Unusable("the issuer's key may not sign lists (key usage)")
    if not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
        raise Unusable("its signature does not hold for the issuer's key")
    scope: x509.IssuingDistributionPoint | None = None
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise Unusable("it is a delta list")
        if extension.critical and not isinstance(value, _UNDERSTOOD):
            raise Unusable("it has a critical extension that is not known here")
        if isinstance(value, x509.IssuingDistributionPoint):
            scope = value
    if scope is not None and (
        scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs or scope.relative_name
    ):
        raise Unusable("it is an indirect list, or one of some revocations alone")
    return RevocationList(crl, scope)


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _covers(scope: x509.IssuingDistributionPoint | None, certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is among those that a list tells of (RFC 5280, 6.3.3 (b) (2))."""
    if scope is None:
        return True
    authority = _is_authority(certificate)
    if (scope.only_contains_user_certs and authority) or (scope.only_contains_ca_certs and not authority):
        return False
    return scope.full_name is None or not names_of_points(certificate).isdisjoint(scope.full_name)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def names_of_points(certificate: x509.Certificate) -> set[x509.GeneralName]:
    """Return the names of the certificate's distribution points whose lists its own issuer signs, for all reasons."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return set()
    return {
        name
        for point in points
        if point.full_name and not point.crl_issuer and not point.reasons
        for name in point.full_name
    }
