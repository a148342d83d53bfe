"""What stays and what is hidden in captured messages."""

from __future__ import annotations

import pytest

from mm_soap.conformance.masking import Masking, masked_text, readable

PERSON = "192705178354"


def masked(text: str) -> str:
    return Masking().message(text)


@pytest.mark.parametrize(
    "text",
    [
        f"<r:RecipientId>{PERSON}</r:RecipientId>",
        f"<Id a='1'>{PERSON}</Id>",
        "<Id>270517-8354</Id>",
        "<Id>19270517-8354</Id>",
        f"<recipientId>{PERSON[:5]}<!-- note -->{PERSON[5:]}</recipientId>",
        f"<recipientId>{PERSON[:5]}<?note x?>{PERSON[5:]}</recipientId>",
        f"<recipientId><![CDATA[{PERSON}]]></recipientId>",
        f"<recipientId>&#49;{PERSON[1:]}</recipientId>",
        f"<faultstring>The person {PERSON} is not here.</faultstring>",
        f"<broken>{PERSON}",
        f"<Id>{PERSON}0</Id>",
        f"<Id>{PERSON[:11]}</Id>",
        f'<!DOCTYPE E [<!ENTITY e "{PERSON}">]>',
    ],
)
def test_personal_numbers_are_hidden(text: str) -> None:
    shown = masked(text)
    assert "835" not in shown
    assert "characters, A)" in shown


@pytest.mark.parametrize(
    "element",
    [
        "<Body>SGVqIHDDpSBkaWc=</Body>",
        "<m:Body xmlns:m='urn:m'>SGVqIHDDpSBkaWc=</m:Body >",
        "<Body><![CDATA[SGVqIHDDpSBkaWc=]]></Body>",
        "<Subject>SGVqIHDDpSBkaWc=</Subject>",
        "<AgreementText>SGVqIHDDpSBkaWc=</AgreementText>",
        "<c:Signature>SGVqIHDDpSBkaWc=</c:Signature>",
        "<c:Certificate>SGVqIHDDpSBkaWc=</c:Certificate>",
        "<a:PossibleSigners><a:Id>x</a:Id><a:Name>SGVqIHDDpSBkaWc=</a:Name></a:PossibleSigners>",
        f"<Body>{'SGVqIHDDpSBkaWc=' * 40}",
    ],
)
def test_what_is_personal_is_hidden(element: str) -> None:
    shown = masked(f"<Message>{element}</Message>")
    assert "SGVq" not in shown
    assert "characters)" in shown


def test_the_mark_tells_the_length() -> None:
    assert masked("<Body>" + "A" * 123 + "</Body>") == "<Body>…(123 characters)</Body>"


@pytest.mark.parametrize(
    "text",
    [
        "<s:Body><getSenders xmlns='urn:x'/></s:Body>",
        "<s:Body>\n  </s:Body>",
        "<Id>162021004748</Id><Name>Kommun A</Name>",
        "<CallId>12345678-1234-1234-1234-1234567890ab</CallId>",
        "<ds:Signature><ds:SignedInfo/></ds:Signature>",
        "<Timestamp>2026-11-22T02:45:03.123456+00:00</Timestamp>",
        "<Description>The request does not follow the schema.</Description>",
        "",
        "<",
    ],
)
def test_the_rest_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_a_number_has_the_same_letter_wherever_it_comes_again() -> None:
    masking = Masking()
    assert (
        masking.message(f"<a>{PERSON}</a><b>191212121212</b>") == "<a>…(12 characters, A)</a><b>…(12 characters, B)</b>"
    )
    assert masking.message("<b>1912<!-- -->12121212</b>") == "<b>…(20 characters, B)</b>"
    many = [masking.message(f"{190000000000 + number}") for number in range(1000)]
    assert len(set(many)) == 1000


def test_sentences_lose_numbers_alone() -> None:
    assert masked_text(f"The id {PERSON} is not 162021004748.") == "The id …(12 characters) is not 162021004748."


def test_bytes_that_are_no_text_are_told_by_their_length() -> None:
    assert readable(b"\x1f\x8b" + b"x" * 8) == "(10 bytes, compressed)"
    assert readable("åäö".encode()) == "åäö"
    assert readable("åäö".encode("latin-1")) == "åäö"
    assert readable("åäö".encode("utf-16")) == "åäö"
