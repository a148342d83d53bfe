"""Reading a delivery from its verified element, and building one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import etree

from mm_soap.contract import validate
from mm_soap.errors import Refusal, Refused
from mm_soap.message import (
    Metadata,
    OfficialMatter,
    Party,
    SecureDelivery,
    SupportInfo,
    build_delivery,
    new_message,
    read_delivery,
)
from mm_soap.message.elements import decode_base64
from mm_soap.xml import DSIG, MESSAGE_V1, MESSAGE_V3, OFFICIAL_MATTER_V3, SENDER, parse_untrusted
from tests.unit.message import samples
from tests.unit.message.strategies import deliveries

VECTORS = Path(__file__).parents[2] / "vectors"
FULL = samples.delivery(
    samples.message(
        support=SupportInfo("Ring oss", "https://kommun-a.example", "08-000", "a@kommun-a.example"),
        metadata=(Metadata("ärende", "7"), Metadata("", "")),
        official_matter=OfficialMatter(date(2026, 11, 21), "e1", "m1", "e0", "Bygglov", "Beslut", "closed"),
        reply="NOT_ALLOWED",
        receipt_request="SIMPLE",
    ),
    samples.message(attachments=(), official_matter=OfficialMatter(date(2026, 11, 21))),
    sender=Party(samples.KOMMUN_A, 'Åmåls "kommun" & Co', "Enhet 1"),
    reference="ref",
    correlation_id="",
    attention="Kim",
)


def in_request(root: etree._Element) -> etree._Element:
    """The distributeSecure that would carry this delivery, with a signature of the right form."""
    signature = (
        f'<Signature xmlns="{DSIG}"><SignedInfo><CanonicalizationMethod Algorithm="a"/><SignatureMethod Algorithm="a"/>'
        '<Reference URI=""><DigestMethod Algorithm="a"/><DigestValue>AA==</DigestValue></Reference></SignedInfo>'
        "<SignatureValue>AA==</SignatureValue></Signature></signedDelivery>"
    )
    written = etree.tostring(root).decode().replace("<SignedDelivery", "<signedDelivery", 1)
    written = written.removesuffix("</SignedDelivery>") + signature
    return parse_untrusted(f'<distributeSecure xmlns="{MESSAGE_V3}">{written}</distributeSecure>'.encode())


@settings(max_examples=60)
@given(deliveries)
def test_a_delivery_is_read_as_it_was_built(delivery: SecureDelivery) -> None:
    assert read_delivery(build_delivery(delivery)) == delivery


@settings(max_examples=40)
@given(deliveries)
def test_a_delivery_travels_as_bytes_and_follows_the_schema(delivery: SecureDelivery) -> None:
    root = build_delivery(delivery)
    assert read_delivery(parse_untrusted(etree.tostring(root))) == delivery
    validate(in_request(root))


def test_every_field_travels() -> None:
    assert read_delivery(parse_untrusted(etree.tostring(build_delivery(FULL)))) == FULL
    validate(in_request(build_delivery(FULL)))


@settings(max_examples=20)
@given(deliveries)
def test_what_is_built_has_no_prefix(delivery: SecureDelivery) -> None:
    root = build_delivery(delivery)
    assert all(element.prefix is None and set(element.nsmap) == {None} for element in root.iter())


def test_each_change_of_namespace_is_declared_once() -> None:
    written = etree.tostring(build_delivery(FULL)).decode()
    assert not re.search(r"xmlns:|</?[A-Za-z]+:", written)
    assert written.startswith(f'<SignedDelivery xmlns="{MESSAGE_V3}"><Delivery><Header><Sender xmlns="')
    assert f'<Id xmlns="{SENDER}">{samples.KOMMUN_A}</Id>' in written
    assert f'<ContentType xmlns="{MESSAGE_V1}">text/plain</ContentType>' in written
    assert f'<OfficialMatterExtension><Timestamp xmlns="{OFFICIAL_MATTER_V3}">' in written


@pytest.mark.skipif(not VECTORS.exists(), reason="the signed samples are not there")
def test_foreign_samples_are_read() -> None:
    paths = sorted(path for path in VECTORS.glob("*/*.xml") if path.parent.name != "broken")
    assert paths
    for path in paths:
        delivery = read_delivery(parse_untrusted(path.read_bytes()))
        assert delivery.sender == Party(samples.KOMMUN_A, 'Åmåls "kommun" & Co')
        assert delivery.recipient == "191212121212"
        assert [message.body.decode() for message in delivery.messages] == ["Hej världen!"]


def changed(pattern: str, replacement: str, delivery: SecureDelivery = FULL) -> etree._Element:
    written, count = re.subn(pattern, replacement, etree.tostring(build_delivery(delivery)).decode(), count=1)
    assert count == 1
    return parse_untrusted(written.encode())


def test_text_is_taken_whole() -> None:
    read = read_delivery(changed(">Beslut<", ">Be<!-- hidden --><![CDATA[sl]]><?pi x?>ut<"))
    assert read.messages[0].subject == "Beslut"


def test_base64_may_have_xml_white_space_also_after_a_comment() -> None:
    body = samples.PDF_BYTES
    root = build_delivery(samples.delivery())
    element = next(root.iter(f"{{{MESSAGE_V3}}}Attachment"))[1]
    element.text = "\r\n\t " + " ".join(element.text or "") + "\n"
    element.insert(0, etree.Comment("x"))
    assert read_delivery(root).messages[0].attachments[0].body == body


@pytest.mark.parametrize(
    ("text", "content"),
    [("", b""), (" \n", b""), ("QUJD", b"ABC"), ("QUI=", b"AB"), ("Q\tU\r\nI =", b"AB"), ("QQ= =", b"A")],
)
def test_base64(text: str, content: bytes) -> None:
    assert decode_base64(text) == content


@pytest.mark.parametrize(
    "text",
    ["Q", "QUI", "QQ", "QQ=", "QUJD=", "=", "QUI=QUI=", "QUK=", "QR==", "QU!D", "QUJ-", "QU\xa0JD", "QUJD\x0b", "QUé="],
)
def test_what_is_no_base64(text: str) -> None:
    assert decode_base64(text) is None


@pytest.mark.parametrize(
    ("pattern", "replacement", "where"),
    [
        (r"<Recipient [^<]*</Recipient>", "", "Header/Recipient"),
        (r"(<Recipient [^<]*</Recipient>)", r"\1\1", "Header/Recipient"),
        (r"<Subject>Beslut</Subject>", "", "Message[1]/Header/Subject"),
        (r"<Subject>Beslut</Subject>", "<Subject>Be<b/>slut</Subject>", "Message[1]/Header/Subject"),
        (r"<Subject>", "<Unknown/><Subject>", "Message[1]/Header"),
        (r"<Language>svSE</Language>", "", "Message[1]/Header/Language"),
        (r"(<Body xmlns=[^>]*>)", r"\1*", "Message[1]/Body/Body"),
        (r"(<Attachment>.*?<Body xmlns=[^>]*>)", r"\1*", "Message[1]/Attachment[1]/Body"),
        (r"<Tag xmlns=[^<]*</Tag>", "", "Message[1]/Header/Metadata[1]/Tag"),
        (r">2026-11-21<", ">2026-02-30<", "Message[1]/Header/OfficialMatter/Timestamp"),
        (r"<Message>.*</Message>", "", "Message"),
        (r"<Delivery>.*</Delivery>", "", "Delivery"),
        (r"SignedDelivery xmlns=\"[^\"]*\"(.*)", r'SignedDelivery xmlns="urn:x"\1', "SignedDelivery"),
        (r"<Sender xmlns=\"[^\"]*\"", '<Sender xmlns="urn:x"', "Header"),
    ],
)
def test_what_does_not_follow_the_schema_is_refused(pattern: str, replacement: str, where: str) -> None:
    with pytest.raises(Refused) as caught:
        read_delivery(changed(pattern, replacement))
    assert caught.value.refusal is Refusal.SCHEMA_VIOLATION
    assert caught.value.where == where


def test_collapsed_types_and_a_date_with_a_zone() -> None:
    root = changed(">2026-11-21<", "> 2026-11-21+01:00\n<")
    for element in root.iter(f"{{{MESSAGE_V3}}}Language", f"{{{MESSAGE_V3}}}URL"):
        element.text = f"\n {element.text} "
    assert read_delivery(root) == FULL


def test_an_official_matter_in_the_global_element_is_read() -> None:
    written = etree.tostring(build_delivery(FULL)).decode()
    written = written.replace("<OfficialMatterExtension>", f'<OfficialMatterExtension xmlns="{OFFICIAL_MATTER_V3}">')
    assert read_delivery(parse_untrusted(written.encode())) == FULL


@pytest.mark.parametrize("content", ["", '<x:Own xmlns:x="urn:x">1</x:Own>'])
def test_an_official_matter_of_other_content_is_none(content: str) -> None:
    root = changed("<OfficialMatterExtension>.*?</OfficialMatterExtension>", content)
    assert read_delivery(root).messages[0].official_matter is None


def test_agreed_elements_in_the_extension_are_passed_over() -> None:
    root = changed("(</Timestamp>)", r'\1<x:Own xmlns:x="urn:x">1</x:Own>')
    assert read_delivery(root) == FULL


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\ufffe", "\ud800"])
def test_a_character_that_xml_cannot_hold_is_refused(character: str) -> None:
    with pytest.raises(Refused) as caught:
        build_delivery(samples.delivery(samples.message(subject=f"a{character}b")))
    assert caught.value.refusal is Refusal.RULE_BROKEN
    assert caught.value.where == "Subject"


def test_a_new_message() -> None:
    first = new_message("Ämne", html="<p>Hej</p>", attachments=[("a.pdf", "application/pdf", b"%PDF-")])
    assert (first.content_type, first.body, first.language) == ("text/html", b"<p>Hej</p>", "svSE")
    assert first.attachments[0].checksum == "561318f0d57972e7c62fe701849032af"
    assert new_message("a", text="").id != new_message("a", text="").id
    with pytest.raises(ValueError, match="either text or html"):
        new_message("a")
    with pytest.raises(ValueError, match="either text or html"):
        new_message("a", text="", html="")


def test_nothing_that_was_sent_is_in_a_repr() -> None:
    shown = repr(replace(FULL, correlation_id=None))
    for secret in (samples.RECIPIENT, "Beslut", "Hej", "beslut.pdf", "Kim", "Bygglov", "Ring", "ärende"):
        assert secret not in shown
