"""The signatures of users under an agreement text: XML signatures and CMS, as e-identification clients make them."""

from mm_soap.user_signatures.model import Signer, UserSignature, UserSignatureError, UserSignatureProblem
from mm_soap.user_signatures.verifier import UserSignatureVerifier

__all__ = [
    "Signer",
    "UserSignature",
    "UserSignatureError",
    "UserSignatureProblem",
    "UserSignatureVerifier",
]
