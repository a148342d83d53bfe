"""Verification of a sealed delivery as it came: the dispatcher's seal and the sender's signature. To be copied.

It needs lxml, signxml and cryptography, and none of the other modules here.
"""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SERVICE_V3 = "http://minameddelanden.gov.se/schema/Service/v3"
MESSAGE_V3 = "http://minameddelanden.gov.se/schema/Message/v3"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
SEALED = f"{{{MESSAGE_V3}}}SealedDelivery"
SIGNED = f"{{{MESSAGE_V3}}}SignedDelivery"
SIGNATURE = f"{{{DSIG}}}Signature"

ACCEPTED = SignatureConfiguration(
    location="./",
    expect_references=1,
    signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
)
TRANSFORMS = (
    [f"{DSIG}enveloped-signature"],
    [f"{DSIG}enveloped-signature", "http://www.w3.org/2001/10/xml-exc-c14n#"],
    [f"{DSIG}enveloped-signature", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"],
)


class InvalidSignature(Exception):
    """A signature is missing, does not verify, or was made by somebody who is not trusted."""


@dataclass(frozen=True)
class Sealed:
    """A sealed delivery of which both signatures hold."""

    root: etree._Element
    """SealedDelivery as it was signed. Read this, and nothing of what came around it."""
    sealer: str
    """The organisation number of the dispatcher. That it may dispatch for the sender, the register knows."""
    signer: str
    """The organisation number of who signed the delivery: the sender, or a dispatcher listed for it."""


def read_authorities(files: Sequence[str]) -> list[x509.Certificate]:
    """Read the certificates of the authorities that are trusted; a PEM file may hold several."""
    return [each for file in files for each in x509.load_pem_x509_certificates(Path(file).read_bytes())]


def verify_sealed(content: bytes, authorities: Sequence[x509.Certificate]) -> Sealed:
    """Verify the seal, and then the sender's signature in what the seal covers.

    Args:
        content: a request of deliverSecure as it came, or a SealedDelivery alone.
        authorities: whose certificates count.

    Raises:
        InvalidSignature: says which of the two signatures, and why.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    element = etree.fromstring(content, parser)
    if element.tag != SEALED:
        for name in (f"{{{SOAP}}}Body", f"{{{SERVICE_V3}}}deliverSecure", f"{{{SERVICE_V3}}}deliverSecure"):
            # More than one would be a wrapped copy.
            element = _only(element, name)
    sealed, sealer = _verify(element, SEALED, authorities)
    _, signer = _verify(_only(sealed, SIGNED), SIGNED, authorities)
    return Sealed(sealed, sealer, signer)


def _verify(
    element: etree._Element, signed_as: str, authorities: Sequence[x509.Certificate]
) -> tuple[etree._Element, str]:
    name = etree.QName(signed_as).localname
    if element[-1:] == [] or element[-1].tag != SIGNATURE or len(element.findall(SIGNATURE)) != 1:
        raise InvalidSignature(f"{name}: there must be one signature, as the last child")
    certificate = _trusted_certificate(element[-1], name, authorities)
    for document in _forms(element, signed_as):
        root = etree.fromstring(document, etree.XMLParser(huge_tree=True))
        _check_form(root, name)
        try:
            XMLVerifier().verify(root, x509_cert=certificate, expect_config=ACCEPTED)
        except SignXMLException:
            continue
        return root, _subject(certificate)
    raise InvalidSignature(f"{name}: the signature does not verify, its content was changed")


def _forms(element: etree._Element, signed_as: str) -> Iterator[bytes]:
    """Yield the documents that may have been signed.

    A signer signs a document of its own, and its root has another name on the wire. Most write no prefixes, and then
    both documents here are the same; software in between may have added some that the signer did not write.
    """
    # Of the namespaces around it, those that it uses. The name on the wire may have had a prefix of its own.
    used = {each.prefix for each in element.iterdescendants("*")}
    namespaces = {prefix: uri for prefix, uri in {**element.nsmap, **element[0].nsmap}.items() if prefix in used}
    kept = etree.Element(signed_as, nsmap=namespaces, attrib=dict(element.attrib))
    # What is moved would be given prefixes of its new parent: write the parts as text, and parse the whole anew.
    inside = b"".join(etree.tostring(child) for child in element)
    shell = etree.tostring(kept).removesuffix(b"/>")
    end = shell.split()[0].replace(b"<", b"</", 1)
    yield shell + b">" + inside + end + b">"
    yield etree.tostring(_prefix_free(element, signed_as))


def _prefix_free(element: etree._Element, name: str) -> etree._Element:
    made = etree.Element(name, nsmap={None: etree.QName(name).namespace}, attrib=dict(element.attrib))
    made.text = element.text
    for child in element.iterchildren("*"):
        new = _prefix_free(child, child.tag)
        new.tail = child.tail
        made.append(new)
    return made


def _check_form(root: etree._Element, name: str) -> None:
    """Make sure that the signature is over the whole root: "valid" says only that something was signed."""
    references = root[-1].findall(f".//{{{DSIG}}}Reference")
    whole = ["", f"#{root.get('Id')}"]
    transforms = [each.get("Algorithm") for each in root[-1].iter(f"{{{DSIG}}}Transform")]
    if len(references) != 1 or references[0].get("URI") not in whole or transforms not in TRANSFORMS:
        raise InvalidSignature(f"{name}: the signature must have one reference, to the whole element")


def _trusted_certificate(
    signature: etree._Element, name: str, authorities: Sequence[x509.Certificate]
) -> x509.Certificate:
    try:
        leaf, *others = (
            x509.load_der_x509_certificate(b64decode(each.text or ""))
            for each in signature.iter(f"{{{DSIG}}}X509Certificate")
        )
        # Certificates of organisations have no name of a server, which the rules for the web ask for.
        rules = (
            PolicyBuilder()
            .store(Store(authorities))
            .extension_policies(
                ee_policy=ExtensionPolicy.permit_all().require_present(
                    x509.KeyUsage, Criticality.AGNOSTIC, _check_usage
                ),
                ca_policy=ExtensionPolicy.webpki_defaults_ca(),
            )
        )
        rules.build_client_verifier().verify(leaf, others)
    except ValueError:
        raise InvalidSignature(f"{name}: the signature carries no certificate that can be read") from None
    except VerificationError:
        raise InvalidSignature(f"{name}: the certificate is not valid now, or from no trusted authority") from None
    return leaf


def _check_usage(_policy: object, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not (usage.digital_signature or usage.content_commitment):
        raise ValueError("the certificate's key may not be used for signatures")


def _subject(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value)


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(name)
    if len(found) != 1:
        raise InvalidSignature(f"there must be one {etree.QName(name).localname} in {etree.QName(parent).localname}")
    return found[0]
