"""The meeting point with signxml: verifying one enveloped signature of the accepted structure.

signxml reads SignedInfo, checks the algorithms and the signature value, and compares the digest. Two of its steps are
replaced, since they copy the whole document several times: the canonical text of the document comes from here, and
SignedInfo is made a document of its own before it is canonicalised (lxml writes a wrong ``xmlns=""`` otherwise).
"""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from mm_soap.clock import Clock
from mm_soap.dsig.policy import SignaturePolicy
from mm_soap.dsig.structure import Canonicalization, prefixes_of
from mm_soap.xml import DSIG, parse_untrusted

_DS: Final = {"ds": DSIG}


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
    return Canonicalization(CanonicalizationMethod(method.get("Algorithm")), prefixes_of(method)).text(signed_info)


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
