"""What is signed the quick way is what signxml signs, byte for byte."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from mm_soap.dsig import seal_for, sealed_document, sign_delivery, verify_sealed
from mm_soap.dsig.sign import signature_by_signxml, signature_for
from mm_soap.pki import Identity
from mm_soap.xml import parse_untrusted
from tests.unit.dsig import samples


@given(st.binary(max_size=200), st.sampled_from([samples.KOMMUN_A, samples.DISPATCHER]))
def test_both_ways_give_the_same_bytes(text: bytes, identity: Identity) -> None:
    assert signature_for(text, identity) == signature_by_signxml(text, identity)


def test_a_name_that_needs_escaping() -> None:
    identity = samples.PKI.organisation("165560000099", "Förmedlare & <Söner>")
    assert signature_for(b"<a/>", identity) == signature_by_signxml(b"<a/>", identity)
    assert b"&amp;" in signature_for(b"<a/>", identity)


def test_the_same_delivery_is_sealed_to_the_same_bytes() -> None:
    signed = sign_delivery(samples.delivery(), samples.KOMMUN_A)
    day = samples.CLOCK().date()
    seal = seal_for(signed, samples.DISPATCHER, day)
    assert seal_for(signed, samples.DISPATCHER, day) == seal
    assert seal_for(signed, samples.DISPATCHER, day + timedelta(days=1)) != seal
    sealed = sealed_document(signed, seal)
    assert verify_sealed(sealed, parse_untrusted(sealed), samples.trust()).delivery.document == signed
