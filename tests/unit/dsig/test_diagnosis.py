"""Why a signature does not verify: each known mistake of a signer is told apart."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from lxml import etree

from mm_soap.conformance.xmlsig import EXCLUSIVE, INCLUSIVE, PLAIN, Manner, signature, signed, with_last_child
from mm_soap.dsig import Cause, diagnose, verify_delivery
from mm_soap.dsig.policy import SIGNED_DELIVERY
from mm_soap.errors import Refusal, Refused
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, SOAP_ENVELOPE, parse_untrusted
from tests.unit.dsig.samples import DISPATCHER, KOMMUN_A, delivery, distribute, payload, trust

PLAIN_DOCUMENT = etree.tostring(delivery())
SPACES = re.compile(rb">\s+<")


def indented(document: bytes) -> bytes:
    root = parse_untrusted(document)
    etree.indent(root)
    return etree.tostring(root)


def by_root(name: str) -> bytes:
    """Signed with another root, and sent by the right one."""
    other = PLAIN_DOCUMENT.replace(b"SignedDelivery", name.encode())
    return with_last_child(PLAIN_DOCUMENT, signature(other, KOMMUN_A))


def in_the_envelope(manner: Manner = PLAIN) -> bytes:
    scoped = PLAIN_DOCUMENT.replace(b"<SignedDelivery", b'<SignedDelivery xmlns:s="%s"' % SOAP_ENVELOPE.encode(), 1)
    return with_last_child(PLAIN_DOCUMENT, signature(scoped, KOMMUN_A, manner))


def value_of_another() -> bytes:
    right, wrong = signed(PLAIN_DOCUMENT, KOMMUN_A), signed(PLAIN_DOCUMENT, DISPATCHER)
    value = re.compile(rb"(?<=<SignatureValue>)[^<]*")
    found = value.search(wrong)
    assert found
    return value.sub(found[0], right)


LINES = PLAIN_DOCUMENT.replace(b"<Text>t<", b"<Text>a\nb<")


def in_hexadecimal() -> bytes:
    """DigestValue is base64 of the digest's hexadecimal digits; SignatureValue holds for nothing any more."""
    right = signed(PLAIN_DOCUMENT, KOMMUN_A)
    found = re.search(rb"<DigestValue>([^<]*)<", right)
    assert found
    return right.replace(found[1], b64encode(b64decode(found[1]).hex().encode()))


WRONG: dict[str, tuple[Callable[[], bytes], Cause]] = {
    "root": (lambda: by_root("Delivered"), Cause.CONTENT),
    "root of the seal": (lambda: by_root("SealedDelivery"), Cause.ROOT),
    "root in another namespace": (
        lambda: with_last_child(
            PLAIN_DOCUMENT,
            signature(
                PLAIN_DOCUMENT.replace(b"<SignedDelivery", b"<d:SignedDelivery", 1)
                .replace(b"</SignedDelivery", b"</d:SignedDelivery")
                .replace(b" xmlns=", b' xmlns:d="%s" xmlns=' % MESSAGE_V1.encode(), 1),
                KOMMUN_A,
                Manner(signed_info=EXCLUSIVE),
            ),
        ),
        Cause.CONTENT,
    ),
    "spaces put in": (lambda: indented(signed(PLAIN_DOCUMENT, KOMMUN_A)), Cause.WHITE_SPACE),
    "spaces taken out": (lambda: SPACES.sub(b"><", signed(indented(PLAIN_DOCUMENT), KOMMUN_A)), Cause.WHITE_SPACE),
    "spaces in SignedInfo": (
        lambda: signed(PLAIN_DOCUMENT, KOMMUN_A).replace(b"<SignedInfo>", b"<SignedInfo>\n  "),
        Cause.WHITE_SPACE,
    ),
    "in the envelope": (lambda: in_the_envelope(Manner(signed_info=INCLUSIVE)), Cause.ENVELOPE),
    "the delivery alone": (
        lambda: with_last_child(
            PLAIN_DOCUMENT,
            signature(etree.tostring(delivery()[0]), KOMMUN_A),
        ),
        Cause.PART,
    ),
    "SignatureValue of another": (value_of_another, Cause.VALUE),
    "another digest than is written": (
        lambda: signed(PLAIN_DOCUMENT, KOMMUN_A, Manner("sha512")).replace(
            b"http://www.w3.org/2001/04/xmlenc#sha512", b"http://www.w3.org/2001/04/xmlenc#sha256"
        ),
        Cause.METHOD,
    ),
    "carriage returns put in": (
        lambda: signed(LINES, KOMMUN_A).replace(b"a\nb", b"a&#13;\nb"),
        Cause.WHITE_SPACE,
    ),
    "carriage returns lost": (
        lambda: signed(LINES.replace(b"a\nb", b"a&#13;\nb"), KOMMUN_A).replace(b"a&#13;\nb", b"a\nb"),
        Cause.WHITE_SPACE,
    ),
    "a digest in hexadecimal": (in_hexadecimal, Cause.METHOD),
    "another SignatureMethod than is used": (
        lambda: signed(PLAIN_DOCUMENT, KOMMUN_A, Manner(method="http://www.w3.org/2001/04/xmldsig-more#rsa-sha512")),
        Cause.METHOD,
    ),
    "changed": (lambda: signed(PLAIN_DOCUMENT, KOMMUN_A).replace(b"m-1", b"m-2"), Cause.CONTENT),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_mistake_is_told_apart(name: str) -> None:
    make, cause = WRONG[name]
    raw = distribute(make())
    element = payload(raw)
    with pytest.raises(Refused) as refused:
        verify_delivery(raw, element, trust())
    assert refused.value.refusal is Refusal.SIGNATURE_INVALID
    assert diagnose(raw, element, SIGNED_DELIVERY).cause is cause


def test_what_is_said_holds_nothing_that_was_sent() -> None:
    raw = distribute(signed(PLAIN_DOCUMENT, KOMMUN_A).replace(b"m-1", b"m-2"))
    assert diagnose(raw, payload(raw), SIGNED_DELIVERY).what == (
        "DigestValue is of no form of this content that is known to be signed. SignatureValue belongs to SignedInfo."
    )


def test_a_delivery_alone_is_diagnosed_too() -> None:
    raw = by_root("SealedDelivery")
    found = diagnose(raw, parse_untrusted(raw), SIGNED_DELIVERY)
    assert found.what == f"It verifies with the root {{{MESSAGE_V3}}}SealedDelivery."
