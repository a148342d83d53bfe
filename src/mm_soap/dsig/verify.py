"""Verifying deliveries. What these functions return is the only way into business code.

Source of the rules: the contract's signing rules, "The digest input" and "What a signature does not prove".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from cryptography import x509
from lxml import etree

from mm_soap.clock import Clock
from mm_soap.dsig.cut import has_markup
from mm_soap.dsig.forms import Form, candidates
from mm_soap.dsig.long_texts import canonical_text
from mm_soap.dsig.policy import SIGNED_DELIVERY, SignaturePolicy
from mm_soap.dsig.shapes import Canonical, Shapes, Written, shape_of, written
from mm_soap.dsig.signature import signed_info_of, take_out, verified_digest
from mm_soap.dsig.structure import certificates_of, check_structure, signature_of
from mm_soap.errors import Refusal, Refused
from mm_soap.pki import OrganisationCertificate, load_certificate
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, parse_untrusted, qname

_SEAL: Final = qname(MESSAGE_V3, "Seal")
_RECEIVED: Final = qname(MESSAGE_V1, "ReceivedTime")
_SIGNATURES_OK: Final = qname(MESSAGE_V1, "SignaturesOK")


@dataclass(frozen=True)
class VerifiedDocument:
    """A document whose signature holds."""

    root: etree._Element
    """The tree that was canonicalised and hashed: no comments, and without the signature itself. Read this alone."""
    document: bytes
    """The document with its signature, standing alone, in the form that verified."""
    signer: OrganisationCertificate
    """Whose key signed it; the certificate was trusted when it was checked."""
    form: Form
    """Which form of what came was signed."""
    digest: str
    """SHA-256, in hexadecimal, over the signed digest and the signature value: it names what was signed and by which
    signature, however the document is written."""
    canonical: Canonical | None = field(default=None, kw_only=True, repr=False)
    """The document in canonical form, where it is known."""


@dataclass(frozen=True)
class VerifiedDelivery(VerifiedDocument):
    """A SignedDelivery whose sender's signature holds."""


@dataclass(frozen=True)
class VerifiedSeal(VerifiedDocument):
    """A SealedDelivery of which the seal and the sender's signature hold."""

    received: date
    """Seal/ReceivedTime: the day on which the dispatcher got the delivery."""
    signatures_ok: bool
    """Seal/SignaturesOK: what the dispatcher says of the sender's signature."""
    delivery: VerifiedDelivery
    """The delivery inside, verified by its own signature."""


class CertificateCheck(Protocol):
    """Decides whether a signer's certificate is trusted: :class:`mm_soap.pki.TrustStore`."""

    def check(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate] = (),
        received: date | None = None,
    ) -> OrganisationCertificate:
        """Return the organisation that the certificate names, or raise ``Refused`` with ``CERTIFICATE_*``.

        A revocation after the day ``received`` does not count: then a party that is trusted got what was signed.
        """
        ...


@dataclass(frozen=True)
class Trust:
    """What a party needs to verify: whom it trusts, what it accepts, the time, and what signatures it saw before."""

    store: CertificateCheck
    sender: SignaturePolicy
    seal: SignaturePolicy
    clock: Clock
    shapes: Shapes = field(default_factory=Shapes, compare=False, repr=False)


def verify_delivery(
    raw: bytes, element: etree._Element, trust: Trust, received: date | None = None
) -> VerifiedDelivery:
    """Verify a SignedDelivery.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: SignedDelivery, by whatever name it travels.
        trust: anchors and policies.
        received: the day in a verified seal around it: a revocation of the certificate after it does not count.

    Raises:
        Refused: ``SIGNATURE_*`` or ``CERTIFICATE_*``. Whether the signer may sign for the sender is not checked here.
    """
    found = verify_document(raw, element, trust.sender, trust, received)
    if found.root.tag != SIGNED_DELIVERY:
        # Within a SealedDelivery it has this name again: what was signed under another one verifies here alone.
        raise Refused(Refusal.SIGNATURE_WIRE_NAME)
    return VerifiedDelivery(
        *(found.root, found.document, found.signer, found.form, found.digest), canonical=found.canonical
    )


def verify_sealed(raw: bytes, element: etree._Element, trust: Trust) -> VerifiedSeal:
    """Verify a SealedDelivery: first the seal, then the sender's signature inside what the seal covers.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: SealedDelivery, by whatever name it travels.
        trust: anchors and policies.

    Raises:
        Refused: ``SIGNATURE_*`` or ``CERTIFICATE_*``, or ``SCHEMA_VIOLATION`` if a part is missing.
    """
    outer = verify_document(raw, element, trust.seal, trust)
    signed = outer.root.findall(SIGNED_DELIVERY)
    received = outer.root.findtext(f"{_SEAL}/{_RECEIVED}")
    signatures_ok = outer.root.findtext(f"{_SEAL}/{_SIGNATURES_OK}")
    if len(signed) != 1 or received is None or signatures_ok is None:
        raise Refused(Refusal.SCHEMA_VIOLATION, "SealedDelivery")
    # The inner document is cut from the bytes that the seal was verified on, not from what came. Its place among the
    # elements is the same in the tree, where only the signature that follows it is gone.
    day = _date(received)
    return VerifiedSeal(
        outer.root,
        outer.document,
        outer.signer,
        outer.form,
        outer.digest,
        day,
        signatures_ok.strip() in ("true", "1"),
        verify_delivery(outer.document, signed[0], trust, day),
        canonical=outer.canonical,
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise Refused(Refusal.SCHEMA_VIOLATION, "Seal/ReceivedTime") from None


def verify_document(
    raw: bytes, element: etree._Element, policy: SignaturePolicy, trust: Trust, received: date | None = None
) -> VerifiedDocument:
    """Verify one signature: what :func:`verify_delivery` and :func:`verify_sealed` are made of.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: the signed element, by whatever name it travels.
        policy: of the kind of signature.
        trust: anchors and time.
        received: as for :func:`verify_delivery`.

    Raises:
        Refused: ``SIGNATURE_*`` or ``CERTIFICATE_*``.
    """
    signature = signature_of(element)
    signer = _signer(signature, trust, received)
    policy = policy.for_signer(signer.organisation)
    for form, document in candidates(raw, element, policy.root):
        found = _holds(document, signer, policy, trust)
        if found is not None:
            root, digest, canonical = found
            if has_markup(document, b"!--"):
                document = _without_comments(document)
            return VerifiedDocument(root, document, signer, form, digest, canonical=canonical)
    raise Refused(Refusal.SIGNATURE_INVALID)


def _signer(signature: etree._Element, trust: Trust, received: date | None) -> OrganisationCertificate:
    leaf, *others = (load_certificate(der) for der in certificates_of(signature))
    return trust.store.check(leaf, others, received)


_Found = tuple[etree._Element, str, Canonical | None]


def _holds(document: bytes, signer: OrganisationCertificate, policy: SignaturePolicy, trust: Trust) -> _Found | None:
    try:
        root = parse_untrusted(document)
    except Refused:
        return None  # a prefix that only an ancestor declared: another form will do
    etree.strip_tags(root, etree.Comment)
    signature = signature_of(root)
    one, last = written(signature), signature.getnext() is None and not signature.tail
    shape = trust.shapes.find(one, signer.certificate, policy) if one is not None else None
    if one is None or shape is None:
        return _holds_by_signxml(document, root, signature, one, signer, policy, trust)
    take_out(signature)
    text = canonical_text(document, root, shape.canonicalization)
    digest = shape.verified_digest(one, text)
    if digest is None:
        return None
    return root, digest, Canonical(text, one, shape) if last else None


def _holds_by_signxml(
    document: bytes,
    root: etree._Element,
    signature: etree._Element,
    one: Written | None,
    signer: OrganisationCertificate,
    policy: SignaturePolicy,
    trust: Trust,
) -> _Found | None:
    canonicalization = check_structure(signature, root, policy)
    # Two documents from one parse would cost as much as the digest: take the signature out, keeping the text after it.
    signed_info = signed_info_of(signature)
    take_out(signature)
    text = canonical_text(document, root, canonicalization)
    digest = verified_digest(signature, signed_info, text, signer.certificate, policy, trust.clock)
    if digest is None:
        return None
    if one is not None:
        shape = shape_of(one, signature, signed_info, canonicalization, signer.certificate, policy)
        trust.shapes.learn(one, shape, text)
    return root, digest, None


def _without_comments(document: bytes) -> bytes:
    root = parse_untrusted(document)
    etree.strip_tags(root, etree.Comment)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=False)
