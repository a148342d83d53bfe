"""CMS signatures: what is accepted and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asn1crypto import cms, core  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mm_soap.testing.user_signatures import CmsOptions
from mm_soap.user_signatures import UserSignature, UserSignatureError
from mm_soap.user_signatures import UserSignatureProblem as Problem
from tests.unit.user_signatures.samples import ANNA, ISSUER, OSKAR, TEXT, VERIFIER, problem, verify


@pytest.fixture(params=[False, True], ids=["attached", "detached"])
def detached(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def signed(detached: bool, text: str = TEXT, **options: Any) -> UserSignature:
    return ISSUER.sign_cms(ANNA, text, detached=detached, options=CmsOptions(**options))


def tampered(signature: UserSignature, change: Callable[[Any], object]) -> UserSignature:
    info = cms.ContentInfo.load(signature.signature)
    change(info["content"])
    return replace(signature, signature=info.dump(force=True))


class TestAccepted:
    @pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
    @pytest.mark.parametrize("curve", [None, ec.SECP256R1(), ec.SECP521R1()])
    def test_algorithms(self, detached: bool, digest: str, curve: ec.EllipticCurve | None) -> None:
        person = ISSUER.person("192705178354", "Anna Andersson", elliptic=curve)
        assert verify(ISSUER.sign_cms(person, TEXT, detached=detached, options=CmsOptions(digest=digest)))

    def test_the_signer_by_key_identifier(self, detached: bool) -> None:
        assert verify(signed(detached, key_identifier=True))
        other = replace(signed(detached, key_identifier=True), certificate=OSKAR.certificate_text)
        assert problem(other) is Problem.OTHER_CERTIFICATE

    def test_without_certificates_when_an_anchor_issued(self, detached: bool) -> None:
        signature = signed(detached, certificates=False)
        assert verify(signature, anchors=(ISSUER.root.certificate, ISSUER.issuing.certificate))
        assert problem(signature) is Problem.UNKNOWN_ISSUER

    def test_made_by_the_cryptography_package(self, detached: bool) -> None:
        options = [PKCS7Options.Binary, *([PKCS7Options.DetachedSignature] if detached else [])]
        assert not isinstance(ANNA.key, ec.EllipticCurvePrivateKey)
        builder = PKCS7SignatureBuilder().set_data(TEXT.encode()).add_signer(ANNA.certificate, ANNA.key, SHA384())
        for certificate in ANNA.chain:
            builder = builder.add_certificate(certificate)
        signature = UserSignature(builder.sign(Encoding.DER, options), ANNA.certificate_text)
        assert verify(signature).personal_number == ANNA.personal_number
        assert problem(signature, "other") is Problem.WRONG_TEXT

    def test_ber_of_indefinite_length(self) -> None:
        assert verify(replace(signed(False), signature=as_ber(signed(False).signature, TEXT.encode())))


def as_ber(der: bytes, content: bytes) -> bytes:
    """Return attached signed data as streaming software writes it: lengths left open, the content in pieces."""
    data = cms.ContentInfo.load(der)["content"]
    pieces = b"".join(core.OctetString(content[n : n + 10]).dump() for n in range(0, len(content), 10))
    octets = b"\x24\x80" + pieces + b"\x00\x00"
    encapsulated = b"\x30\x80" + cms.ContentType("data").dump() + b"\xa0\x80" + octets + b"\x00\x00\x00\x00"
    parts = [data["version"].dump(), data["digest_algorithms"].dump(), encapsulated]
    parts += [data["certificates"].dump(), data["signer_infos"].dump()]
    inner = b"\x30\x80" + b"".join(parts) + b"\x00\x00"
    made: bytes = b"\x30\x80" + cms.ContentType("signed_data").dump() + b"\xa0\x80" + inner + b"\x00\x00\x00\x00"
    return made


class TestRefused:
    def test_no_signed_attributes(self, detached: bool) -> None:
        assert problem(signed(detached, signed_attributes=False)) is Problem.NO_SIGNED_ATTRIBUTES

    def test_the_attributes_of_a_signature_as_a_text(self) -> None:
        def strip(data: Any) -> None:
            signer = data["signer_infos"][0]
            data["encap_content_info"]["content"] = signer["signed_attrs"].untag().dump()
            del signer["signed_attrs"]

        assert problem(tampered(signed(False), strip)) in (Problem.NO_SIGNED_ATTRIBUTES, Problem.SHAPE)

    def test_a_wrong_message_digest(self, detached: bool) -> None:
        found = problem(signed(detached, message_digest=bytes(32)))
        assert found is (Problem.WRONG_TEXT if detached else Problem.DOES_NOT_VERIFY)

    def test_two_signers(self, detached: bool) -> None:
        assert problem(signed(detached, signers=2)) is Problem.SEVERAL_SIGNERS

    def test_no_signer(self, detached: bool) -> None:
        assert problem(signed(detached, signers=0)) is Problem.SEVERAL_SIGNERS

    def test_trailing_bytes(self, detached: bool) -> None:
        signature = signed(detached)
        for tail in (b"\x00", b"\x00\x00", signature.signature):
            assert problem(replace(signature, signature=signature.signature + tail)) is Problem.SHAPE

    def test_cut_short(self, detached: bool) -> None:
        signature = signed(detached)
        assert problem(replace(signature, signature=signature.signature[:-1])) is Problem.SHAPE

    @pytest.mark.parametrize("digest", ["sha1", "md5"])
    def test_a_weak_digest(self, detached: bool, digest: str) -> None:
        assert problem(signed(detached, digest=digest)) is Problem.ALGORITHM

    def test_digests_that_differ(self, detached: bool) -> None:
        def change(data: Any) -> None:
            data["signer_infos"][0]["signature_algorithm"] = {"algorithm": "sha512_rsa"}

        assert problem(tampered(signed(detached), change)) is Problem.ALGORITHM

    def test_rsa_pss(self, detached: bool) -> None:
        def change(data: Any) -> None:
            data["signer_infos"][0]["signature_algorithm"] = {"algorithm": "rsassa_pss"}

        assert problem(tampered(signed(detached), change)) is Problem.ALGORITHM

    def test_the_algorithm_of_another_key(self, detached: bool) -> None:
        def change(data: Any) -> None:
            data["signer_infos"][0]["signature_algorithm"] = {"algorithm": "sha256_ecdsa"}

        assert problem(tampered(signed(detached), change)) is Problem.DOES_NOT_VERIFY

    def test_content_of_another_type(self) -> None:
        assert problem(signed(True, content_type="signed_data")) is Problem.SHAPE

    def test_another_container(self) -> None:
        data = cms.ContentInfo({"content_type": "data", "content": b"x"}).dump()
        assert problem(UserSignature(data, ANNA.certificate_text)) is Problem.UNKNOWN_FORM
        assert problem(UserSignature(ANNA.certificate.public_bytes(Encoding.DER), ANNA.certificate_text)) in (
            Problem.UNKNOWN_FORM,
            Problem.SHAPE,
        )

    def test_too_many_certificates(self, detached: bool) -> None:
        def change(data: Any) -> None:
            data["certificates"] = [data["certificates"][0]] * 9

        assert problem(tampered(signed(detached), change)) is Problem.SHAPE


class TestTampered:
    def test_the_content(self) -> None:
        def change(data: Any) -> None:
            data["encap_content_info"]["content"] = b"other"

        assert problem(tampered(signed(False), change), "other") is Problem.DOES_NOT_VERIFY

    def test_the_digest_in_the_attributes(self, detached: bool) -> None:
        other = cms.ContentInfo.load(signed(detached, "other").signature)["content"]["signer_infos"][0]

        def change(data: Any) -> None:
            if not detached:
                data["encap_content_info"]["content"] = b"other"
            data["signer_infos"][0]["signed_attrs"] = other["signed_attrs"].untag()

        assert problem(tampered(signed(detached), change), "other") is Problem.DOES_NOT_VERIFY

    def test_the_signature_value(self, detached: bool) -> None:
        def change(data: Any) -> None:
            data["signer_infos"][0]["signature"] = bytes(256)

        assert problem(tampered(signed(detached), change)) is Problem.DOES_NOT_VERIFY

    def test_the_signer(self, detached: bool) -> None:
        own = ISSUER.sign_cms(OSKAR, TEXT, detached=detached)
        sid = cms.ContentInfo.load(own.signature)["content"]["signer_infos"][0]["sid"]

        def change(data: Any) -> None:
            data["signer_infos"][0]["sid"] = sid

        signature = replace(tampered(signed(detached), change), certificate=OSKAR.certificate_text)
        assert problem(signature) is Problem.DOES_NOT_VERIFY


SAMPLES = [ISSUER.sign_cms(ANNA, TEXT, detached=detached, nonce="4711") for detached in (False, True)]


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SAMPLES), st.integers(0, 1 << 16), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_means_the_same(sample: UserSignature, place: int, change: int) -> None:
    raw = bytearray(sample.signature)
    raw[place % len(raw)] ^= change
    try:
        signer = VERIFIER.verify(replace(sample, signature=bytes(raw)), TEXT)
    except UserSignatureError:
        return
    assert (signer.personal_number, signer.name) == (ANNA.personal_number, ANNA.name)
    with pytest.raises(UserSignatureError):
        VERIFIER.verify(replace(sample, signature=bytes(raw)), TEXT + " ")
