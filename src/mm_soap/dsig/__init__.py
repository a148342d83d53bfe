"""XML signatures: sign and seal what is sent, verify what comes.

:class:`VerifiedDelivery` and :class:`VerifiedSeal` are what business code gets of what is signed; of what nobody
signs it gets an :class:`UnsignedDocument`. Nothing else that came from outside is ever read by it.
"""

from mm_soap.dsig.forms import Form
from mm_soap.dsig.policy import SignaturePolicy, seal_policy, sender_policy
from mm_soap.dsig.sign import digest_to_seal, seal_for, seal_with, sealed_document, sign_delivery
from mm_soap.dsig.unsigned import UnsignedDocument, stand_alone
from mm_soap.dsig.verify import (
    Trust,
    VerifiedDelivery,
    VerifiedDocument,
    VerifiedSeal,
    verify_delivery,
    verify_sealed,
)

__all__ = [
    "Form",
    "SignaturePolicy",
    "Trust",
    "UnsignedDocument",
    "VerifiedDelivery",
    "VerifiedDocument",
    "VerifiedSeal",
    "digest_to_seal",
    "seal_for",
    "seal_policy",
    "seal_with",
    "sealed_document",
    "sender_policy",
    "sign_delivery",
    "stand_alone",
    "verify_delivery",
    "verify_sealed",
]
