"""What is wrong with a signature: is it there, who made it, what was signed, and if it does not hold, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from cryptography import x509
from lxml import etree

from mm_soap.clock import Clock
from mm_soap.conformance.sender.model import Sheet
from mm_soap.dsig import Form, SignaturePolicy, Trust
from mm_soap.dsig.diagnosis import Cause, Finding, Kind, examine
from mm_soap.dsig.forms import prefix_free
from mm_soap.dsig.structure import certificates_of, check_structure, signature_of
from mm_soap.dsig.verify import VerifiedDocument, verify_document
from mm_soap.errors import Refusal, Refused
from mm_soap.pki import OrganisationCertificate, TrustStore, load_certificate, organisation_number
from mm_soap.xml import DSIG, SOAP_ENVELOPE, parse_untrusted, qname

_SIGNATURE: Final = qname(DSIG, "Signature")
_HEADER: Final = qname(SOAP_ENVELOPE, "Header")
_W3C: Final = "http://www.w3.org/"
_ENVELOPED: Final = f"{DSIG}enveloped-signature"
_KINDS: Final = {
    Kind.ROOT: "root",
    Kind.PREFIXES: "prefixes",
    Kind.WHITE_SPACE: "white-space",
    Kind.TEXT: "content",
    Kind.ENVELOPE: "alone",
    Kind.PART: "alone",
    Kind.METHOD: "method",
    Kind.VALUE: "value",
    Kind.CONTENT: "content",
}
"""Place, shape and algorithms are judged before, by cases of their own."""
_CERTIFICATES: Final = {
    Refusal.CERTIFICATE_UNKNOWN_ISSUER: "issuer",
    Refusal.CERTIFICATE_PATH_INVALID: "issuer",
    Refusal.CERTIFICATE_REVOKED: "issuer",
    Refusal.CERTIFICATE_EXPIRED: "dates",
    Refusal.CERTIFICATE_NOT_YET_VALID: "dates",
    Refusal.CERTIFICATE_WRONG_USAGE: "key",
    Refusal.CERTIFICATE_KEY_TYPE: "key",
    Refusal.CERTIFICATE_WEAK_KEY: "key",
    Refusal.CERTIFICATE_NO_ORGANISATION: "organisation",
}
_ALGORITHMS: Final = ("CanonicalizationMethod", "SignatureMethod", "DigestMethod", "Transform")


class _Anyone:
    """Trusts every certificate: whether it holds is judged apart from whether the signature does."""

    def check(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate] = (),
        received: date | None = None,
    ) -> OrganisationCertificate:
        """Return the certificate, without asking whose it is."""
        return OrganisationCertificate("", certificate)


@dataclass(frozen=True)
class Signed:
    """An element that should be signed.

    Args:
        group: ``signature`` or ``seal``: where its cases stand.
        certificates: the group of the cases on its certificate.
        raw: the bytes that the tree of ``element`` was parsed from.
        element: by whatever name it travels.
        place: its path.
        policy: what is accepted; its root is what should have been signed.
    """

    group: str
    certificates: str
    raw: bytes
    element: etree._Element
    place: str
    policy: SignaturePolicy

    @property
    def signature_place(self) -> str:
        """The path of the signature."""
        return f"{self.place}/Signature"


def judge_signature(signed: Signed, sheet: Sheet, store: TrustStore) -> tuple[str | None, VerifiedDocument | None]:
    """Judge one signature and its certificate.

    Returns:
        The organisation that the certificate names, and what was verified, each None if there is none. The certificate
        of what was verified need not be trusted; the sheet says so.
    """
    group = signed.group
    try:
        signature = signature_of(signed.element)
    except Refused as refused:
        _not_there(signed, sheet, refused)
        return None, None
    sheet.keeps(f"{group}.present", f"{group}.place")
    leaf = _certificate(signed, signature, sheet, store)
    if leaf is None:
        return None, None
    try:
        organisation = organisation_number(leaf)
    except Refused:
        organisation = None
    if not _structure(signed, signature, sheet, organisation):
        return organisation, None
    return organisation, _verified(signed, sheet, leaf)


def _not_there(signed: Signed, sheet: Sheet, refused: Refused) -> None:
    if refused.refusal is Refusal.SIGNATURE_AMBIGUOUS:
        number = len(signed.element.findall(_SIGNATURE))
        what = f"It has {number} Signatures." if number > 1 else "Something follows the Signature."
        sheet.breaks(f"{signed.group}.place", what, f"{signed.signature_place}[{max(number, 1)}]", refused)
        return
    what = "There is no Signature."
    root = signed.element.getroottree().getroot()
    header = root.find(_HEADER)
    if header is not None and next(header.iter(_SIGNATURE), None) is not None:
        what = "There is a Signature in the header of the envelope (WS-Security), and none in the document."
    elif signed.group == "signature":
        beside = next((each for each in root.iter(_SIGNATURE)), None)
        parent = beside.getparent() if beside is not None else None
        if parent is not None:
            what = f"The Signature is a child of {etree.QName(parent).localname}."
    sheet.breaks(f"{signed.group}.present", what, signed.place, refused)


def _certificate(signed: Signed, signature: etree._Element, sheet: Sheet, store: TrustStore) -> x509.Certificate | None:
    place = f"{signed.signature_place}/KeyInfo/X509Data/X509Certificate"
    try:
        leaf, *others = (load_certificate(der) for der in certificates_of(signature))
    except Refused as refused:
        sheet.breaks(f"{signed.group}.certificate", refused.description, place, refused)
        return None
    sheet.keeps(f"{signed.group}.certificate")
    try:
        store.check(leaf, others)
    except Refused as refused:
        name = _CERTIFICATES.get(refused.refusal, "issuer")
        sheet.breaks(f"{signed.certificates}.{name}", refused.description, place, refused)
    else:
        sheet.keeps(*(f"{signed.certificates}.{name}" for name in ("issuer", "dates", "key", "organisation")))
    return leaf


def _structure(signed: Signed, signature: etree._Element, sheet: Sheet, organisation: str | None) -> bool:
    """Judge shape and algorithms; False where nothing can be verified."""
    group, policy = signed.group, signed.policy.for_signer(organisation or "")
    try:
        check_structure(signature, signed.element, policy)
    except Refused as refused:
        if refused.refusal is Refusal.SIGNATURE_REFERENCE:
            sheet.breaks(f"{group}.reference", *_shape(signed, signature), refused)
            return False
        algorithms = _written(signature)
        accepted = {_ENVELOPED, *(one.value for one in policy.canonicalizations)}
        wrong = refused.where == "Transforms" or any(
            value not in accepted for name, value in algorithms if name == "Transform"
        )
        wrong = wrong and refused.where in ("Transforms", "")
        shown = [_shown(value) for name, value in algorithms if (name == "Transform") == wrong]
        what = f"Written are {', '.join(shown) or 'none'}."
        place = f"{signed.signature_place}/SignedInfo"
        place += "/Reference/Transforms" if wrong else f"/{refused.where}" if refused.where else ""
        sheet.breaks(f"{group}.{'transforms' if wrong else 'algorithm'}", what, place, refused)
        if wrong:
            return False
        try:
            check_structure(signature, signed.element, policy.with_sha1())
        except Refused:
            return False
        return True
    sheet.keeps(f"{group}.reference", f"{group}.algorithm", f"{group}.transforms")
    return True


def _written(signature: etree._Element) -> list[tuple[str, str]]:
    return [
        (name, str(each.get("Algorithm")))
        for name in _ALGORITHMS
        for each in signature.iterfind(f".//{qname(DSIG, name)}")
    ]


def _shown(algorithm: str) -> str:
    return algorithm[:80] if algorithm.startswith(_W3C) else "an unknown one"


def _shape(signed: Signed, signature: etree._Element) -> tuple[str, str]:
    names = [str(etree.QName(child).localname) for child in signature.iterchildren("*")]
    references = list(signature.iterfind(f"{qname(DSIG, 'SignedInfo')}/{qname(DSIG, 'Reference')}"))
    place = signed.signature_place
    if names != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        return f"Its children are {', '.join(names[:8])}.", place
    if len(references) != 1:
        return f"It has {len(references)} References.", f"{place}/SignedInfo/Reference[{len(references)}]"
    uri = references[0].get("URI")
    what = "The Reference has no URI." if uri is None else "The URI of the Reference is not of the whole element."
    return what, f"{place}/SignedInfo/Reference/@URI"


def _verified(signed: Signed, sheet: Sheet, leaf: x509.Certificate) -> VerifiedDocument | None:
    group = signed.group
    trust = _trust(signed.policy, leaf)
    try:
        found = verify_document(signed.raw, signed.element, trust.sender, trust)
    except Refused as refused:
        if refused.refusal is not Refusal.SIGNATURE_INVALID:
            return None
        findings, _ = examine(signed.raw, signed.element, signed.policy)
        told = next((one for one in findings if one.cause.kind in _KINDS), Finding(Cause.UNEXPLAINED, ""))
        place = f"{signed.place}/{told.place.partition('/')[2]}" if "/" in told.place else signed.signature_place
        sheet.breaks(f"{group}.{_KINDS[told.cause.kind]}", f"{told.rule}: {told.remedy}", place, refused)
        return None
    sheet.notes.append(f"the {group} holds {found.form.value}")
    sheet.keeps(*(f"{group}.{name}" for name in ("white-space", "alone", "method", "value", "content")))
    renamed = found.form in (Form.RENAMED, Form.PREFIX_FREE_RENAMED)
    right = renamed or signed.element.tag == signed.policy.root
    name = etree.QName(signed.element).localname
    wrong_root = Refused(Refusal.SIGNATURE_INVALID)
    what = f"It verifies with the root {name}, the name on the wire."
    sheet.judges(f"{group}.root", right, what, signed.place, wrong_root)
    root = signed.policy.root if right else str(signed.element.tag)
    _judge_prefixes(signed, sheet, trust, prefix_free(signed.element, root))
    return found


def _judge_prefixes(signed: Signed, sheet: Sheet, trust: Trust, alone: bytes) -> None:
    try:
        verify_document(alone, parse_untrusted(alone), trust.sender, trust)
        sheet.keeps(f"{signed.group}.prefixes")
    except Refused:
        what = (
            "It verifies with the prefixes that it has, and not without: a receiver that strips them cannot verify it."
        )
        prefix = next((each for each in signed.element.iter("*") if each.prefix is not None), None)
        inside = f", first at {etree.QName(prefix).localname}" if prefix is not None else ""
        sheet.breaks(f"{signed.group}.prefixes", what, f"{signed.place}{inside}")


def _trust(policy: SignaturePolicy, leaf: x509.Certificate) -> Trust:
    moment: Clock = lambda: leaf.not_valid_before_utc + timedelta(seconds=1)  # noqa: E731
    lenient = policy.with_sha1()
    return Trust(_Anyone(), lenient, lenient, moment)
