"""Answers of OCSP responders. Source: RFC 6960; the nonce: RFC 9654.

pyhanko-certvalidator judges who may answer: the issuer itself, or a responder that it certified for that, with the
extended key usage OCSPSigning and the extension ocsp-nocheck. cryptography writes the request and reads the dates.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final

from asn1crypto import ocsp as asn1  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.errors import (
    OCSPNoMatchesError,
    OCSPValidationIndeterminateError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy, RevocationCheckingRule
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from mm_soap.asn1 import make_ready
from mm_soap.pki.paths import finish
from mm_soap.revocation.model import Answer, Revoked, Standing, Unusable

MAX_BYTES: Final = 65_536
"""The longest answer that is read. Real ones have some thousand bytes."""

make_ready()

_NONCE_BYTES: Final = 32
_RULE: Final = RevocationCheckingRule.OCSP_REQUIRED


class Response:
    """What a responder said of one certificate; the signature holds."""

    def __init__(self, response: ocsp.OCSPResponse, answer: Answer) -> None:
        self.this_update: datetime = response.this_update_utc
        self.next_update: datetime | None = response.next_update_utc
        self._answer = answer

    def answer(self, certificate: x509.Certificate) -> Answer:
        """Return what it says of the certificate that was asked for."""
        return self._answer


def new_nonce() -> bytes:
    """Return a nonce for one request."""
    return secrets.token_bytes(_NONCE_BYTES)


def request_for(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None) -> bytes:
    """Return the request for the status of a certificate, in DER."""
    # SHA-1 names the issuer here, as RFC 5019 wants it and every responder understands; nothing rests on it.
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA1())  # noqa: S303
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def read_response(
    raw: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    nonce: bytes | None = None,
    nonce_required: bool = False,
) -> Response:
    """Return what a responder says of a certificate.

    Args:
        raw: the answer, in DER.
        certificate: of which was asked.
        issuer: its issuer.
        nonce: that of the request. An answer with another one is refused.
        nonce_required: refuse an answer without one too.

    Raises:
        Unusable: it is no successful answer, it is about another certificate, or who signed it may not.
    """
    try:
        response = ocsp.load_der_ocsp_response(raw)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise Unusable(f"the responder answered {response.response_status.name.lower()}")
        _check_nonce(response, nonce, nonce_required)
        return Response(response, _judged(raw, response, certificate, issuer))
    except Unusable:
        raise
    except Exception:  # two parsers read lazily and name several; what came must never decide what escapes
        raise Unusable("it is no answer of OCSP about this certificate that can be read") from None


def _check_nonce(response: ocsp.OCSPResponse, nonce: bytes | None, required: bool) -> None:
    if nonce is None:
        return
    try:
        found = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        if required:
            raise Unusable("the answer has no nonce") from None
        return
    if found != nonce:
        raise Unusable("the answer has the nonce of another request")


def _judged(raw: bytes, response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> Answer:
    if response.serial_number != certificate.serial_number:
        raise Unusable("the answer is about another certificate")
    if response.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise Unusable("the responder does not know the certificate")
    leaf, anchor = _asn1(certificate), CertTrustAnchor(_asn1(issuer))
    context = ValidationContext(
        trust_roots=[anchor],
        ocsps=[asn1.OCSPResponse.load(raw, strict=True)],
        # Whether it is of now is decided by the rules of this package; who signed must have been allowed to, then.
        moment=response.this_update_utc,
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy(_RULE, _RULE)),
    )
    try:
        finish(verify_ocsp_response(leaf, ValidationPath(anchor, [], leaf), context))
    except RevokedError as revoked:
        return Revoked(revoked.revocation_dt)
    except (ValidationError, OCSPNoMatchesError, OCSPValidationIndeterminateError):
        raise Unusable("its signature does not hold, or who signed may not answer for the issuer") from None
    return Standing.GOOD


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER), strict=True)
