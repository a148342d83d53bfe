"""A signature of any other shape than the accepted one is refused, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from mm_soap.dsig import sign_delivery
from mm_soap.errors import Refusal, Refused
from mm_soap.pki import Identity
from mm_soap.xml import DSIG, parse_untrusted
from tests.unit.dsig import samples

DS = f"{{{DSIG}}}"


def refusal_of(document: bytes, **rules: object) -> Refusal:
    with pytest.raises(Refused) as caught:
        samples.verify(samples.distribute(document), samples.trust(**rules))  # type: ignore[arg-type]
    return caught.value.refusal


def changed(change: Callable[[etree._Element], object]) -> bytes:
    root = parse_untrusted(sign_delivery(samples.delivery(), samples.KOMMUN_A))
    change(root)
    return etree.tostring(root)


class _AnyAlgorithm(XMLSigner):
    def check_deprecated_methods(self) -> None:
        pass


def signed_with(
    method: SignatureMethod = SignatureMethod.RSA_SHA256,
    digest: DigestAlgorithm = DigestAlgorithm.SHA256,
    c14n: CanonicalizationMethod = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    identity: Identity = samples.KOMMUN_A,
) -> bytes:
    signer = _AnyAlgorithm(signature_algorithm=method, digest_algorithm=digest, c14n_algorithm=c14n)
    return etree.tostring(signer.sign(samples.delivery(), key=identity.key, cert=[identity.certificate]))


def find(root: etree._Element, name: str) -> etree._Element:
    found = root.find(f".//{DS}{name}")
    assert found is not None
    return found


def transform(root: etree._Element, algorithm: str) -> None:
    etree.SubElement(find(root, "Transforms"), f"{DS}Transform", Algorithm=algorithm)


def second_reference(root: etree._Element) -> None:
    reference = find(root, "Reference")
    reference.addnext(parse_untrusted(etree.tostring(reference)))


def second_signature(root: etree._Element) -> None:
    root.append(parse_untrusted(etree.tostring(root[-1])))


def wrapped(root: etree._Element) -> None:
    """Hide the signed delivery in ds:Object and put another in its place: the classic wrapping."""
    original = parse_untrusted(etree.tostring(root))
    original.set("Id", "x")
    etree.SubElement(root[-1], f"{DS}Object").append(original)
    find(root, "Reference").set("URI", "#x")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda root: root.remove(root[-1]), Refusal.SIGNATURE_MISSING),
        (second_signature, Refusal.SIGNATURE_AMBIGUOUS),
        (lambda root: root.insert(0, root[-1]), Refusal.SIGNATURE_AMBIGUOUS),
        (second_reference, Refusal.SIGNATURE_REFERENCE),
        (wrapped, Refusal.SIGNATURE_REFERENCE),
        (lambda root: find(root, "Reference").set("URI", "#other"), Refusal.SIGNATURE_REFERENCE),
        (lambda root: find(root, "Reference").set("URI", "http://127.0.0.1:9/x"), Refusal.SIGNATURE_REFERENCE),
        (lambda root: find(root, "Reference").attrib.pop("URI"), Refusal.SIGNATURE_REFERENCE),
        (lambda root: root[-1].remove(find(root, "KeyInfo")), Refusal.SIGNATURE_NO_CERTIFICATE),
        (lambda root: transform(root, "http://www.w3.org/TR/1999/REC-xslt-19991116"), Refusal.SIGNATURE_ALGORITHM),
        (lambda root: transform(root, "http://www.w3.org/TR/1999/REC-xpath-19991116"), Refusal.SIGNATURE_ALGORITHM),
        (lambda root: transform(root, f"{DSIG}base64"), Refusal.SIGNATURE_ALGORITHM),
        (
            lambda root: transform(root, "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"),
            Refusal.SIGNATURE_ALGORITHM,
        ),
        (lambda root: find(root, "SignatureMethod").set("Algorithm", f"{DSIG}hmac-sha1"), Refusal.SIGNATURE_ALGORITHM),
        (lambda root: find(root, "SignatureMethod").set("Algorithm", f"{DSIG}dsa-sha1"), Refusal.SIGNATURE_ALGORITHM),
        (lambda root: find(root, "SignatureMethod").set("Algorithm", "urn:unknown"), Refusal.SIGNATURE_ALGORITHM),
        (lambda root: find(root, "DigestMethod").set("Algorithm", f"{DSIG}sha1"), Refusal.SIGNATURE_ALGORITHM),
        (lambda root: setattr(find(root, "X509Certificate"), "text", "%%%"), Refusal.CERTIFICATE_UNREADABLE),
        (lambda root: setattr(find(root, "X509Certificate"), "text", "AAAA"), Refusal.CERTIFICATE_UNREADABLE),
    ],
)
def test_other_shapes_are_refused(change: Callable[[etree._Element], object], expected: Refusal) -> None:
    assert refusal_of(changed(change)) is expected


def test_an_id_that_stands_twice_is_refused() -> None:
    root = samples.delivery()
    root.set("Id", "x")
    signed = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0).sign(
        root, key=samples.KOMMUN_A.key, cert=[samples.KOMMUN_A.certificate]
    )
    document = etree.tostring(signed)
    assert samples.verify(samples.distribute(document)).root.get("Id") == "x"
    twice = document.replace(b"<Delivery>", b'<Delivery Id="x">')
    assert refusal_of(twice) is Refusal.SIGNATURE_REFERENCE


@pytest.mark.parametrize("method", [SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512])
@pytest.mark.parametrize("digest", [DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512])
def test_accepted_algorithms(method: SignatureMethod, digest: DigestAlgorithm) -> None:
    assert samples.verify(samples.distribute(signed_with(method, digest)))


@pytest.mark.parametrize("c14n", [c for c in CanonicalizationMethod if "2" not in c.name and "WITH" not in c.name])
def test_accepted_canonicalizations(c14n: CanonicalizationMethod) -> None:
    assert samples.verify(samples.distribute(signed_with(c14n=c14n)))


def test_sha1_is_refused_unless_the_sender_is_named() -> None:
    document = signed_with(SignatureMethod.RSA_SHA1, DigestAlgorithm.SHA1)
    assert refusal_of(document) is Refusal.SIGNATURE_ALGORITHM
    assert refusal_of(document, sha1_from=frozenset({"162021003898"})) is Refusal.SIGNATURE_ALGORITHM
    rules = samples.trust(sha1_from=frozenset({"162021004748"}))
    assert samples.verify(samples.distribute(document), rules).signer.organisation == "162021004748"


def test_a_key_value_that_is_not_the_certificates_is_refused() -> None:
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    identity = samples.KOMMUN_A
    root = signer.sign(samples.delivery(), key=identity.key, cert=[identity.certificate], always_add_key_value=True)
    assert samples.verify(samples.distribute(etree.tostring(root)))
    find(root, "Modulus").text = "AQAB" * 64
    assert refusal_of(etree.tostring(root)) is Refusal.SIGNATURE_INVALID


def test_another_organisations_certificate_does_not_help() -> None:
    root = parse_untrusted(sign_delivery(samples.delivery(), samples.KOMMUN_A))
    other = parse_untrusted(sign_delivery(samples.delivery(), samples.DISPATCHER))
    find(root, "X509Certificate").text = find(other, "X509Certificate").text
    assert refusal_of(etree.tostring(root)) is Refusal.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (samples.PKI.organisation("162021004748", "Kommun A", expired=True), Refusal.CERTIFICATE_EXPIRED),
        (
            samples.PKI.organisation("162021004748", "Kommun A", other_issuer=True),
            Refusal.CERTIFICATE_UNKNOWN_ISSUER,
        ),
    ],
)
def test_certificates_that_are_not_trusted(identity: Identity, expected: Refusal) -> None:
    assert refusal_of(signed_with(identity=identity)) is expected


def test_a_certificate_that_expires_at_midnight() -> None:
    document = sign_delivery(samples.delivery(), samples.KOMMUN_A)
    certificate: x509.Certificate = samples.KOMMUN_A.certificate
    before = samples.CLOCK()
    try:
        samples.CLOCK.set(certificate.not_valid_after_utc - timedelta(seconds=1))
        assert samples.verify(samples.distribute(document))
        samples.CLOCK.set(certificate.not_valid_after_utc + timedelta(seconds=1))
        assert refusal_of(document) is Refusal.CERTIFICATE_EXPIRED
    finally:
        samples.CLOCK.set(before)
