"""XML signatures as BankID-like clients make them: enveloping, over bankIdSignedData and KeyInfo.

::

    ds:Signature
      ds:SignedInfo       a Reference to the signed data, and at most one more, to KeyInfo
      ds:SignatureValue
      ds:KeyInfo          X509Data with the chain, the signer's certificate first
      ds:Object
        bankIdSignedData  usrVisibleData: the text; srvInfo: the nonce; clientInfo: the purpose

Nothing else is accepted. The shape is checked before anything is computed; signxml does the rest. What is read is what
signxml canonicalised and hashed, never the document that came.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from mm_soap.dsig.structure import Canonicalization
from mm_soap.errors import Refused
from mm_soap.user_signatures.certificate import read_base64
from mm_soap.user_signatures.mark import mark_of
from mm_soap.user_signatures.model import UserSignatureError, UserSignatureProblem
from mm_soap.user_signatures.text import codec_of, is_text
from mm_soap.xml import DSIG, hardened_parser, parse_untrusted, qname, text_of

BANKID: Final = "http://www.bankid.com/signature/v1.0.0/types"
"""The namespace of bankIdSignedData."""

SIGNED_DATA: Final = qname(BANKID, "bankIdSignedData")

MAX_CERTIFICATES: Final = 8
"""How many certificates KeyInfo may hold."""

_TEXTS: Final = ("usrVisibleData", "nonce", "funcId")
_DS: Final = {"ds": DSIG}
_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_CANONICALIZATIONS: Final = frozenset(
    {
        CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        CanonicalizationMethod.CANONICAL_XML_1_0,
        CanonicalizationMethod.CANONICAL_XML_1_1,
    }
)
_SIGNATURE_METHODS: Final = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


class _Verifier(XMLVerifier):
    """signxml's verifier, but for how an element is canonicalised and what is said of a certificate."""

    def _c14n(self, nodes: Any, algorithm: CanonicalizationMethod, inclusive_ns_prefixes: Any = None) -> bytes:
        # The library's own writes the text to a log, and lxml writes a wrong xmlns="" for an element inside another.
        alone = parse_untrusted(etree.tostring(nodes, with_tail=False))
        return Canonicalization(algorithm, tuple(inclusive_ns_prefixes or ())).text(alone)

    def _get_cert_description(self, cert: x509.Certificate, cert_source: str) -> str:
        return cert_source


@dataclass(frozen=True)
class XmlSignature:
    """An XML signature of the accepted shape; nothing of it is verified yet."""

    root: etree._Element = field(repr=False)
    roles: tuple[str, ...]
    """What each Reference is to, in their order: ``data`` or ``key``."""

    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    """KeyInfo's certificates, the signer's first."""

    value: str = field(repr=False)
    """SignatureValue, in base64."""

    def names(self, certificate: x509.Certificate) -> bool:
        """Whether KeyInfo says that this certificate signed."""
        return self.certificates[0] == certificate

    def check(self, signer: x509.Certificate, text: str, codec: str, nonce: str | None, moment: datetime) -> None:
        """Check the signature, and that its user signed this text.

        Args:
            signer: whose key it must be; found trustworthy already.
            text: the agreement text.
            codec: Python's name of EncodingOfSignedText.
            nonce: what srvInfo/nonce must be, as it is or in base64; None for anything.
            moment: when the certificate must be valid.

        Raises:
            UserSignatureError: with the reason.
        """
        data = self._verified_data(signer, moment)
        purpose = _only(_only(data, "clientInfo"), "funcId")
        found = _only(_only(data, "srvInfo"), "nonce")
        if purpose is not None and text_of(purpose).strip() != "Signing":
            raise UserSignatureError(UserSignatureProblem.PURPOSE)
        if not is_text(_visible(data, codec), codec, text):
            raise UserSignatureError(UserSignatureProblem.WRONG_TEXT)
        if nonce is not None:
            signed = text_of(found).strip()
            if not signed or signed not in (nonce.strip(), b64encode(nonce.encode("utf-8", "replace")).decode()):
                raise UserSignatureError(UserSignatureProblem.NONCE)

    def mark(self, signer: x509.Certificate) -> str:
        """Return the mark of the signature, once it was checked."""
        return mark_of(signer, b64decode(self.value), der=False)

    def _verified_data(self, signer: x509.Certificate, moment: datetime) -> etree._Element:
        expected = SignatureConfiguration(
            require_x509=True,
            location="./",
            expect_references=len(self.roles),
            signature_methods=_SIGNATURE_METHODS,
            digest_algorithms=_DIGESTS,
            verification_time=moment,
            default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,  # as XML-DSig says, 4.4.3.2
        )
        try:
            found = _Verifier().verify(
                etree.tostring(self.root),
                x509_cert=signer,
                expect_config=expected,
                validate_schema=False,  # the shape was checked
                parser=hardened_parser(),
            )
            results = [found] if isinstance(found, VerifyResult) else found
            data = parse_untrusted(results[self.roles.index("data")].signed_data)
        except (SignXMLException, etree.LxmlError, Refused, ValueError, TypeError, AttributeError, AssertionError):
            raise UserSignatureError(UserSignatureProblem.DOES_NOT_VERIFY) from None
        children = [data] if data.tag == SIGNED_DATA else data.findall(SIGNED_DATA)
        if len(children) != 1:
            raise UserSignatureError(UserSignatureProblem.SHAPE)
        return children[0]


def read_xml(raw: bytes) -> XmlSignature:
    """Return the XML signature of a document, its shape checked.

    Raises:
        UserSignatureError: ``UNKNOWN_FORM``, ``SHAPE``, ``ALGORITHM`` or ``CERTIFICATE_UNREADABLE``.
    """
    try:
        root = parse_untrusted(raw)
    except Refused:
        raise UserSignatureError(UserSignatureProblem.UNKNOWN_FORM) from None
    if root.tag != qname(DSIG, "Signature"):
        raise UserSignatureError(UserSignatureProblem.UNKNOWN_FORM)
    info, value, key_info, signed = _children(root, "SignedInfo", "SignatureValue", "KeyInfo", "Object")
    for element in (root, info, key_info, signed):
        # Inclusive canonicalisation carries xml:lang and its like into what is inside.
        if not set(element.keys()) <= {"Id", "MimeType", "Encoding"}:
            raise UserSignatureError(UserSignatureProblem.SHAPE)
    data = list(signed.iterchildren("*"))
    if [each.tag for each in data] != [SIGNED_DATA]:
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    if len(value) or not _is_base64(value.text or ""):
        # signxml reads it up to the first comment, and skips what is no base64.
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    _check_ids(root)
    targets = {signed.get("Id"): "data", data[0].get("Id"): "data", key_info.get("Id"): "key"}
    return XmlSignature(root, _references(info, targets), _certificates(key_info), value.text or "")


def _is_base64(text: str) -> bool:
    try:
        b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return True


def _children(parent: etree._Element, *names: str) -> list[etree._Element]:
    found = list(parent.iterchildren("*"))
    if [each.tag for each in found] != [qname(DSIG, name) for name in names]:
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    return found


def _check_ids(root: etree._Element) -> None:
    # Whatever reads as an identifier counts: libraries differ in what they take for one.
    ids = [v for each in root.iter("*") for k, v in each.items() if etree.QName(k).localname.lower() == "id"]
    if len(set(ids)) < len(ids):
        raise UserSignatureError(UserSignatureProblem.SHAPE)


def _references(info: etree._Element, targets: dict[str | None, str]) -> tuple[str, ...]:
    several = ["Reference"] * len(info.findall("ds:Reference", _DS))
    canonicalization, method, *references = _children(info, "CanonicalizationMethod", "SignatureMethod", *several)
    try:
        _check_canonicalization(canonicalization)
        if SignatureMethod(method.get("Algorithm")) not in _SIGNATURE_METHODS or _has_elements(method):
            raise UserSignatureError(UserSignatureProblem.ALGORITHM)
        roles = [_role(reference, targets) for reference in references]
    except SignXMLException:
        # signxml's enums refuse a URI that they do not know, while it is read.
        raise UserSignatureError(UserSignatureProblem.ALGORITHM) from None
    if sorted(roles) not in (["data"], ["data", "key"]):
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    return tuple(roles)


def _role(reference: etree._Element, targets: dict[str | None, str]) -> str:
    uri = reference.get("URI") or ""
    if not uri.startswith("#") or not _ID.fullmatch(uri[1:]) or uri[1:] not in targets:
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    transforms = reference.find("ds:Transforms", _DS)
    *_, digest, _ = _children(
        reference, *(["Transforms"] if transforms is not None else []), "DigestMethod", "DigestValue"
    )
    if transforms is not None:
        _check_canonicalization(*_children(transforms, "Transform"))
    if DigestAlgorithm(digest.get("Algorithm")) not in _DIGESTS:
        raise UserSignatureError(UserSignatureProblem.ALGORITHM)
    return targets[uri[1:]]


def _check_canonicalization(method: etree._Element) -> None:
    inclusive = qname("http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces")
    accepted = CanonicalizationMethod(method.get("Algorithm")) in _CANONICALIZATIONS
    if not accepted or [each.tag for each in method.iterchildren("*")] not in ([], [inclusive]):
        raise UserSignatureError(UserSignatureProblem.ALGORITHM)


def _certificates(key_info: etree._Element) -> tuple[x509.Certificate, ...]:
    (x509_data,) = _children(key_info, "X509Data")
    found = x509_data.findall("ds:X509Certificate", _DS)
    if not 1 <= len(found) <= MAX_CERTIFICATES:
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    return tuple(read_base64(text_of(each)) for each in found)


def _only(parent: etree._Element | None, name: str) -> etree._Element | None:
    found = parent.findall(qname(BANKID, name)) if parent is not None else []
    if len(found) > 1 or any(_has_elements(each) and name in _TEXTS for each in found):
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    return found[0] if found else None


def _has_elements(element: etree._Element) -> bool:
    return next(element.iterchildren("*"), None) is not None


def _visible(data: etree._Element, codec: str) -> bytes:
    visible = _only(data, "usrVisibleData")
    if visible is None:
        raise UserSignatureError(UserSignatureProblem.SHAPE)
    # What you see is what you sign: the client showed the text as it is.
    if visible.get("visible", "wysiwys") != "wysiwys":
        raise UserSignatureError(UserSignatureProblem.PURPOSE)
    charset = visible.get("charset")
    if charset is not None and codec_of(charset) != codec:
        raise UserSignatureError(UserSignatureProblem.ENCODING)
    try:
        return b64decode("".join(text_of(visible).split()), validate=True)
    except ValueError:
        raise UserSignatureError(UserSignatureProblem.SHAPE) from None
