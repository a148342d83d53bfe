"""Each known mistake is told from the others, and a diagnosis makes no signature better than the verifier finds it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mm_soap.dsig import verify_delivery, verify_sealed
from mm_soap.dsig.diagnosis import Cause, Diagnosis, diagnose, not_utf8
from mm_soap.errors import Refusal, Refused
from mm_soap.pki import TrustStore
from mm_soap.xml import MESSAGE_V3, parse_untrusted, qname
from tests.unit.dsig import broken, make_broken, samples
from tests.unit.dsig.test_forms import in_envelope, reprefixed

NAMES = (qname(MESSAGE_V3, "SignedDelivery"), qname(MESSAGE_V3, "signedDelivery"))
SEALED = broken.sealed()
OTHERWISE = {
    Cause.INNER_SIGNATURE_REMOVED,  # of a seal
    Cause.PREFIXES,  # of a seal
    Cause.OTHER_FORM,
    Cause.NOT_UTF8,  # of a file that cannot be parsed
    Cause.UNEXPLAINED,
}
"""Causes with tests of their own."""


def diagnosis_of(raw: bytes) -> Diagnosis:
    (found,) = diagnose(raw, next(parse_untrusted(raw).iter(*NAMES)), samples.trust())
    return found


def causes(found: Diagnosis) -> set[Cause]:
    return {one.cause for one in found.findings}


@pytest.mark.parametrize("name", broken.CASES)
def test_each_mistake_is_named(name: str) -> None:
    make, expected = broken.CASES[name]
    found = diagnosis_of(make())
    assert found.refused is not None
    assert causes(found) == expected
    assert all(one.remedy.startswith(one.cause.remedy) and one.rule == one.cause.name for one in found.findings)


def test_every_cause_has_its_case() -> None:
    made = set().union(*(expected for _, expected in broken.CASES.values()))
    assert set(Cause) - made == OTHERWISE


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("base64 broken", "SignedDelivery/Delivery/Message/Body/Body, line 1"),
        ("formatted", "SignedDelivery, line 1"),
        ("UTF-8 twice", "SignedDelivery/Delivery/Message/Header/Subject, line 1"),
        ("SHA-1", "SignedDelivery/Signature/SignedInfo/SignatureMethod, line 1"),
        ("content changed", "SignedDelivery/Signature/SignedInfo/Reference/DigestValue, line 1"),
        ("not last", "SignedDelivery/x, line 1"),
    ],
)
def test_the_place_is_told(name: str, place: str) -> None:
    assert diagnosis_of(broken.CASES[name][0]()).findings[0].place == place


def test_what_holds_has_no_findings() -> None:
    found = diagnosis_of(broken.VALID)
    assert (found.refused, found.findings) == (None, ())
    assert {(one.part, one.form, one.holds) for one in found.canonical} == {
        ("document", "as it came", True),
        ("SignedInfo", "as it came", True),
    }


def test_the_canonical_bytes_are_those_that_were_hashed() -> None:
    found = diagnosis_of(broken.CASES["formatted before the signature came"][0]())
    (right,) = [one for one in found.canonical if one.part == "document" and one.holds]
    assert right.text == broken.DOCUMENT
    assert right.form == "as the signer hashed it"
    (came,) = [one for one in found.canonical if one.part == "document" and not one.holds]
    assert came.text == broken.INDENTED
    assert came.expected == right.computed


def test_the_hash_that_the_signer_signed_is_read_from_the_signature() -> None:
    found = diagnosis_of(broken.CASES["SignedInfo changed"][0]())
    (info,) = [one for one in found.canonical if one.part == "SignedInfo"]
    (valid,) = [one for one in diagnosis_of(broken.VALID).canonical if one.part == "SignedInfo"]
    assert not info.holds
    assert info.expected == valid.computed


@pytest.mark.parametrize("hoist", [True, False], ids=["hoisted", "declared"])
def test_mistakes_are_found_behind_prefixes(hoist: bool) -> None:
    sent = broken.with_signature_of(broken.DOCUMENT, broken.INDENTED)
    wire = in_envelope(reprefixed(sent, hoist=hoist, root=NAMES[1]), "distributeSecure", MESSAGE_V3, hoist=hoist)
    assert causes(diagnosis_of(wire)) == {Cause.WHITE_SPACE_ADDED}


def test_forms_that_are_mixed() -> None:
    assert causes(diagnosis_of(broken.mixed_forms())) == {Cause.OTHER_FORM}


@pytest.mark.parametrize("name", broken.CASES)
def test_the_files_are_what_they_are_called(name: str) -> None:
    raw = (make_broken.FOLDER / make_broken.file_name(name)).read_bytes()
    certificates = [
        x509.load_pem_x509_certificate((make_broken.FOLDER / f"{one}-cert.pem").read_bytes())
        for one in ("signer", "dispatcher")
    ]
    trust = samples.trust(store=TrustStore(certificates, samples.CLOCK))
    (found,) = diagnose(raw, next(parse_untrusted(raw).iter(*NAMES)), trust)
    assert found.refused is not None
    assert causes(found) == broken.CASES[name][1]


# Seals


def sealed_diagnoses(raw: bytes) -> tuple[Diagnosis, ...]:
    return diagnose(raw, parse_untrusted(raw), samples.trust(), sealed=True)


def test_a_seal_that_leaves_the_inner_signature_out() -> None:
    seal, sender = sealed_diagnoses(broken.sealed(without_inner=True))
    assert (seal.kind, sender.kind) == ("seal", "sender")
    assert causes(seal) == {Cause.INNER_SIGNATURE_REMOVED}
    assert sender.refused is None


def test_an_inner_signature_with_another_prefix() -> None:
    seal, sender = sealed_diagnoses(broken.sealed_over_prefixed_signature())
    assert causes(seal) == {Cause.PREFIXES}
    assert causes(sender) == {Cause.SIGNED_INFO_PREFIX}


def test_a_sender_that_is_wrong_inside_a_seal_that_holds() -> None:
    seal, sender = sealed_diagnoses(broken.sealed(broken.CASES["formatted before the signature came"][0]()))
    assert seal.refused is None
    assert causes(sender) == {Cause.WHITE_SPACE_ADDED}


def test_a_file_in_latin_1() -> None:
    raw = broken.VALID.decode().encode("latin-1")
    found = not_utf8(raw)
    assert found is not None
    assert found.cause is Cause.NOT_UTF8
    assert found.place.startswith("line 1, byte ")
    assert not_utf8(b"<a>") is None
    assert not_utf8(b"<\xe5") is None


# Properties


@st.composite
def mutations(draw: st.DrawFn, of: bytes) -> bytes:
    """Bytes replaced, left out or doubled, anywhere; or one of the known mistakes."""
    raw = of
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw) - 1))
        length = draw(st.integers(0, 40))
        put = draw(st.one_of(st.binary(max_size=3), st.sampled_from([b"\n", b" ", b"&#13;", b"<!-- -->", b"<a/>"])))
        raw = raw[:start] + put + raw[start + length :]
    return raw


def refusal_of(verify: Callable[[], object]) -> Refusal | None:
    try:
        verify()
    except Refused as error:
        return error.refusal
    return None


@settings(max_examples=150)
@given(mutations(broken.VALID))
def test_a_diagnosis_says_valid_only_where_the_verifier_does(raw: bytes) -> None:
    try:
        root = parse_untrusted(raw)
    except Refused:
        return
    element = next(root.iter(*NAMES), None)
    if element is None:
        return
    (found,) = diagnose(raw, element, samples.trust())
    refused = refusal_of(lambda: verify_delivery(raw, element, samples.trust()))
    assert (found.refused.refusal if found.refused is not None else None) is refused
    assert bool(found.findings) or refused is None or not refused.name.startswith("SIGNATURE_")
    assert refused is not None or found.findings == ()


@settings(max_examples=60)
@given(mutations(SEALED))
def test_of_a_seal_too(raw: bytes) -> None:
    try:
        root = parse_untrusted(raw)
    except Refused:
        return
    found = diagnose(raw, root, samples.trust(), sealed=True)
    refused = refusal_of(lambda: verify_sealed(raw, root, samples.trust()))
    if refused is None:
        assert all((one.refused, one.findings) == (None, ()) for one in found)
    elif refused is not Refusal.SCHEMA_VIOLATION:  # of the seal's parts, which have nothing to do with signing
        assert any(one.refused is not None for one in found)
    for one in found:
        refused = one.refused is not None and one.refused.refusal.name.startswith("SIGNATURE_")
        assert bool(one.findings) or not refused


def test_names_of_the_message_are_not_in_findings() -> None:
    for make, _ in broken.CASES.values():
        for one in diagnosis_of(make()).findings:
            assert "Kommun" not in one.remedy
            assert "192705178354" not in one.remedy


def test_etree_is_left_as_it_was() -> None:
    root = parse_untrusted(broken.VALID)
    before = etree.tostring(root)
    diagnose(broken.VALID, root, samples.trust())
    assert etree.tostring(root) == before


@pytest.mark.parametrize(("signed", "sent"), [("&#13;\n", "\n"), ("\n", "&#13;\n")], ids=["lost", "added"])
def test_line_ends_between_elements(signed: str, sent: str) -> None:
    """As of a document that was written on Windows: hashed with its carriage returns, which no parser keeps."""
    before, after = (broken.DOCUMENT.replace(b"><", f">{end}  <".encode()) for end in (signed, sent))
    assert causes(diagnosis_of(broken.with_signature_of(before, after))) == {Cause.LINE_ENDS}
