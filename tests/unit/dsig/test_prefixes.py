"""Whatever prefixes a sender signs: its delivery is sealed, and the seal holds where it arrives."""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mm_soap.dispatcher.wire import deliver_secure_request
from mm_soap.dsig import digest_to_seal, seal_for, seal_with, sealed_document, verify_delivery, verify_sealed
from mm_soap.dsig.structure import EXCLUSIVE, INCLUSIVE, Canonicalization
from mm_soap.xml import MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, SENDER, SERVICE_V3, SOAP_ENVELOPE, parse_untrusted
from tests.unit.dsig import samples

DAY = date(2026, 12, 1)
NAMES = st.sampled_from([None, "m", "s", "soap", "ns2", "v", "ds"])
NAMESPACES = [MESSAGE_V3, MESSAGE_V2, MESSAGE_V1, SENDER, SERVICE_V3, "urn:other"]
TRUST = samples.trust()


def written(element: etree._Element, prefixes: dict[str, str | None], declared: str = "") -> str:
    """Write an element with these prefixes, by namespace, declared at each element or as the root says."""
    name = etree.QName(element)
    prefix = prefixes[str(name.namespace)]
    own = declared or (f' xmlns:{prefix}="{name.namespace}"' if prefix else f' xmlns="{name.namespace}"')
    tag = f"{prefix}:{name.localname}" if prefix else name.localname
    inside = "".join(written(child, prefixes) for child in element)
    return f"<{tag}{own}>{element.text or ''}{inside}</{tag}>"


@st.composite
def signed(draw: st.DrawFn) -> bytes:
    """A delivery with prefixes of any kind, as its sender signed it."""
    prefixes = {namespace: draw(NAMES) for namespace in NAMESPACES}
    at_root = {prefix: namespace for namespace, prefix in prefixes.items() if draw(st.booleans())}
    at_root[prefixes[MESSAGE_V3]] = MESSAGE_V3
    declared = "".join(f' xmlns:{p}="{n}"' if p else f' xmlns="{n}"' for p, n in at_root.items())
    document = written(samples.delivery(), prefixes, declared)
    return samples.signed_as_it_is(
        parse_untrusted(document.encode()), draw(st.sampled_from([INCLUSIVE, EXCLUSIVE])), samples.KOMMUN_A
    )


@given(signed(), st.booleans())
def test_a_seal_holds_where_it_arrives(document: bytes, around: bool) -> None:
    found = verify_delivery(document, parse_untrusted(document), TRUST)
    digest = digest_to_seal(found, DAY)
    seal = seal_for(found.document, samples.DISPATCHER, DAY)
    assert digest is None or seal_with(digest, samples.DISPATCHER, DAY) == seal
    sealed = sealed_document(found.document, seal)
    assert verify_sealed(sealed, parse_untrusted(sealed), TRUST).delivery.document == found.document
    request = deliver_secure_request(found.document, seal)
    more = f'xmlns="{MESSAGE_V3}" xmlns:ns2="{MESSAGE_V3}" xmlns:v="{MESSAGE_V1}"' if around else ""
    envelope = f'<e:Envelope xmlns:e="{SOAP_ENVELOPE}" {more}><e:Body>'.encode() + request + b"</e:Body></e:Envelope>"
    arrived = verify_sealed(envelope, samples.payload(envelope), TRUST)
    assert arrived.delivery.document == found.document
    assert arrived.document == sealed


@pytest.mark.needs_program("xmlsec1")
@pytest.mark.parametrize("canonicalization", [INCLUSIVE, EXCLUSIVE], ids=["inclusive", "exclusive"])
def test_xmlsec1_finds_the_seal_right_where_a_prefix_is_not_used(
    tmp_path: Path, canonicalization: Canonicalization
) -> None:
    made = parse_untrusted(etree.tostring(samples.delivery()).replace(b"<Delivery>", b'<Delivery xmlns:p="urn:p">'))
    document = samples.signed_as_it_is(made, canonicalization)
    sealed = tmp_path / "sealed.xml"
    sealed.write_bytes(sealed_document(document, seal_for(document, samples.DISPATCHER, DAY)))
    certificate = tmp_path / "dispatcher.pem"
    certificate.write_bytes(samples.DISPATCHER.certificate.public_bytes(Encoding.PEM))
    moment = samples.CLOCK().strftime("%Y-%m-%d %H:%M:%S")
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", str(certificate), "--enabled-key-data", "key-name"]
    command += ["--verification-gmt-time", moment, "--node-xpath", "/*/*[local-name()='Signature']", str(sealed)]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
