"""XML signatures: sign and seal what is sent, verify what comes.

:class:`VerifiedDelivery` and :class:`VerifiedSeal` are what business code gets; nothing else that came from outside is
ever read by it.
"""

from mm_soap.dsig.diagnosis import Cause, Diagnosis, diagnose
from mm_soap.dsig.forms import Form
from mm_soap.dsig.policy import SignaturePolicy, seal_policy, sender_policy
from mm_soap.dsig.sign import seal_for, sealed_document, sign_delivery
from mm_soap.dsig.verify import (
    Trust,
    VerifiedDelivery,
    VerifiedDocument,
    VerifiedSeal,
    verify_delivery,
    verify_sealed,
)

__all__ = [
    "Cause",
    "Diagnosis",
    "Form",
    "SignaturePolicy",
    "Trust",
    "VerifiedDelivery",
    "VerifiedDocument",
    "VerifiedSeal",
    "diagnose",
    "seal_for",
    "seal_policy",
    "sealed_document",
    "sender_policy",
    "sign_delivery",
    "verify_delivery",
    "verify_sealed",
]
