"""What holds of both forms: the certificate, the person, the text and its encoding, the nonce."""

from __future__ import annotations

import logging
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.testing import TestPki
from mm_soap.testing.e_identification import EIdentificationIssuer, EIdentity
from mm_soap.user_signatures import UserSignature, UserSignatureVerifier
from mm_soap.user_signatures import UserSignatureProblem as Problem
from tests.unit.user_signatures.samples import ANNA, CLOCK, ELSA, ISSUER, OSKAR, TEXT, problem, verify

Sign = Callable[..., UserSignature]


def detached(person: EIdentity, text: str, **rest: Any) -> UserSignature:
    return ISSUER.sign_cms(person, text, detached=True, **rest)


@pytest.fixture(params=[ISSUER.sign_xml, ISSUER.sign_cms, detached], ids=["xml", "attached", "detached"])
def sign(request: pytest.FixtureRequest) -> Sign:
    made: Sign = request.param
    return made


class TestSigner:
    def test_is_whom_the_certificate_names(self, sign: Sign) -> None:
        for person in (ANNA, ELSA):
            signer = verify(sign(person, TEXT))
            assert (signer.personal_number, signer.name) == (person.personal_number, person.name)

    def test_a_semantic_identifier(self, sign: Sign) -> None:
        person = ISSUER.person("192705178354", "Anna Andersson", semantic=True)
        assert verify(sign(person, TEXT)).personal_number == "192705178354"

    def test_a_name_in_one_piece(self, sign: Sign) -> None:
        person = ISSUER.person("192705178354", "ANNA  \x01ANDERSSON", full_name=True)
        assert verify(sign(person, TEXT)).name == "ANNA ANDERSSON"

    @pytest.mark.parametrize(
        "numbers",
        [
            [],
            [""],
            ["162021004748"],
            ["2705178354"],
            ["19270517-8354"],
            ["192713178354"],
            ["PNOSE-2705178354"],
            ["PNODK-192705178354"],
            ["PNOSE-PNOSE-192705178354"],
            ["192705178354", "189001619809"],
        ],
    )
    def test_no_personal_number(self, sign: Sign, numbers: list[str]) -> None:
        person = ISSUER.person("192705178354", "Anna Andersson", serial_numbers=numbers)
        assert problem(sign(person, TEXT)) is Problem.NO_PERSONAL_NUMBER

    def test_no_name(self, sign: Sign) -> None:
        person = ISSUER.person("192705178354", " ", full_name=True)
        assert problem(sign(person, TEXT)) is Problem.NO_NAME

    def test_shows_nothing_when_it_is_printed(self) -> None:
        signature = ISSUER.sign_xml(ANNA, TEXT, nonce="geheim")
        assert "1927" not in repr((verify(signature), signature))
        assert "geheim" not in repr(signature)


class TestCertificate:
    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            ({"expired": True}, Problem.EXPIRED),
            ({"not_yet_valid": True}, Problem.NOT_YET_VALID),
            ({"wrong_usage": True}, Problem.WRONG_USAGE),
            ({"other_issuer": True}, Problem.UNKNOWN_ISSUER),
            ({"weak_key": True}, Problem.KEY),
            ({"elliptic": ec.SECP256K1()}, Problem.KEY),
        ],
    )
    def test_is_wrong(self, sign: Sign, fault: dict[str, Any], expected: Problem) -> None:
        assert problem(sign(ISSUER.person("192705178354", "Anna Andersson", **fault), TEXT)) is expected

    def test_another_issuer(self, sign: Sign) -> None:
        other = ISSUER.authority("a stranger", None)
        assert problem(sign(ANNA, TEXT), anchors=(other.certificate,)) is Problem.UNKNOWN_ISSUER
        assert problem(sign(ANNA, TEXT), anchors=()) is Problem.UNKNOWN_ISSUER

    def test_an_authority_out_of_its_dates(self, sign: Sign) -> None:
        late = ISSUER.authority("late", ISSUER.root, expired=True)
        assert problem(sign(ISSUER.person("192705178354", "A B", issuer=late), TEXT)) is Problem.PATH_INVALID

    def test_a_person_may_not_issue(self, sign: Sign) -> None:
        anna = replace(ISSUER.issuing, certificate=ANNA.certificate, key=ANNA.key)  # type: ignore[arg-type]
        forged = ISSUER.person("189001619809", "Oskar Öberg", issuer=anna)
        forged = replace(forged, chain=(*forged.chain, *ANNA.chain))
        assert problem(sign(forged, TEXT)) is Problem.UNKNOWN_ISSUER

    def test_a_person_as_an_anchor_is_no_issuer(self, sign: Sign) -> None:
        assert problem(sign(ANNA, TEXT), anchors=(ANNA.certificate,)) is Problem.UNKNOWN_ISSUER

    def test_expires_meanwhile(self, sign: Sign) -> None:
        signature = sign(ANNA, TEXT)
        verifier = UserSignatureVerifier(ISSUER.anchors, lambda: CLOCK() + timedelta(days=800))
        with pytest.raises(Exception, match=r"^EXPIRED"):
            verifier.verify(signature, TEXT)

    def test_of_another_person(self, sign: Sign) -> None:
        signature = replace(sign(ANNA, TEXT), certificate=OSKAR.certificate_text)
        assert problem(signature) is Problem.OTHER_CERTIFICATE

    def test_with_the_same_key_but_another_number(self, sign: Sign) -> None:
        # The key that signed is the one in this certificate too; the signature still names the other.
        twin = ISSUER.person("192705178354", "Anna Andersson", serial_numbers=["189001619809"])
        assert problem(replace(sign(ANNA, TEXT), certificate=twin.certificate_text)) is Problem.OTHER_CERTIFICATE

    @pytest.mark.parametrize("text", ["", "nonsense", "MIIB", "é", "A" * 200_000, "-----BEGIN CERTIFICATE-----"])
    def test_cannot_be_read(self, sign: Sign, text: str) -> None:
        assert problem(replace(sign(ANNA, TEXT), certificate=text)) is Problem.CERTIFICATE_UNREADABLE

    def test_as_pem_alone_and_with_its_chain(self, sign: Sign) -> None:
        parts = [c.public_bytes(Encoding.PEM).decode() for c in (ANNA.certificate, *ANNA.chain)]
        assert verify(replace(sign(ANNA, TEXT), certificate=parts[0])).name == ANNA.name
        assert verify(replace(sign(ANNA, TEXT), certificate="".join(parts))).name == ANNA.name

    def test_in_lines(self, sign: Sign) -> None:
        wrapped = "\r\n".join(ANNA.certificate_text[n : n + 64] for n in range(0, 4096, 64))
        assert verify(replace(sign(ANNA, TEXT), certificate=wrapped)).name == ANNA.name


class TestText:
    @pytest.mark.parametrize(
        "other", ["", TEXT[:-2], TEXT + "x", TEXT.replace("ö", "o").replace("å", "a"), TEXT.strip(), TEXT.upper()]
    )
    def test_is_another(self, sign: Sign, other: str) -> None:
        assert problem(sign(ANNA, TEXT), other) is Problem.WRONG_TEXT
        assert problem(sign(ANNA, other), TEXT) is Problem.WRONG_TEXT

    def test_line_ends_do_not_matter(self, sign: Sign) -> None:
        with_returns = TEXT.replace("\n", "\r\n")
        assert verify(sign(ANNA, with_returns), TEXT)
        assert verify(sign(ANNA, TEXT), with_returns)

    @pytest.mark.parametrize("encoding", ["utf-8", "ISO-8859-1", "windows-1252", "UTF-16", "UTF-16BE", "UTF-16LE"])
    def test_encodings(self, sign: Sign, encoding: str) -> None:
        signature = _in_encoding(sign, encoding)
        assert verify(signature).name == ANNA.name

    @pytest.mark.parametrize(
        ("signed", "said"), [("utf-8", "ISO-8859-1"), ("ISO-8859-1", "utf-8"), ("utf-8", "UTF-16"), ("utf-16", "utf-8")]
    )
    def test_the_wrong_encoding(self, sign: Sign, signed: str, said: str) -> None:
        found = problem(replace(_in_encoding(sign, signed), encoding=said))
        assert found in (Problem.WRONG_TEXT, Problem.ENCODING)

    @pytest.mark.parametrize("encoding", ["", "UTF-7", "base64", "rot13", "utf-8\x00", "idna", "EBCDIC"])
    def test_an_unknown_encoding(self, sign: Sign, encoding: str) -> None:
        assert problem(replace(sign(ANNA, TEXT), encoding=encoding)) is Problem.ENCODING

    def test_a_text_that_the_encoding_cannot_hold(self, sign: Sign) -> None:
        assert problem(replace(sign(ANNA, "abc"), encoding="US-ASCII"), "åäö") in (
            Problem.WRONG_TEXT,
            Problem.ENCODING,
        )

    def test_utf_16_without_a_mark_is_big_endian(self) -> None:
        big = replace(detached(ANNA, TEXT, encoding="UTF-16BE"), encoding="UTF-16")
        little = replace(detached(ANNA, TEXT, encoding="UTF-16LE"), encoding="UTF-16")
        assert verify(big)
        assert problem(little) is Problem.WRONG_TEXT


def _in_encoding(sign: Sign, encoding: str) -> UserSignature:
    from mm_soap.testing.user_signatures import XmlOptions

    if sign == ISSUER.sign_xml:
        return sign(ANNA, TEXT, encoding=encoding, options=XmlOptions(visible=f'charset="{encoding}"'))
    return sign(ANNA, TEXT, encoding=encoding)


class TestNonce:
    def test_the_same(self, sign: Sign) -> None:
        assert verify(sign(ANNA, TEXT, nonce="4711"))
        assert verify(replace(sign(ANNA, TEXT, nonce="4711"), nonce=None))
        assert verify(replace(sign(ANNA, TEXT, nonce="4711"), nonce=""))

    def test_another(self, sign: Sign) -> None:
        assert problem(replace(sign(ANNA, TEXT, nonce="4711"), nonce="4712")) is Problem.NONCE

    def test_none_in_the_signature(self, sign: Sign) -> None:
        assert problem(replace(sign(ANNA, TEXT), nonce="4711")) is Problem.NONCE
        assert problem(replace(sign(ANNA, TEXT), nonce=" ")) is Problem.NONCE

    def test_in_base64_on_one_side(self) -> None:
        encoded = b64encode(b"4711").decode()
        assert verify(replace(ISSUER.sign_xml(ANNA, TEXT, nonce=encoded), nonce="4711"))
        assert verify(replace(ISSUER.sign_cms(ANNA, TEXT, nonce="4711"), nonce=encoded))


class TestForm:
    @pytest.mark.parametrize(
        "raw",
        [b"", b" ", b"hello", b"<", b"<a/>", b"\xef\xbb\xbf", b"0", b"0\x00", b"0\x80\x00\x00", b"\x00", b"-----BEGIN"],
    )
    def test_is_unknown(self, raw: bytes) -> None:
        found = problem(UserSignature(raw, ANNA.certificate_text))
        assert found in (Problem.UNKNOWN_FORM, Problem.SHAPE)

    def test_is_too_large(self) -> None:
        assert problem(UserSignature(b"<" * 1_048_577, ANNA.certificate_text)) is Problem.TOO_LARGE

    def test_a_document_type_declaration(self) -> None:
        signature = ISSUER.sign_xml(ANNA, TEXT)
        declared = replace(signature, signature=b'<!DOCTYPE Signature [<!ENTITY e "x">]>' + signature.signature)
        assert problem(declared) is Problem.UNKNOWN_FORM

    def test_deep_asn1(self) -> None:
        assert problem(UserSignature(b"\x30\x80" * 100_000, ANNA.certificate_text)) is Problem.SHAPE


def test_nothing_that_was_sent_is_logged(sign: Sign, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    expired = ISSUER.person("192705178354", "Anna Andersson", expired=True)
    verify(sign(ANNA, TEXT, nonce="4711"))
    for signature, text in ((sign(expired, TEXT), TEXT), (sign(ANNA, TEXT), "other")):
        problem(signature, text)
    problem(sign(ANNA, TEXT), anchors=())
    assert not [word for word in ("192705178354", "Andersson", "Jag vill", "4711") if word in caplog.text]


def test_the_keys_of_an_issuer_may_be_new() -> None:
    issuer = EIdentificationIssuer(CLOCK, TestPki(CLOCK, new_keys=True))
    assert issuer.root.key.private_numbers() != ISSUER.root.key.private_numbers()
    assert verify(issuer.sign_cms(issuer.person("192705178354", "A B"), TEXT), anchors=issuer.anchors)
    assert problem(ISSUER.sign_cms(ANNA, TEXT), anchors=issuer.anchors) is Problem.UNKNOWN_ISSUER


def test_many_threads_use_one_verifier(sign: Sign) -> None:
    verifier = UserSignatureVerifier(ISSUER.anchors, CLOCK)
    work = [(person, sign(person, f"{TEXT}{n}"), f"{TEXT}{n}") for n in range(8) for person in (ANNA, OSKAR, ELSA)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: verifier.verify(each[1], each[2]).personal_number, work))
    assert found == [person.personal_number for person, _, _ in work]


@pytest.mark.parametrize("strange", ["\ud800", "\x00", "e\u0301"])
def test_strange_characters_are_refused_with_a_reason(sign: Sign, strange: str) -> None:
    assert problem(sign(ANNA, TEXT), TEXT + strange) is Problem.WRONG_TEXT
    assert problem(replace(sign(ANNA, TEXT, nonce="4711"), nonce=strange)) is Problem.NONCE
    assert problem(replace(sign(ANNA, TEXT), certificate=strange)) is Problem.CERTIFICATE_UNREADABLE
    assert problem(replace(sign(ANNA, TEXT), encoding=strange)) is Problem.ENCODING


class TestMark:
    @pytest.mark.parametrize("person", [ANNA, ELSA], ids=["rsa", "elliptic"])
    def test_is_the_same_when_the_signature_comes_again(self, sign: Sign, person: EIdentity) -> None:
        first, other = sign(person, TEXT, nonce="one"), sign(person, TEXT, nonce="two")
        assert verify(first).mark == verify(first).mark
        assert verify(first).mark != verify(other).mark
        assert len(verify(first).mark) == 64

    def test_of_an_elliptic_value_only_what_nobody_else_can_change(self) -> None:
        first = ISSUER.sign_xml(ELSA, TEXT)
        (begin, value, end) = re.split(rb"(?<=SignatureValue>)([^<]+)", first.signature)
        raw = b64decode(value)
        half = len(raw) // 2
        order = {32: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551}[half]
        turned = (order - int.from_bytes(raw[half:], "big")).to_bytes(half, "big")
        again = replace(first, signature=begin + b64encode(raw[:half] + turned) + end)
        assert again.signature != first.signature
        assert verify(again).mark == verify(first).mark

    def test_a_comment_in_the_value_is_refused(self) -> None:
        first = ISSUER.sign_xml(ANNA, TEXT)
        odd = first.signature.replace(b"</SignatureValue>", b"<!-- x -->AAAA</SignatureValue>")
        assert odd != first.signature
        assert problem(replace(first, signature=odd)) == Problem.SHAPE
