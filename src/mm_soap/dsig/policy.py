"""What is expected of a signature: one policy for each kind.

Source of the rules: the contract's signing rules, sections "Algorithms" and "What a signature does not prove".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod

from mm_soap.xml import MESSAGE_V3, qname

SIGNED_DELIVERY: Final = qname(MESSAGE_V3, "SignedDelivery")
SEALED_DELIVERY: Final = qname(MESSAGE_V3, "SealedDelivery")

_WITHOUT_COMMENTS: Final = frozenset(
    {
        CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        CanonicalizationMethod.CANONICAL_XML_1_0,
        CanonicalizationMethod.CANONICAL_XML_1_1,
    }
)


@dataclass(frozen=True)
class SignaturePolicy:
    """Every expectation of one kind of signature."""

    root: str
    """The qualified name of the element that was signed, whatever it is called on the wire."""

    signature_methods: frozenset[SignatureMethod] = frozenset(
        {SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}
    )
    """Accepted algorithms for SignatureValue. Never HMAC, never DSA."""

    digest_algorithms: frozenset[DigestAlgorithm] = frozenset(
        {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
    )
    """Accepted algorithms for DigestValue."""

    canonicalizations: frozenset[CanonicalizationMethod] = _WITHOUT_COMMENTS
    """Accepted for SignedInfo, and as the one transform that may follow enveloped-signature."""

    sha1_from: frozenset[str] = field(default_factory=frozenset)
    """Organisation numbers of those whose old systems may still sign with SHA-1."""

    def for_signer(self, organisation: str) -> SignaturePolicy:
        """Return the policy as it holds for one signer: SHA-1 is added for those named in ``sha1_from``."""
        return self.with_sha1() if organisation in self.sha1_from else self

    def with_sha1(self) -> SignaturePolicy:
        """Return the policy with SHA-1 added, whoever signs."""
        return replace(
            self,
            signature_methods=self.signature_methods | {SignatureMethod.RSA_SHA1},
            digest_algorithms=self.digest_algorithms | {DigestAlgorithm.SHA1},
        )


def sender_policy(sha1_from: frozenset[str] = frozenset()) -> SignaturePolicy:
    """Return the policy for the inner signature, over SignedDelivery."""
    return SignaturePolicy(root=SIGNED_DELIVERY, sha1_from=sha1_from)


def seal_policy() -> SignaturePolicy:
    """Return the policy for the outer signature, over SealedDelivery. A seal is never SHA-1."""
    return SignaturePolicy(root=SEALED_DELIVERY)
