"""Deliveries whose signature does not hold, each broken in one known way from a valid one."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from lxml import etree

from mm_soap.conformance.xmlsig import ENVELOPED, EXCLUSIVE, INCLUSIVE, Manner, signature, signed, with_last_child
from mm_soap.dsig import seal_for, sealed_document, sign_delivery
from mm_soap.dsig.diagnosis import Cause
from mm_soap.xml import DSIG, MESSAGE_V2, MESSAGE_V3, SOAP_ENVELOPE, XSI, parse_untrusted
from tests.unit.dsig import samples
from tests.unit.dsig.test_forms import reprefixed

WSSE = b"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
TEXT = b64encode(("Hej! Ditt beslut finns hos oss. " * 8).encode()).decode()
DOCUMENT = etree.tostring(samples.delivery(text=TEXT), encoding="UTF-8", xml_declaration=False)
VALID = sign_delivery(parse_untrusted(DOCUMENT), samples.KOMMUN_A)
INDENTED = DOCUMENT.replace(b"><", b">\n  <")
BY_INCLUSIVE = Manner(transforms=(ENVELOPED, INCLUSIVE))


def with_signature_of(signed_document: bytes, sent: bytes, manner: Manner | None = None) -> bytes:
    """Sign one document and send another with that signature."""
    return with_last_child(sent, signature(signed_document, samples.KOMMUN_A, manner or Manner()))


def with_digest_of(hashed: bytes, algorithm: str = "sha256", written: Callable[[bytes], bytes] = b64encode) -> bytes:
    """Send the valid document with a digest over other bytes, and sign SignedInfo as usual."""
    value = written(hashlib.new(algorithm, hashed).digest())
    return resigned(re.sub(rb"(?<=<DigestValue>)[^<]*", value, VALID))


def resigned(document: bytes, sign: Callable[[bytes], bytes] | None = None) -> bytes:
    """Make SignatureValue anew over the SignedInfo that is there."""
    found = re.search(rb"<SignedInfo>.*</SignedInfo>", document)
    assert found is not None
    info = parse_untrusted(found[0].replace(b"<SignedInfo>", f'<SignedInfo xmlns="{DSIG}">'.encode()))
    text = etree.tostring(info, method="c14n", exclusive=True)
    value = (sign or pkcs1)(text)
    return re.sub(rb"(?<=<SignatureValue>)[^<]*", b64encode(value), document)


def pkcs1(text: bytes) -> bytes:
    return samples.KOMMUN_A.key.sign(text, PKCS1v15(), SHA256())


def in_envelope(payload: bytes, declarations: str = "") -> bytes:
    return samples.distribute(payload, declarations)


def signed_in_envelope() -> bytes:
    """Sign as software does that signs in the request: inclusive, with what the envelope declares."""
    wire = DOCUMENT.replace(b"SignedDelivery", b"signedDelivery")
    declared = wire.replace(b"<signedDelivery", f'<signedDelivery xmlns:s="{SOAP_ENVELOPE}" {samples.BUSY}'.encode(), 1)
    return in_envelope(with_signature_of(declared, wire, BY_INCLUSIVE), samples.BUSY)


def whole_envelope_signed() -> bytes:
    envelope = in_envelope(DOCUMENT)
    return in_envelope(with_signature_of(envelope, DOCUMENT))


def another_certificate(first: bool) -> bytes:
    other = re.search(rb"<X509Certificate>.*</X509Certificate>", sign_delivery(samples.delivery(), samples.DISPATCHER))
    own = re.search(rb"<X509Certificate>.*</X509Certificate>", VALID)
    assert other is not None
    assert own is not None
    return VALID.replace(own[0], other[0] + own[0] if first else other[0])


def value_of(change: Callable[[bytes], bytes]) -> bytes:
    found = re.search(rb"(?<=<SignatureValue>)[^<]*", VALID)
    assert found is not None
    return VALID.replace(found[0], b64encode(change(b64decode(found[0]))))


def bare_hash(text: bytes) -> bytes:
    key, digest = samples.KOMMUN_A.key, hashlib.sha256(text).digest()
    size = key.key_size // 8
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(digest)) + b"\x00" + digest
    numbers = key.private_numbers()
    return pow(int.from_bytes(padded), numbers.d, numbers.public_numbers.n).to_bytes(size)


def replaced(before: bytes, after: bytes) -> bytes:
    assert before in VALID
    return VALID.replace(before, after, 1)


def algorithm(name: str, uri: str) -> bytes:
    return resigned(re.sub(rb'(<%s Algorithm=")[^"]*' % name.encode(), rb"\g<1>" + uri.encode(), VALID))


def with_digest_of_and_send(document: bytes) -> bytes:
    """Sign over the bytes as they are, comments too."""
    value = b64encode(hashlib.sha256(document).digest())
    return resigned(re.sub(rb"(?<=<DigestValue>)[^<]*", value, with_last_child(document, _signature())))


def with_signature_of_inclusive() -> bytes:
    """Name exclusive canonicalisation and hash by inclusive, with a declaration that nothing uses."""
    declared = DOCUMENT.replace(b"<Delivery>", b'<Delivery xmlns:x="urn:x">')
    value = b64encode(hashlib.sha256(declared).digest())
    made = signature(declared, samples.KOMMUN_A, Manner(transforms=(ENVELOPED, EXCLUSIVE)))
    return resigned(re.sub(rb"(?<=<DigestValue>)[^<]*", value, with_last_child(declared, made)))


def signed_info_in_envelope() -> bytes:
    """Hash SignedInfo by inclusive C14N with what the envelope declares, and name that method."""
    made = signature(DOCUMENT, samples.KOMMUN_A, Manner(signed_info=INCLUSIVE))
    info = re.search(rb"<SignedInfo>.*</SignedInfo>", made)
    assert info is not None
    scope = f'<SignedInfo xmlns="{DSIG}" xmlns:s="{SOAP_ENVELOPE}" {samples.BUSY}>'.encode()
    text = etree.tostring(parse_untrusted(info[0].replace(b"<SignedInfo>", scope)), method="c14n")
    made = re.sub(rb"(?<=<SignatureValue>)[^<]*", b64encode(pkcs1(text)), made)
    return in_envelope(with_last_child(DOCUMENT, made), samples.BUSY)


def key_value() -> bytes:
    modulus = b64encode(samples.DISPATCHER.key.public_key().public_numbers().n.to_bytes(256))
    return replaced(
        b"<KeyInfo>",
        b"<KeyInfo><KeyValue><RSAKeyValue><Modulus>%s</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue>"
        % modulus,
    )


CASES: dict[str, tuple[Callable[[], bytes], set[Cause]]] = {
    "formatted": (lambda: VALID.replace(b"><", b">\n  <"), {Cause.WHITE_SPACE_ADDED, Cause.SIGNED_INFO_WHITE_SPACE}),
    "formatted before the signature came": (
        lambda: with_signature_of(DOCUMENT, INDENTED),
        {Cause.WHITE_SPACE_ADDED},
    ),
    "signature formatted": (lambda: replaced(b"<SignedInfo><", b"<SignedInfo>\n<"), {Cause.SIGNED_INFO_WHITE_SPACE}),
    "white space lost": (
        lambda: with_signature_of(_indented("  "), DOCUMENT),
        {Cause.WHITE_SPACE_REMOVED},
    ),
    "other indentation": (lambda: with_signature_of(_indented("\t"), _indented("    ")), {Cause.WHITE_SPACE_REMOVED}),
    "texts padded": (lambda: replaced(b">m-1<", b">\n m-1\n <"), {Cause.WHITE_SPACE_ADDED}),
    "base64 broken": (lambda: VALID.replace(TEXT.encode(), _lines(TEXT, "\n")), {Cause.BASE64_LINES}),
    "base64 joined": (
        lambda: with_signature_of(DOCUMENT.replace(TEXT.encode(), _lines(TEXT, "&#13;\n")), DOCUMENT),
        {Cause.BASE64_LINES},
    ),
    "line ends": (
        lambda: with_signature_of(_named("a&#13;\nb"), _named("a\nb")),
        {Cause.LINE_ENDS},
    ),
    "carriage returns added": (lambda: with_signature_of(_named("a\nb"), _named("a&#13;\nb")), {Cause.LINE_ENDS}),
    "UTF-8 twice": (lambda: VALID.replace("å".encode(), "Ã¥".encode()), {Cause.ENCODED_TWICE}),
    "UTF-8 twice before": (
        lambda: with_signature_of(DOCUMENT.replace("å".encode(), "Ã¥".encode()), DOCUMENT),
        {Cause.ENCODED_TWICE},
    ),
    "decomposed": (
        lambda: VALID.replace("å".encode(), unicodedata.normalize("NFD", "å").encode()),
        {Cause.UNICODE_FORM},
    ),
    "escaped twice": (lambda: with_signature_of(_named("a &amp; b"), _named("a &amp;amp; b")), {Cause.ESCAPED_TWICE}),
    "hashed in Latin-1": (lambda: with_digest_of(DOCUMENT.decode().encode("latin-1")), {Cause.HASHED_IN_LATIN1}),
    "hashed in UTF-16": (lambda: with_digest_of(DOCUMENT.decode().encode("utf-16-le")), {Cause.HASHED_IN_UTF16}),
    "byte order mark": (lambda: with_digest_of(b"\xef\xbb\xbf" + DOCUMENT), {Cause.BYTE_ORDER_MARK}),
    "wrong root": (
        lambda: with_signature_of(DOCUMENT.replace(b"SignedDelivery", b"SealedDelivery"), DOCUMENT),
        {Cause.ROOT_NAME},
    ),
    "root in another namespace": (
        lambda: in_envelope(
            with_signature_of(
                DOCUMENT.replace(MESSAGE_V3.encode(), MESSAGE_V2.encode(), 1).replace(
                    b"<Delivery>", b'<Delivery xmlns="%s">' % MESSAGE_V3.encode(), 1
                ),
                DOCUMENT,
            )
        ),
        {Cause.ROOT_NAME},
    ),
    "signed in the envelope": (signed_in_envelope, {Cause.ENVELOPE_NAMESPACES}),
    "signed the envelope": (whole_envelope_signed, {Cause.ENVELOPE_SIGNED}),
    "signed a part": (lambda: with_signature_of(_part(), DOCUMENT), {Cause.PART_SIGNED}),
    "declarations lost": (
        lambda: with_signature_of(
            DOCUMENT.replace(b"<SignedDelivery", f'<SignedDelivery xmlns:xsi="{XSI}"'.encode()), DOCUMENT, BY_INCLUSIVE
        ),
        {Cause.LOST_DECLARATIONS},
    ),
    "Id added": (lambda: VALID.replace(b"<SignedDelivery", b'<SignedDelivery Id="x"'), {Cause.ID_ADDED}),
    "not canonical": (
        lambda: with_digest_of(b'<?xml version="1.0" encoding="UTF-8"?>' + DOCUMENT),
        {Cause.NOT_CANONICALISED},
    ),
    "hexadecimal": (
        lambda: with_digest_of(DOCUMENT, written=lambda value: b64encode(value.hex().encode())),
        {Cause.DIGEST_IN_HEXADECIMAL},
    ),
    "plain hexadecimal": (
        lambda: with_digest_of(DOCUMENT, written=lambda value: value.hex().upper().encode()),
        {Cause.DIGEST_IN_HEXADECIMAL},
    ),
    "another digest": (lambda: with_digest_of(DOCUMENT, "sha1"), {Cause.OTHER_DIGEST}),
    "short digest": (
        lambda: with_digest_of(DOCUMENT, written=lambda value: b64encode(value[:9])),
        {Cause.DIGEST_LENGTH, Cause.CONTENT_CHANGED},
    ),
    "content changed": (lambda: replaced(b">m-1<", b">m-2<"), {Cause.CONTENT_CHANGED}),
    "formatted and renamed": (
        lambda: with_signature_of(DOCUMENT.replace(b"SignedDelivery", b"sealedDelivery"), INDENTED),
        {Cause.ROOT_NAME, Cause.WHITE_SPACE_ADDED},
    ),
    "other key": (lambda: another_certificate(first=False), {Cause.OTHER_KEY}),
    "certificates in the wrong order": (lambda: another_certificate(first=True), {Cause.OTHER_CERTIFICATE}),
    "bytes reversed": (lambda: value_of(lambda value: value[::-1]), {Cause.BYTE_ORDER}),
    "value cut": (lambda: value_of(lambda value: value[:-1]), {Cause.SIGNATURE_VALUE_LENGTH}),
    "hashed twice": (lambda: resigned(VALID, lambda t: pkcs1(hashlib.sha256(t).digest())), {Cause.HASHED_TWICE}),
    "bare hash": (lambda: resigned(VALID, bare_hash), {Cause.BARE_HASH}),
    "PSS": (
        lambda: resigned(VALID, lambda t: samples.KOMMUN_A.key.sign(t, PSS(MGF1(SHA256()), 32), SHA256())),
        {Cause.PSS},
    ),
    "other hash": (
        lambda: resigned(
            VALID,
            lambda t: samples.KOMMUN_A.key.sign(hashlib.sha1(t).digest(), PKCS1v15(), Prehashed(SHA1())),
        ),
        {Cause.OTHER_HASH},
    ),
    "SignedInfo changed": (
        lambda: re.sub(rb"(?<=<DigestValue>)[^<]*", b64encode(bytes(32)), VALID),
        {Cause.CONTENT_CHANGED, Cause.SIGNED_INFO_CHANGED},
    ),
    "SignedInfo with a prefix": (
        lambda: resigned(VALID, lambda t: pkcs1(_prefixed(t))),
        {Cause.SIGNED_INFO_PREFIX},
    ),
    "SignedInfo canonicalised otherwise": (
        lambda: with_last_child(DOCUMENT.replace(b"<SignedDelivery", b'<SignedDelivery xmlns:x="urn:x"'), _inclusive()),
        {Cause.SIGNED_INFO_CANONICALIZATION},
    ),
    "SHA-1": (lambda: signed(DOCUMENT, samples.KOMMUN_A, Manner(digest="sha1")), {Cause.SHA1}),
    "SHA-1 and formatted": (
        lambda: with_signature_of(DOCUMENT, INDENTED, Manner(digest="sha1")),
        {Cause.SHA1, Cause.WHITE_SPACE_ADDED},
    ),
    "HMAC": (
        lambda: algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        {Cause.HMAC},
    ),
    "ECDSA": (
        lambda: algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        {Cause.KEY_KIND},
    ),
    "unknown": (lambda: algorithm("DigestMethod", "urn:unknown"), {Cause.UNKNOWN_ALGORITHM}),
    "with comments": (
        lambda: algorithm("CanonicalizationMethod", f"{EXCLUSIVE}WithComments"),
        {Cause.WITH_COMMENTS},
    ),
    "no enveloped transform": (
        lambda: signed(DOCUMENT, samples.KOMMUN_A, Manner(transforms=(EXCLUSIVE,))),
        {Cause.TRANSFORMS},
    ),
    "two references": (lambda: signed(DOCUMENT, samples.KOMMUN_A, Manner(twice=True)), {Cause.REFERENCES}),
    "reference to a missing Id": (
        lambda: signed(DOCUMENT, samples.KOMMUN_A, Manner(uri="#x")),
        {Cause.REFERENCE_BY_ROOT_ID},
    ),
    "reference outside": (
        lambda: signed(DOCUMENT, samples.KOMMUN_A, Manner(uri="http://127.0.0.1/x")),
        {Cause.REFERENCE_URI},
    ),
    "no signature": (lambda: DOCUMENT, {Cause.NOT_SIGNED}),
    "signature in another namespace": (
        lambda: with_last_child(DOCUMENT, _signature().replace(DSIG.encode(), b"urn:x")),
        {Cause.SIGNATURE_NAMESPACE},
    ),
    "WS-Security": (
        lambda: in_envelope(DOCUMENT).replace(
            b"<s:Header/>", b'<s:Header><w:Security xmlns:w="%s">%s</w:Security></s:Header>' % (WSSE, _signature())
        ),
        {Cause.WS_SECURITY},
    ),
    "no value": (
        lambda: re.sub(rb"<SignatureValue>.*</SignatureValue>", b"", VALID),
        {Cause.SIGNATURE_CHILDREN, Cause.SIGNATURE_VALUE_LENGTH},
    ),
    "Id twice": (
        lambda: signed(DOCUMENT.replace(b"<Delivery>", b'<Delivery Id="SD-1">'), samples.KOMMUN_A, Manner(by_id=True)),
        {Cause.REFERENCE_ID_TWICE},
    ),
    "declarations added": (
        lambda: with_signature_of(
            _with_a_prefix(), _with_a_prefix().replace(b" xmlns:m=", b' xmlns:y="urn:y" xmlns:m='), BY_INCLUSIVE
        ),
        {Cause.ADDED_DECLARATIONS},
    ),
    "comments": (
        lambda: with_digest_of_and_send(DOCUMENT.replace(b">m-1<", b">m<!-- x -->-1<")),
        {Cause.COMMENTS},
    ),
    "canonicalised otherwise": (
        lambda: with_signature_of_inclusive(),
        {Cause.OTHER_CANONICALIZATION},
    ),
    "SignedInfo in the envelope": (signed_info_in_envelope, {Cause.SIGNED_INFO_NAMESPACES}),
    "another key value": (key_value, {Cause.KEY_VALUE}),
    "signature in the header": (
        lambda: in_envelope(DOCUMENT).replace(b"<s:Header/>", b"<s:Header>%s</s:Header>" % _signature()),
        {Cause.SIGNATURE_ELSEWHERE},
    ),
    "relative namespace": (
        lambda: replaced(b"<Delivery>", b'<Delivery xmlns:a="b" a:c="d">'),
        {Cause.RELATIVE_NAMESPACE},
    ),
    "two signatures": (lambda: with_last_child(VALID, _signature()), {Cause.SEVERAL_SIGNATURES}),
    "not last": (lambda: with_last_child(VALID, b"<x/>"), {Cause.NOT_LAST_CHILD}),
}
"""What a signer or a carrier did, and what it is diagnosed as."""


def _signature() -> bytes:
    return signature(DOCUMENT, samples.KOMMUN_A)


def _inclusive() -> bytes:
    """A signature whose SignedInfo was hashed by inclusive C14N where x was declared, and names the exclusive one."""
    made = _signature()
    info = re.search(rb"<SignedInfo>.*</SignedInfo>", made)
    assert info is not None
    scope = info[0].replace(b"<SignedInfo>", f'<SignedInfo xmlns="{DSIG}" xmlns:x="urn:x">'.encode())
    value = b64encode(pkcs1(etree.tostring(parse_untrusted(scope), method="c14n")))
    return re.sub(rb"(?<=<SignatureValue>)[^<]*", value, made)


def _prefixed(text: bytes) -> bytes:
    return re.sub(rb"<(/?)(?=\w)", rb"<\1ds:", text).replace(b"xmlns=", b"xmlns:ds=", 1)


def _with_a_prefix() -> bytes:
    return re.sub(rb"(</?)SignedDelivery", rb"\1m:SignedDelivery", DOCUMENT).replace(
        b" xmlns=", b' xmlns:m="%s" xmlns=' % MESSAGE_V3.encode(), 1
    )


def _indented(space: str) -> bytes:
    tree = parse_untrusted(DOCUMENT)
    etree.indent(tree, space)
    return etree.tostring(tree, encoding="UTF-8", xml_declaration=False)


def _named(name: str) -> bytes:
    return DOCUMENT.replace(b"Kommun A", name.encode())


def _part() -> bytes:
    part = parse_untrusted(DOCUMENT)[0]
    return etree.tostring(part, encoding="UTF-8", xml_declaration=False)


def _lines(text: str, end: str) -> bytes:
    return end.join(text[start : start + 76] for start in range(0, len(text), 76)).encode()


def sealed(document: bytes = VALID, *, without_inner: bool = False) -> bytes:
    """A SealedDelivery; ``without_inner`` seals as software does that removes every signature before it hashes."""
    seal = seal_for(document, samples.DISPATCHER, samples.CLOCK().date())
    if not without_inner:
        return sealed_document(document, seal)
    bare = sealed_document(DOCUMENT, _OUTER.sub(b"", seal))
    return sealed_document(document, _OUTER.sub(lambda _: signature(bare, samples.DISPATCHER), seal))


def sealed_over_prefixed_signature() -> bytes:
    """A SealedDelivery that was sealed while its inner signature had the prefix ds, and sent while it has none."""
    prefixed = with_last_child(DOCUMENT, signature(DOCUMENT, samples.KOMMUN_A, Manner(prefix="ds")))
    plain = re.sub(rb"<(/?)ds:", rb"<\1", prefixed).replace(b"xmlns:ds=", b"xmlns=")
    seal = seal_for(prefixed, samples.DISPATCHER, samples.CLOCK().date())
    return sealed_document(plain, seal)


_OUTER = re.compile(rb"<Signature .*</Signature>")


SEALS: dict[str, Callable[[], bytes]] = {
    "inner signature left out": lambda: sealed(without_inner=True),
    "inner signature with another prefix": sealed_over_prefixed_signature,
}
"""Seals that do not hold."""


def mixed_forms() -> bytes:
    """Hash a document with prefixes and a SignedInfo without: a verifier takes one form for both."""
    prefixed = reprefixed(DOCUMENT, hoist=False)
    made = re.sub(rb"<(/?)(?=[A-Z])", rb"<\1d:", signature(prefixed, samples.KOMMUN_A))
    return with_last_child(prefixed, made.replace(b" xmlns=", b" xmlns:d=", 1))
