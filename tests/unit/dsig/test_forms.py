"""What was signed is found again in what stacks make of it on the way."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from mm_soap.dsig import Form, seal_for, sealed_document, sign_delivery, verify_sealed
from mm_soap.dsig.cut import mentions
from mm_soap.errors import Refusal, Refused
from mm_soap.xml import DSIG, MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, SENDER, SERVICE_V3, SOAP_ENVELOPE, parse_untrusted
from tests.unit.dsig import samples

PREFIXES = {MESSAGE_V3: "ns2", MESSAGE_V2: "ns3", MESSAGE_V1: "ns4", SENDER: "ns5", DSIG: "ns6", SERVICE_V3: "ns7"}


def reprefixed(document: bytes, *, hoist: bool, root: str | None = None) -> bytes:
    """Write a document as a stack does that re-serialises it: a prefix for each namespace.

    Args:
        document: default-namespace XML.
        hoist: declare the prefixes on an ancestor, as JAX-WS does, and not on the root.
        root: another name for the root.
    """

    def write(element: etree._Element, name: str) -> str:
        namespace, local = etree.QName(name).namespace, etree.QName(name).localname
        attributes = "".join(f' {key}="{value}"' for key, value in element.attrib.items())
        inner = (element.text or "").replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")
        inner += "".join(write(child, str(child.tag)) + (child.tail or "") for child in element)
        tag = f"{PREFIXES[str(namespace)]}:{local}"
        declared = declarations if element is top and not hoist else ""
        return f"<{tag}{declared}{attributes}>{inner}</{tag}>"

    top = parse_untrusted(document)
    declarations = "".join(f' xmlns:{prefix}="{uri}"' for uri, prefix in PREFIXES.items())
    return write(top, root or str(top.tag)).encode()


def in_envelope(payload: bytes, operation: str, namespace: str, *, hoist: bool) -> bytes:
    declarations = "".join(f' xmlns:{prefix}="{uri}"' for uri, prefix in PREFIXES.items()) if hoist else ""
    return (
        f'<s:Envelope xmlns:s="{SOAP_ENVELOPE}"{declarations}><s:Body><o:{operation} xmlns:o="{namespace}">'.encode()
        + payload
        + f"</o:{operation}></s:Body></s:Envelope>".encode()
    )


@pytest.fixture(scope="module")
def signed() -> bytes:
    return sign_delivery(samples.delivery(), samples.KOMMUN_A)


@pytest.mark.parametrize("hoist", [True, False], ids=["hoisted", "declared"])
def test_a_stack_that_puts_prefixes_everywhere(signed: bytes, hoist: bool) -> None:
    payload = reprefixed(signed, hoist=hoist, root=f"{{{MESSAGE_V3}}}signedDelivery")
    envelope = in_envelope(payload, "distributeSecure", MESSAGE_V3, hoist=hoist)
    verified = samples.verify(envelope)
    assert verified.form is Form.PREFIX_FREE_RENAMED
    assert b"ns2:" not in verified.document
    assert verified.root.findtext(".//{*}Subject") == "Beslut å"
    changed = envelope.replace(b">m-1<", b">m-2<")
    with pytest.raises(Refused):
        samples.verify(changed)


@pytest.mark.parametrize("hoist", [True, False], ids=["hoisted", "declared"])
def test_a_seal_through_a_stack_that_puts_prefixes_everywhere(signed: bytes, hoist: bool) -> None:
    sealed = sealed_document(signed, seal_for(signed, samples.DISPATCHER, samples.CLOCK().date()))
    payload = reprefixed(sealed, hoist=hoist, root=f"{{{SERVICE_V3}}}deliverSecure")
    envelope = in_envelope(payload, "deliverSecure", SERVICE_V3, hoist=hoist)
    verified = verify_sealed(envelope, samples.payload(envelope), samples.trust())
    assert verified.form is Form.PREFIX_FREE_RENAMED
    assert verified.delivery.root.findtext(".//{*}Subject") == "Beslut å"


def test_a_signer_of_the_name_on_the_wire() -> None:
    # The first form in the contract's list, but under this name no operator finds it in a SealedDelivery.
    delivery = samples.delivery()
    delivery = parse_untrusted(etree.tostring(delivery).replace(b"SignedDelivery", b"signedDelivery"))
    envelope = samples.distribute(sign_delivery(delivery, samples.KOMMUN_A))
    with pytest.raises(Refused) as caught:
        samples.verify(envelope)
    assert caught.value.refusal is Refusal.SIGNATURE_WIRE_NAME


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<Id>m-1</Id>", b"<Id><![CDATA[m-1]]></Id>"),
        (b"<Id>m-1</Id>", b"<Id>&#109;-1</Id>"),
        (b"<Id>m-1</Id>", b"<Id >m-1</Id >"),
        (b"<Id>m-1</Id>", b"<Id>m<!-- a comment -->-1</Id>"),
    ],
    ids=["cdata", "character reference", "space in a tag", "comment"],
)
def test_what_means_the_same_holds(signed: bytes, before: bytes, after: bytes) -> None:
    assert before in signed
    verified = samples.verify(samples.distribute(signed.replace(before, after)))
    found = verified.root.find(".//{*}Message/{*}Header/{*}Id")
    assert found is not None
    assert found.text == "m-1"
    # Nor does a comment travel on, to a reader that takes a text up to the first one.
    assert b"<!--" not in verified.document


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<Id>m-1</Id>", b"<Id>m-1<?x y?></Id>"),
        (b"<Id>m-1</Id>", b"<Id> m-1</Id>"),
        (b"<Delivery>", b"<Delivery> "),
        (b"<Delivery>", b'<Delivery a="b">'),
    ],
    ids=["processing instruction", "space in a text", "space between", "attribute"],
)
def test_what_means_something_else_does_not(signed: bytes, before: bytes, after: bytes) -> None:
    with pytest.raises(Refused):
        samples.verify(samples.distribute(signed.replace(before, after, 1)))


def test_whatever_stands_around_the_delivery(signed: bytes) -> None:
    envelope = samples.distribute(signed)
    around = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- <signedDelivery> -->'
        + envelope.replace(
            b"<s:Header/>", b"<s:Header><!-- > ' --><x:a xmlns:x='urn:x' b='&gt;/'/><?p <q> ?></s:Header>"
        )
        + b"\n<!-- </signedDelivery> -->"
    )
    root = parse_untrusted(around)
    (delivery,) = root.iter(f"{{{MESSAGE_V3}}}signedDelivery")
    assert samples.verify_delivery(around, delivery, samples.trust()).form is Form.RENAMED


def test_long_attributes_are_cut_in_linear_time(signed: bytes) -> None:
    filler = b" ".join(b'a%d="%s\'/>"' % (n, b"x" * 4000) for n in range(100, 200))
    envelope = samples.distribute(signed).replace(b"<s:Header/>", b"<s:Header><x %s/></s:Header>" % filler)
    assert re.search(rb"a199=", envelope)
    assert samples.verify(envelope).form is Form.RENAMED


@pytest.mark.parametrize("filling", ["", "m" * 20_000, ": " * 900, ": " * 20_000, "xm" * 20_000])
@pytest.mark.parametrize("found", ["", "m:", "xm:", " m:a", ":", "m"])
def test_a_prefix_is_found_in_large_bytes_as_in_small(filling: str, found: str) -> None:
    for text in (filling + found, found + filling, filling + found + filling):
        assert mentions(text.encode(), b"m") == ("m:" in text)
