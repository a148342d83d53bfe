"""One enveloped XML signature: what it may look like, and the meeting point with signxml.

signxml reads SignedInfo, checks the algorithms and the signature value, and compares the digest. Two of its steps are
replaced, since they copy the whole document several times: the canonical text of the document comes from here, and
SignedInfo is made a document of its own before it is canonicalised (lxml writes a wrong ``xmlns=""`` otherwise).
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from mm_soap.clock import Clock
from mm_soap.dsig.policy import SignaturePolicy
from mm_soap.errors import Refusal, Refused
from mm_soap.xml import DSIG, parse_untrusted, qname, text_of

_DS: Final = {"ds": DSIG}
_SIGNATURE: Final = qname(DSIG, "Signature")
_INCLUSIVE_NAMESPACES: Final = qname("http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces")


@dataclass(frozen=True)
class Canonicalization:
    """A canonicalisation method with its parameter."""

    method: CanonicalizationMethod
    prefixes: tuple[str, ...] = ()
    """InclusiveNamespaces PrefixList, for exclusive canonicalisation alone."""

    def text(self, root: etree._Element) -> bytes:
        """Return the canonical bytes of a document. ``root`` must be the root of its tree.

        Raises:
            Refused: ``SIGNATURE_INVALID`` if a namespace is no absolute URI, which has no canonical form.
        """
        exclusive = self.method is CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
        try:
            return etree.tostring(
                root,
                method="c14n",
                exclusive=exclusive,
                with_comments=False,
                inclusive_ns_prefixes=list(self.prefixes) if exclusive and self.prefixes else None,
            )
        except etree.C14NError:
            raise Refused(Refusal.SIGNATURE_INVALID) from None


EXCLUSIVE: Final = Canonicalization(CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
INCLUSIVE: Final = Canonicalization(CanonicalizationMethod.CANONICAL_XML_1_0)


def signature_of(root: etree._Element) -> etree._Element:
    """Return the one Signature that is the last child of ``root``.

    Raises:
        Refused: ``SIGNATURE_MISSING``, or ``SIGNATURE_AMBIGUOUS`` if there are several or it is not the last child.
    """
    found = root.findall(_SIGNATURE)
    if not found:
        raise Refused(Refusal.SIGNATURE_MISSING)
    if len(found) > 1 or next(root.iterchildren("*", reversed=True)) is not found[0]:
        raise Refused(Refusal.SIGNATURE_AMBIGUOUS)
    return found[0]


def certificates_of(signature: etree._Element) -> list[bytes]:
    """Return the certificates in KeyInfo as DER, in their order.

    Raises:
        Refused: ``SIGNATURE_NO_CERTIFICATE``, or ``CERTIFICATE_UNREADABLE`` if one is not base64.
    """
    texts = [text_of(e) for e in signature.iterfind("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _DS)]
    if not texts:
        raise Refused(Refusal.SIGNATURE_NO_CERTIFICATE)
    try:
        return [b64decode("".join(text.split()), validate=True) for text in texts]
    except ValueError:
        raise Refused(Refusal.CERTIFICATE_UNREADABLE) from None


def check_structure(signature: etree._Element, root: etree._Element, policy: SignaturePolicy) -> Canonicalization:
    """Check that a signature has the one accepted shape, before anything is computed from it.

    One SignedInfo with one Reference, to the whole root; the transform enveloped-signature and at most one
    canonicalisation after it; accepted algorithms alone; no ds:Object.

    Returns:
        How the document is canonicalised for the digest.

    Raises:
        Refused: ``SIGNATURE_REFERENCE`` or ``SIGNATURE_ALGORITHM``.
    """
    names = [etree.QName(child).localname for child in signature.iterchildren("*")]
    if names != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        raise Refused(Refusal.SIGNATURE_REFERENCE)
    signed_info = signature.find("ds:SignedInfo", _DS)
    references = signed_info.findall("ds:Reference", _DS) if signed_info is not None else []
    if signed_info is None or len(references) != 1:
        raise Refused(Refusal.SIGNATURE_REFERENCE)
    _check_uri(references[0].get("URI"), root)
    try:
        method = signed_info.find("ds:CanonicalizationMethod", _DS)
        if method is None or CanonicalizationMethod(method.get("Algorithm")) not in policy.canonicalizations:
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "CanonicalizationMethod")
        method = signed_info.find("ds:SignatureMethod", _DS)
        if method is None or SignatureMethod(method.get("Algorithm")) not in policy.signature_methods:
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "SignatureMethod")
        method = references[0].find("ds:DigestMethod", _DS)
        if method is None or DigestAlgorithm(method.get("Algorithm")) not in policy.digest_algorithms:
            raise Refused(Refusal.SIGNATURE_ALGORITHM, "DigestMethod")
        return _canonicalization(references[0], policy)
    except SignXMLException:
        # signxml's enums refuse a URI that they do not know, while it is read.
        raise Refused(Refusal.SIGNATURE_ALGORITHM) from None


def _check_uri(uri: str | None, root: etree._Element) -> None:
    if uri == "":
        return
    own = root.get("Id")
    if uri is None or own is None or uri != f"#{own}":
        raise Refused(Refusal.SIGNATURE_REFERENCE)
    if sum(each.get(name) == own for each in root.iter("*") for name in ("Id", "ID", "id")) > 1:
        raise Refused(Refusal.SIGNATURE_REFERENCE, "the same Id twice")


def _canonicalization(reference: etree._Element, policy: SignaturePolicy) -> Canonicalization:
    transforms = reference.findall("ds:Transforms/ds:Transform", _DS)
    algorithms = [transform.get("Algorithm") for transform in transforms]
    if not algorithms or algorithms[0] != SignatureConstructionMethod.enveloped.value or len(algorithms) > 2:
        raise Refused(Refusal.SIGNATURE_ALGORITHM, "Transforms")
    if len(algorithms) == 1:
        return INCLUSIVE
    method = CanonicalizationMethod(algorithms[1])
    if method not in policy.canonicalizations:
        raise Refused(Refusal.SIGNATURE_ALGORITHM, "Transforms")
    listed = transforms[1].find(_INCLUSIVE_NAMESPACES)
    return Canonicalization(method, tuple((listed.get("PrefixList") or "").split()) if listed is not None else ())


class _Verifier(XMLVerifier):
    """signxml's verifier for one detached ds:Signature element and the canonical text that it must cover."""

    def __init__(self, signed_info: etree._Element, text: bytes) -> None:
        super().__init__()
        self._signed_info = signed_info
        self._text = text

    def _c14n(self, nodes: Any, algorithm: CanonicalizationMethod, inclusive_ns_prefixes: Any = None) -> bytes:
        return Canonicalization(algorithm, tuple(inclusive_ns_prefixes or ())).text(self._signed_info)

    def _tostring(self, xml_node: Any, **_: Any) -> Any:
        return xml_node  # with _fromstring, a copy: nothing here changes what it reads

    def _fromstring(self, xml_string: Any, **_: Any) -> etree._Element:
        # Our parser refuses all that signxml would look for in a second pass.
        return xml_string if isinstance(xml_string, etree._Element) else parse_untrusted(xml_string)

    def _get_cert_description(self, cert: x509.Certificate, cert_source: str) -> str:
        # For the text of an error that nobody sees; writing the subject out would cost as much as the RSA operation.
        return cert_source

    def _verify_reference(
        self,
        reference: Any,
        index: int,
        root: Any,
        uri_resolver: Any,
        c14n_algorithm: Any,
        signature: Any,
        signature_key_used: Any,
    ) -> VerifyResult:
        # The algorithm was checked with the structure, on the same element.
        algorithm = DigestAlgorithm(reference.find("ds:DigestMethod", _DS).get("Algorithm"))
        wanted = b64decode(reference.findtext("ds:DigestValue", namespaces=_DS))
        if wanted != self._get_digest(self._text, algorithm):
            raise SignXMLException("the digest differs")
        return VerifyResult(wanted, None, signature, b"")


def take_out(element: etree._Element) -> None:
    """Take ``element`` out of its tree and leave the text that follows it."""
    parent = element.getparent()
    assert parent is not None
    before = element.getprevious()
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def signed_info_of(signature: etree._Element) -> etree._Element:
    """Return SignedInfo as a document of its own, with the namespaces that are in scope where it stands.

    lxml writes a wrong ``xmlns=""`` into the inclusive canonical form of an element that is not the root of its tree.
    """
    found = signature.find("ds:SignedInfo", _DS)
    return parse_untrusted(etree.tostring(found, with_tail=False))  # type: ignore[arg-type]  # by check_structure


def signed_info_text(signed_info: etree._Element) -> bytes:
    """Return the canonical text of SignedInfo, a document of its own, by the method that it names itself."""
    method = signed_info.find("ds:CanonicalizationMethod", _DS)
    assert method is not None  # by check_structure
    listed = method.find(_INCLUSIVE_NAMESPACES)
    prefixes = (listed.get("PrefixList") or "").split() if listed is not None else ()
    return Canonicalization(CanonicalizationMethod(method.get("Algorithm")), tuple(prefixes)).text(signed_info)


def verified_digest(
    signature: etree._Element,
    signed_info: etree._Element,
    text: bytes,
    certificate: x509.Certificate,
    policy: SignaturePolicy,
    clock: Clock,
) -> str | None:
    """Verify ``signature`` over ``text`` with the key of ``certificate``.

    Args:
        signature: a ds:Signature without comments, its shape checked by :func:`check_structure`.
        signed_info: its SignedInfo, from :func:`signed_info_of` before the signature was taken out of its document.
        text: the canonical text of the signed document without this signature.
        certificate: the signer's, already found trustworthy.
        policy: whose algorithms are accepted.
        clock: the time at which the certificate must be valid.

    Returns:
        SHA-256, in hexadecimal, of the signed digest and the signature value, which names what was signed; None if the
        signature does not hold.
    """
    expected = SignatureConfiguration(
        require_x509=True,
        expect_references=1,
        signature_methods=policy.signature_methods,
        digest_algorithms=policy.digest_algorithms,
        verification_time=clock(),
    )
    try:
        result = _Verifier(signed_info, text).verify(
            signature,
            x509_cert=certificate,
            expect_config=expected,
            validate_schema=False,  # the element was validated with the request that carried it
        )
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError):
        return None
    assert isinstance(result, VerifyResult)
    value = b64decode(result.signature_xml.findtext("ds:SignatureValue", "", _DS))
    return sha256(result.signed_data + value).hexdigest()
