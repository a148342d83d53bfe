"""The issuer, the persons and the text of these tests."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from mm_soap.testing import FrozenClock
from mm_soap.testing.e_identification import EIdentificationIssuer
from mm_soap.user_signatures import (
    Signer,
    UserSignature,
    UserSignatureError,
    UserSignatureProblem,
    UserSignatureVerifier,
)

CLOCK = FrozenClock()
ISSUER = EIdentificationIssuer(CLOCK)
ANNA = ISSUER.person("192705178354", "Anna Maria Andersson")
OSKAR = ISSUER.person("189001619809", "Oskar Öberg")
ELSA = ISSUER.person("189002619808", "Elsa Ek", elliptic=ec.SECP256R1())
VERIFIER = UserSignatureVerifier(ISSUER.anchors, CLOCK)

TEXT = "Jag vill ha digital post från myndigheter.\nBrevlåda: Ett & Co <1>\n"


def verify(
    signature: UserSignature, text: str = TEXT, anchors: tuple[x509.Certificate, ...] = ISSUER.anchors
) -> Signer:
    return UserSignatureVerifier(anchors, CLOCK).verify(signature, text)


def problem(
    signature: UserSignature, text: str = TEXT, anchors: tuple[x509.Certificate, ...] = ISSUER.anchors
) -> UserSignatureProblem:
    with pytest.raises(UserSignatureError) as caught:
        verify(signature, text, anchors)
    assert str(caught.value) == f"{caught.value.reason.name}: {caught.value.reason.value}"
    assert caught.value.__cause__ is None
    return caught.value.reason
