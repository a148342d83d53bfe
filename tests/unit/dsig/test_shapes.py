"""What is known of a signature's shape changes no answer: neither what holds, nor what a seal signs."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mm_soap.dsig import Trust, digest_to_seal, seal_for, seal_with, sign_delivery, verify_delivery
from mm_soap.dsig import verify as verifying
from mm_soap.dsig.structure import EXCLUSIVE, INCLUSIVE, Canonicalization
from mm_soap.errors import Refused
from mm_soap.pki import TrustStore
from mm_soap.xml import parse_untrusted
from tests.unit.dsig import samples
from tests.unit.dsig.test_beside_signxml import CERTIFICATE, PIECES, documents

DAY = date(2026, 12, 1)
TEXTS = st.sampled_from(["SGVq", "QQ==", "Zm9vYmFy"])
SUBJECTS = st.text(st.sampled_from("aå <>&\"'\t\r\n"), max_size=8)


def rules() -> Trust:
    store = TrustStore([CERTIFICATE, *samples.PKI.anchors], samples.CLOCK)
    return samples.trust(store=store, sha1_from=frozenset({"162021004748"}))


def knowing() -> Trust:
    """Rules for which every signature of the samples has a known shape."""
    made = rules()
    for raw, _ in documents():
        verify_delivery(raw, parse_untrusted(raw), made)
    return made


KNOWING = knowing()


def verified(document: bytes, trust: Trust) -> tuple[bytes, str, object, bytes] | None:
    try:
        found = verify_delivery(document, parse_untrusted(document), trust)
    except Refused:
        return None
    return found.document, found.digest, found.signer, etree.tostring(found.root)


@given(st.data())
def test_the_same_answer_with_and_without_a_known_shape(data: st.DataObject) -> None:
    raw, _ = data.draw(st.sampled_from(documents()))
    start = raw.rindex(b"Signature>") - data.draw(st.integers(0, 3000))
    place = max(1, start) if data.draw(st.booleans()) else data.draw(st.integers(1, len(raw)))
    changed = raw[:place] + data.draw(st.sampled_from(PIECES)) + raw[place + data.draw(st.integers(0, 2)) :]
    for document in (raw, changed):
        assert verified(document, KNOWING) == verified(document, rules())


def test_the_second_signature_of_a_signer_is_not_taken_apart_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trust = rules()
    first, second = (sign_delivery(samples.delivery(text), samples.KOMMUN_A) for text in ("SGVq", "QQ=="))
    assert verified(first, trust)
    monkeypatch.setattr(verifying, "verified_digest", None)  # calling it would fail
    assert verified(second, trust)
    assert verified(second.replace(b"QQ==", b"QUE="), trust) is None


@given(TEXTS, SUBJECTS, st.sampled_from(["", " ", "\n  "]), st.sampled_from(["", " "]))
def test_the_digest_to_seal_is_that_of_the_whole_way(text: str, subject: str, before: str, after: str) -> None:
    made = samples.delivery(text)
    made[0][1][0][1].text = subject
    made[-1].tail = before
    signed = sign_delivery(made, samples.KOMMUN_A)
    end = b"</Signature>"
    signed = signed.replace(end, end + after.encode())  # not what was signed, if there is any
    try:
        found = verify_delivery(signed, parse_untrusted(signed), KNOWING)
    except Refused:
        assert after
        return
    digest = digest_to_seal(found, DAY)
    assert digest is not None
    assert seal_with(digest, samples.DISPATCHER, DAY) == seal_for(found.document, samples.DISPATCHER, DAY)


@pytest.mark.parametrize("canonicalization", [INCLUSIVE, EXCLUSIVE], ids=["inclusive", "exclusive"])
@pytest.mark.parametrize("place", ["<SignedDelivery ", "<Delivery", "<Signature "])
def test_a_prefix_that_is_declared_and_not_used_is_in_one_form_alone(
    canonicalization: Canonicalization, place: str
) -> None:
    """The seal is over the inclusive form, whatever the delivery's signature is over."""
    trust = rules()
    for text in ("SGVq", "QQ=="):  # of the second one the shape is known
        name, _, rest = place.partition(" ")
        before, after = place.encode(), f'{name} xmlns:p="urn:p" {rest}'.encode()
        made = parse_untrusted(etree.tostring(samples.delivery(text)).replace(before, after, 1))
        signed = samples.signed_as_it_is(made, canonicalization).replace(before, after, "Signature" in place)
        found = verify_delivery(signed, parse_untrusted(signed), trust)
        digest = digest_to_seal(found, DAY)
        assert digest is None or seal_with(digest, samples.DISPATCHER, DAY) == seal_for(signed, samples.DISPATCHER, DAY)


@pytest.mark.parametrize("more", ["=", "AAAA", "QQ==", "\n=\n"])
def test_a_value_with_something_after_its_end_is_no_base64(more: str) -> None:
    trust = rules()
    first, second = (sign_delivery(samples.delivery(text), samples.KOMMUN_A) for text in ("SGVq", "QQ=="))
    assert verified(first, trust)
    end = b"</SignatureValue>"
    assert second.count(b"=" + end) == 1
    assert verified(second, trust)
    assert verified(second.replace(end, more.encode() + end), trust) is None


def test_of_what_others_signed_too_and_none_with_prefixes() -> None:
    told = 0
    for raw, _ in documents():
        found = verify_delivery(raw, parse_untrusted(raw), KNOWING)
        digest = digest_to_seal(found, DAY)
        if digest is not None:
            told += 1
            assert seal_with(digest, samples.DISPATCHER, DAY) == seal_for(found.document, samples.DISPATCHER, DAY)
    assert 0 < told < len(documents())
