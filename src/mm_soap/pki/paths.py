"""Validation of a path from a certificate to an anchor; the only importer of pyhanko-certvalidator."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asn1crypto import x509 as asn1  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustQualifiers, derive_quals_from_cert
from pyhanko_certvalidator.errors import (
    ExpiredError,
    InvalidCertificateError,
    NotYetValidError,
    PathBuildingError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)

from mm_soap.asn1 import make_ready
from mm_soap.errors import Refusal, Refused
from mm_soap.pki.certificates import load_certificate

T = TypeVar("T")

make_ready()


def validate_path(
    leaf: x509.Certificate,
    intermediates: Iterable[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    moment: datetime,
) -> tuple[datetime, datetime, tuple[x509.Certificate, ...]]:
    """Validate the path from a certificate to one of the anchors, as RFC 5280 says, and return when it holds.

    Nothing is fetched. The dates, the length limit and the name constraints of an anchor bind as those of any other
    authority. Revocation is not looked at here: it may change while the path stays valid.

    Returns:
        The first and the last moment at which every certificate of the path, the anchor included, is within its dates,
        and the path, the leaf first and the anchor last.

    Raises:
        Refused: with the CERTIFICATE_* reason.
        Exception: of any class, for a certificate that the library cannot digest; asn1crypto reads lazily.
    """
    try:
        context = ValidationContext(
            trust_roots=[_anchor(a) for a in _current_first(anchors, moment)],
            other_certs=[_asn1(c) for c in intermediates],
            moment=moment,
            allow_fetching=False,
            revinfo_policy=CertRevTrustPolicy(
                RevocationCheckingPolicy(RevocationCheckingRule.NO_CHECK, RevocationCheckingRule.NO_CHECK)
            ),
            time_tolerance=timedelta(0),
        )
        path = finish(CertificateValidator(_asn1(leaf), validation_context=context).async_validate_path())
        return *_window(path), tuple(map(_x509, reversed(list(path.iter_certs(include_root=True)))))
    except (ValidationError, PathBuildingError) as error:
        raise Refused(_reason(error)) from None


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine of the library returns that has nothing to wait for, since nothing is fetched.

    One step finishes the work. That needs no event loop: safe in any thread, also in one where a loop runs.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("path validation waits for something, although nothing is to be fetched")


def _reason(error: Exception) -> Refusal:
    if isinstance(error, RevokedError):
        return Refusal.CERTIFICATE_REVOKED
    if isinstance(error, ExpiredError) and error.is_ee_cert:
        return Refusal.CERTIFICATE_EXPIRED
    if isinstance(error, NotYetValidError) and error.is_ee_cert:
        return Refusal.CERTIFICATE_NOT_YET_VALID
    if isinstance(error, (PathBuildingError, InvalidCertificateError)):
        return Refusal.CERTIFICATE_UNKNOWN_ISSUER
    return Refusal.CERTIFICATE_PATH_INVALID


def _asn1(certificate: x509.Certificate) -> asn1.Certificate:
    # Read anew for each validation: the library's objects are filled in lazily and not made for sharing by threads.
    return asn1.Certificate.load(certificate.public_bytes(Encoding.DER), strict=True)


def _x509(certificate: asn1.Certificate) -> x509.Certificate:
    return load_certificate(certificate.dump())


def _anchor(certificate: x509.Certificate) -> CertTrustAnchor:
    anchor = _asn1(certificate)
    found = derive_quals_from_cert(anchor)
    parameters = found.standard_parameters
    if parameters is not None:
        # Name constraints bind. A list of policies in a root does not: no policy is asked for in this domain.
        parameters = replace(
            parameters, initial_explicit_policy=False, user_initial_policy_set=frozenset(["any_policy"])
        )
    qualifiers: TrustQualifiers = replace(
        found,
        standard_parameters=parameters,
        # The library subtracts from this one too as soon as the other is set.
        max_aa_path_length=found.max_path_length,
    )
    return CertTrustAnchor(anchor, qualifiers)


def _current_first(anchors: Sequence[x509.Certificate], moment: datetime) -> list[x509.Certificate]:
    # Of two anchors with one name and key, as a renewed root and its predecessor, the library keeps the first.
    return sorted(anchors, key=lambda a: not a.not_valid_before_utc <= moment <= a.not_valid_after_utc)


def _window(path: ValidationPath) -> tuple[datetime, datetime]:
    if path.pkix_len == 0:
        # The library takes any certificate with an anchor's name and key for that anchor, without a signature.
        raise Refused(Refusal.CERTIFICATE_UNKNOWN_ISSUER)
    certificates = list(path.iter_certs(include_root=True))
    begin: datetime = max(c.not_valid_before for c in certificates)
    end: datetime = min(c.not_valid_after for c in certificates)
    return begin, end
