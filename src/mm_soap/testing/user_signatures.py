"""Users' signatures, made byte by byte, so that each thing in them can be wrong; private to `mm_soap.testing`."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from asn1crypto import algos, cms, core  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from mm_soap.xml import parse_untrusted

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"

_HASHES: Final = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}
_DIGEST_URIS: Final = {
    "sha1": "http://www.w3.org/2000/09/xmldsig#sha1",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
}


@dataclass(frozen=True)
class XmlOptions:
    """Where an XML signature differs from the usual."""

    digest: str = "sha256"
    canonicalization: str = C14N
    purpose: str | None = "Signing"
    """clientInfo/funcId; None leaves clientInfo out."""

    visible: str = 'charset="UTF-8" visible="wysiwys"'
    """The attributes of usrVisibleData."""

    refer_to_key_info: bool = True
    transforms: bool = True
    edit: Callable[[str], str] = lambda document: document
    """Changes the document before anything is hashed."""


@dataclass(frozen=True)
class CmsOptions:
    """Where a CMS signature differs from the usual."""

    digest: str = "sha256"
    signed_attributes: bool = True
    certificates: bool = True
    key_identifier: bool = False
    """Name the signer by the key's identifier instead of issuer and serial number."""

    message_digest: bytes | None = None
    """What stands in the attribute messageDigest instead of the digest."""

    signers: int = 1
    content_type: str = "data"


def signed_xml(
    key: Key, chain: Sequence[x509.Certificate], content: bytes, nonce: str | None, options: XmlOptions | None = None
) -> bytes:
    """Return an enveloping ds:Signature over bankIdSignedData and KeyInfo."""
    chosen = options or XmlOptions()
    root = parse_untrusted(chosen.edit(_xml(key, chain, content, nonce, chosen)).encode())
    signature = "{http://www.w3.org/2000/09/xmldsig#}"
    for reference in root.iter(f"{signature}Reference"):
        found = [e for e in root.iter("*") if f"#{e.get('Id')}" == reference.get("URI")]
        value = reference.find(f"{signature}DigestValue")
        if found and value is not None:
            value.text = _base64(hashlib.new(chosen.digest, _canonical(found[0], chosen)).digest())
    info, value = root.find(f"{signature}SignedInfo"), root.find(f"{signature}SignatureValue")
    if info is not None and value is not None:
        made = _sign(key, _canonical(info, chosen), chosen.digest)
        value.text = _base64(_fixed_length(key, made))
    return etree.tostring(root)


def _canonical(element: etree._Element, options: XmlOptions) -> bytes:
    alone = parse_untrusted(etree.tostring(element, with_tail=False))
    exclusive = options.canonicalization == EXCLUSIVE_C14N
    return etree.tostring(alone, method="c14n", exclusive=exclusive, with_comments=False)


def _xml(key: Key, chain: Sequence[x509.Certificate], content: bytes, nonce: str | None, options: XmlOptions) -> str:
    kind = "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"
    transforms = f'<Transforms><Transform Algorithm="{options.canonicalization}"/></Transforms>'
    references = "".join(
        f'<Reference URI="#{name}">{transforms if options.transforms else ""}'
        f'<DigestMethod Algorithm="{_DIGEST_URIS[options.digest]}"/><DigestValue/></Reference>'
        for name in ("bidSignedData", *(["bidKeyInfo"] if options.refer_to_key_info else []))
    )
    certificates = "".join(f"<X509Certificate>{_base64(c.public_bytes(Encoding.DER))}</X509Certificate>" for c in chain)
    purpose = (
        f"<clientInfo><funcId>{options.purpose}</funcId><version>{_base64(b'mm-soap')}</version></clientInfo>"
        if options.purpose is not None
        else ""
    )
    return (
        '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>'
        f'<CanonicalizationMethod Algorithm="{options.canonicalization}"/>'
        f'<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#{kind}-{options.digest}"/>'
        f"{references}</SignedInfo><SignatureValue/>"
        f'<KeyInfo Id="bidKeyInfo"><X509Data>{certificates}</X509Data></KeyInfo><Object>'
        '<bankIdSignedData xmlns="http://www.bankid.com/signature/v1.0.0/types" Id="bidSignedData">'
        f"<usrVisibleData {options.visible}>{_base64(content)}</usrVisibleData>"
        f"<srvInfo><name>{_base64(b'cn=mm-soap')}</name><nonce>{nonce or ''}</nonce>"
        f"<displayName>{_base64(b'mm-soap')}</displayName></srvInfo>{purpose}</bankIdSignedData></Object></Signature>"
    )


def signed_cms(
    key: Key,
    chain: Sequence[x509.Certificate],
    content: bytes,
    nonce: str | None,
    *,
    detached: bool,
    options: CmsOptions | None = None,
) -> bytes:
    """Return CMS signed data in DER, with the attributes contentType, messageDigest and signingTime."""
    chosen = options or CmsOptions()
    certificates = [asn1.Certificate.load(c.public_bytes(Encoding.DER)) for c in chain]
    digest_algorithm = algos.DigestAlgorithm({"algorithm": chosen.digest})
    encapsulated: dict[str, Any] = {"content_type": chosen.content_type}
    if not detached:
        encapsulated["content"] = content
    signer = _signer(key, certificates[0], content, nonce, chosen)
    return bytes(
        cms.ContentInfo(
            {
                "content_type": "signed_data",
                "content": cms.SignedData(
                    {
                        "version": "v1" if chosen.content_type == "data" and not chosen.key_identifier else "v3",
                        "digest_algorithms": [digest_algorithm],
                        "encap_content_info": encapsulated,
                        "certificates": certificates if chosen.certificates else None,
                        "signer_infos": [signer] * chosen.signers,
                    }
                ),
            }
        ).dump()
    )


def _signer(key: Key, certificate: Any, content: bytes, nonce: str | None, options: CmsOptions) -> Any:
    kind = "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"
    digest = hashlib.new(options.digest, content).digest()
    attributes: list[dict[str, Any]] = [
        {"type": "content_type", "values": [options.content_type]},
        {"type": "signing_time", "values": [cms.Time({"utc_time": datetime(2026, 5, 4, 12, tzinfo=UTC)})]},
        {"type": "message_digest", "values": [options.message_digest or digest]},
    ]
    if nonce is not None:
        attributes.append({"type": "2.16.840.1.113733.1.9.5", "values": [core.OctetString(nonce.encode())]})
    signed = cms.CMSAttributes(attributes)
    made = _sign(key, signed.dump() if options.signed_attributes else content, options.digest)
    number = cms.IssuerAndSerialNumber({"issuer": certificate.issuer, "serial_number": certificate.serial_number})
    sid = {"subject_key_identifier": certificate.key_identifier}
    return cms.SignerInfo(
        {
            "version": "v3" if options.key_identifier else "v1",
            "sid": cms.SignerIdentifier(sid if options.key_identifier else {"issuer_and_serial_number": number}),
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": options.digest}),
            "signed_attrs": signed if options.signed_attributes else None,
            "signature_algorithm": {"algorithm": f"{options.digest}_{kind}"},
            "signature": made,
        }
    )


def _sign(key: Key, content: bytes, digest: str) -> bytes:
    # An algorithm without a hash here is one that is to be refused before the value is looked at.
    algorithm = _HASHES.get(digest, SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), algorithm)
    return key.sign(content, ec.ECDSA(algorithm))


def _fixed_length(key: Key, signature: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return signature
    length = (key.curve.key_size + 7) // 8
    return b"".join(number.to_bytes(length, "big") for number in decode_dss_signature(signature))


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
