"""Why a signature does not hold: for people who mend a signer. Nothing is ever accepted because of what is found here.

The verifier says that a signature does not hold, never why: it must not guess. Here the guesses are made, each a
mistake that signers are known to make: it is undone, and if the digest is right then, it is named. So what is found is
proven, except where a finding says that nothing was found.

Nothing that serves requests imports this package.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from mm_soap.dsig.diagnosis.digests import canonical_documents, explain_digest
from mm_soap.dsig.diagnosis.model import Canonical, Cause, Finding, Kind, place_of
from mm_soap.dsig.diagnosis.reading import SIGNATURE, read
from mm_soap.dsig.diagnosis.structure import place_findings, shape_findings
from mm_soap.dsig.diagnosis.values import canonical_signed_infos, explain_value
from mm_soap.dsig.policy import SIGNED_DELIVERY, SignaturePolicy
from mm_soap.dsig.verify import Trust, VerifiedDocument, verify_document
from mm_soap.errors import Refused
from mm_soap.xml import parse_untrusted

__all__ = ["Canonical", "Cause", "Diagnosis", "Finding", "Kind", "diagnose", "examine", "not_utf8"]


@dataclass(frozen=True)
class Diagnosis:
    """What is to be said of one signature."""

    kind: str
    """``seal`` or ``sender``."""
    refused: Refused | None
    """Why the verifier refuses the signature, or its certificate; None if it holds."""
    findings: tuple[Finding, ...]
    """What is wrong, as far as can be found. Never empty where the signature was refused; none where it holds."""
    canonical: tuple[Canonical, ...]
    """The bytes that were compared, in each form."""


def diagnose(raw: bytes, element: etree._Element, trust: Trust, *, sealed: bool = False) -> tuple[Diagnosis, ...]:
    """Say of each signature why it does not hold.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: SignedDelivery or SealedDelivery, by whatever name it travels.
        trust: anchors and policies.
        sealed: whether it is a SealedDelivery.

    Returns:
        The seal's diagnosis first, if there is one, then the sender's. Whether the whole is valid is for
        :func:`mm_soap.dsig.verify_delivery` and :func:`mm_soap.dsig.verify_sealed` to say.
    """
    if not sealed:
        return (_diagnosis("sender", raw, element, trust.sender, trust)[0],)
    outer, verified = _diagnosis("seal", raw, element, trust.seal, trust)
    if verified is not None:
        raw = verified.document
        element = parse_untrusted(raw)
    inner = element.find(SIGNED_DELIVERY)
    return (outer,) if inner is None else (outer, _diagnosis("sender", raw, inner, trust.sender, trust)[0])


def _diagnosis(
    kind: str, raw: bytes, element: etree._Element, policy: SignaturePolicy, trust: Trust
) -> tuple[Diagnosis, VerifiedDocument | None]:
    verified, refused = None, None
    try:
        verified = verify_document(raw, element, policy, trust)
    except Refused as error:
        refused = error
    findings, canonical = examine(raw, element, policy)
    if refused is None:
        findings = []
    elif not findings and refused.refusal.name.startswith("SIGNATURE_"):
        findings = [Finding(Cause.UNEXPLAINED, "")]
    return Diagnosis(kind, refused, tuple(findings), tuple(canonical)), verified


def examine(raw: bytes, element: etree._Element, policy: SignaturePolicy) -> tuple[list[Finding], list[Canonical]]:
    """Say what is wrong with one signature, whoever made it, and which bytes were compared.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: the signed element, by whatever name it travels.
        policy: of the kind of signature; its root is what should have been signed.

    Returns:
        The findings, those that a verifier would stop at first; none if nothing is found. Whether the signature holds
        is for the verifier to say.
    """
    findings = list(place_findings(element))
    signature = element.find(SIGNATURE)
    if signature is None:
        return findings, []
    findings += shape_findings(signature, element)
    reading = read(signature)
    try:
        canonical = canonical_documents(raw, element, policy.root, reading)
        infos = canonical_signed_infos(raw, element, policy.root, reading)
        of_digest, document = explain_digest(raw, element, policy.root, reading)
        of_value, info = explain_value(raw, element, policy.root, reading)
    except (Refused, etree.C14NError):
        return [*findings, Finding(Cause.RELATIVE_NAMESPACE, place_of(element, element))], []
    if findings and findings[0].cause in (Cause.SEVERAL_SIGNATURES, Cause.NOT_LAST_CHILD):
        of_digest, document = [], None  # what does not belong there is in the digest
    held = {one.form for one in canonical if one.holds} & {one.form for one in infos if one.holds}
    if not (of_digest or of_value or held) and document is not None and info is not None:
        of_value = [Finding(Cause.OTHER_FORM, place_of(signature, element))]
    known = {(one.part, one.text) for one in (*canonical, *infos)}
    infos += [one for one in (document, info) if one is not None and (one.part, one.text) not in known]
    return [*findings, *of_digest, *of_value], [*canonical, *infos]


def not_utf8(raw: bytes) -> Finding | None:
    """Say where bytes stop being UTF-8, if that is why they cannot be parsed; None if it is not."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        try:
            parse_untrusted(raw.decode("cp1252", "replace").encode())
        except Refused:
            return None
        return Finding(Cause.NOT_UTF8, f"line {line}, byte {error.start}")
    return None
