"""Every rule for messages, with its error code and the place that is told."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings

from mm_soap.errors import Refusal, Refused
from mm_soap.message import (
    Limits,
    Message,
    OfficialMatter,
    Party,
    SecureDelivery,
    SupportInfo,
    check_delivery,
    new_attachment,
)
from mm_soap.message.attachments import PDF
from tests.unit.message import samples
from tests.unit.message.samples import attachment, delivery, message
from tests.unit.message.strategies import deliveries

LIMITS = Limits()
MATTER = OfficialMatter(date(2026, 11, 21))


def refused(wrong: SecureDelivery, limits: Limits = LIMITS) -> tuple[Refusal, int, str]:
    with pytest.raises(Refused) as caught:
        check_delivery(wrong, limits)
    return caught.value.refusal, caught.value.refusal.code, caught.value.where


def matter(**changes: str) -> Message:
    return message(official_matter=OfficialMatter(date(2026, 11, 21), **changes))


@settings(max_examples=40)
@given(deliveries)
def test_deliveries_that_follow_the_rules_pass(good: SecureDelivery) -> None:
    check_delivery(good, LIMITS)


@pytest.mark.parametrize("kind", sorted(samples.FILES))
def test_each_type_of_attachment_passes(kind: str) -> None:
    check_delivery(delivery(message(attachments=(new_attachment("fil", kind, samples.FILES[kind]),))), LIMITS)


@pytest.mark.parametrize(
    ("wrong", "refusal", "code", "where"),
    [
        (delivery(sender=Party("192705178354", "A B")), Refusal.BAD_IDENTIFIER, 5001, "Header/Sender/Id"),
        (delivery(sender=Party("162021004747", "A B")), Refusal.BAD_IDENTIFIER, 5001, "Header/Sender/Id"),
        (delivery(recipient="192705178353"), Refusal.BAD_IDENTIFIER, 5001, "Header/Recipient"),
        (delivery(recipient="1927051783\u06654"), Refusal.BAD_IDENTIFIER, 5001, "Header/Recipient"),
        (delivery(sender=Party(samples.KOMMUN_A, "a" * 257)), Refusal.TEXT_TOO_LONG, 5001, "Header/Sender/Name"),
        (delivery(reference="a" * 51), Refusal.TEXT_TOO_LONG, 5001, "Header/Reference"),
        (delivery(message(id=" ")), Refusal.TEXT_MISSING, 5001, "Message[1]/Header/Id"),
        (delivery(message(id="a" * 256)), Refusal.TEXT_TOO_LONG, 5001, "Message[1]/Header/Id"),
        (delivery(message(id="a"), message(id="a")), Refusal.DUPLICATE_ID, 5001, "Message[2]/Header/Id"),
        (delivery(message(), message(subject="a" * 256)), Refusal.TEXT_TOO_LONG, 5001, "Message[2]/Header/Subject"),
        (delivery(message(language="sv_SE")), Refusal.RULE_BROKEN, 5001, "Message[1]/Header/Language"),
        (delivery(message(reply="YES")), Refusal.RULE_BROKEN, 5001, "Message[1]/Header/Reply"),
        (delivery(message(receipt_request="YES")), Refusal.RULE_BROKEN, 5001, "Message[1]/Header/ReceiptRequest"),
    ],
)
def test_headers(wrong: SecureDelivery, refusal: Refusal, code: int, where: str) -> None:
    assert refused(wrong) == (refusal, code, where)


@pytest.mark.parametrize(
    ("support", "refusal", "field"),
    [
        (SupportInfo("a" * 1025), Refusal.TEXT_TOO_LONG, "Text"),
        (SupportInfo(url="https://" + "a" * 250), Refusal.TEXT_TOO_LONG, "URL"),
        (SupportInfo(url="JavaScript:alert(1)"), Refusal.RULE_BROKEN, "URL"),
        (SupportInfo(url="data:text/html,x"), Refusal.RULE_BROKEN, "URL"),
        (SupportInfo(phone_number="0" * 256), Refusal.TEXT_TOO_LONG, "PhoneNumber"),
        (SupportInfo(email_address="a@b."), Refusal.RULE_BROKEN, "EmailAdress"),
        (SupportInfo(email_address="a-kommun.example"), Refusal.RULE_BROKEN, "EmailAdress"),
        (SupportInfo(email_address="a" * 250 + "@b.com.c"), Refusal.RULE_BROKEN, "EmailAdress"),
    ],
)
def test_support_information(support: SupportInfo, refusal: Refusal, field: str) -> None:
    assert refused(delivery(message(support=support))) == (refusal, 5001, f"Message[1]/Header/Supportinfo/{field}")


@pytest.mark.parametrize(
    ("wrong", "refusal", "field"),
    [
        (matter(event_id="a" * 256), Refusal.TEXT_TOO_LONG, "Identity/EventId"),
        (matter(official_matter_id="a" * 256), Refusal.TEXT_TOO_LONG, "Identity/OfficialMatterId"),
        (matter(preceding_event_id="a" * 256), Refusal.TEXT_TOO_LONG, "Identity/PrecedingEventId"),
        (matter(matter_subject="a" * 2001), Refusal.TEXT_TOO_LONG, "MatterSubject"),
        (matter(event_type="a" * 2001), Refusal.TEXT_TOO_LONG, "EventType"),
        (matter(matter_status="Closed"), Refusal.RULE_BROKEN, "MatterStatus"),
    ],
)
def test_official_matters(wrong: Message, refusal: Refusal, field: str) -> None:
    assert refused(delivery(wrong)) == (refusal, 5001, f"Message[1]/Header/OfficialMatter/{field}")


def test_check_digits_are_a_setting_and_forms_are_not() -> None:
    check_delivery(delivery(recipient="192705178353", sender=Party("162021004747", "A B")), Limits(check_digits=False))
    assert refused(delivery(recipient="19270517835"), Limits(check_digits=False))[0] is Refusal.BAD_IDENTIFIER


def test_the_size_counts_decoded_bytes_of_one_message() -> None:
    file = new_attachment("a.pdf", PDF, samples.PDF_BYTES)
    size = len(samples.PDF_BYTES) * 2 + 10
    full = message(body=b"x" * 10, attachments=(file, file))
    check_delivery(delivery(full, message(body=b"x" * 10, attachments=(file, file))), Limits(max_bytes=size))
    wrong = delivery(message(attachments=()), full)
    assert refused(wrong, Limits(max_bytes=size - 1)) == (Refusal.MESSAGE_TOO_LARGE, 5005, "Message[2]")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "TEXT/HTML", "text/html; charset=utf-8", 'text/html;charset="UTF-8"', "text/plain ;"]
)
def test_content_types_of_a_body(content_type: str) -> None:
    check_delivery(delivery(message(content_type=content_type)), LIMITS)


@pytest.mark.parametrize(
    "content_type",
    ["", "text", "text/xml", "text/html, text/plain", "text/html; charset=iso-8859-1", "application/pdf"],
)
def test_other_content_types_of_a_body(content_type: str) -> None:
    assert refused(delivery(message(content_type=content_type))) == (
        Refusal.CONTENT_TYPE,
        5019,
        "Message[1]/Body/ContentType",
    )


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_a_body_is_utf_8(kind: str) -> None:
    wrong = delivery(message(content_type=kind, body="å".encode("latin-1")))
    assert refused(wrong) == (Refusal.BODY_NOT_UTF8, 5001, "Message[1]/Body/Body")


def test_active_content_in_html_alone() -> None:
    body = b"<script>alert(1)</script>"
    check_delivery(delivery(message(content_type="text/plain", body=body)), LIMITS)
    wrong = delivery(message(content_type="text/html; charset=utf-8", body=body))
    assert refused(wrong) == (Refusal.ACTIVE_CONTENT, 5001, "Message[1]/Body/Body: script")


def test_html_that_cannot_be_looked_through() -> None:
    wrong = delivery(message(content_type="text/html", body=b"<p>" * 20_001))
    assert refused(wrong) == (Refusal.HTML_TOO_COMPLEX, 5001, "Message[1]/Body/Body")


@pytest.mark.parametrize(
    ("changes", "refusal", "code", "field"),
    [
        ({"content_type": "image/png"}, Refusal.CONTENT_TYPE, 5019, "ContentType"),
        ({"filename": ""}, Refusal.TEXT_MISSING, 5001, "Filename"),
        ({"filename": "a" * 256}, Refusal.TEXT_TOO_LONG, 5001, "Filename"),
        ({"filename": "a\x00.pdf"}, Refusal.BAD_FILENAME, 5001, "Filename"),
        ({"content_type": "text/calendar"}, Refusal.CONTENT_MISMATCH, 5019, "Body"),
        ({"checksum": ""}, Refusal.BAD_CHECKSUM, 5001, "Checksum"),
        ({"checksum": "0" * 32}, Refusal.BAD_CHECKSUM, 5001, "Checksum"),
        ({"body": samples.PDF_BYTES + b" "}, Refusal.BAD_CHECKSUM, 5001, "Checksum"),
    ],
)
def test_attachments(changes: dict[str, object], refusal: Refusal, code: int, field: str) -> None:
    wrong = delivery(message(), message(attachments=(attachment(), attachment(**changes))))
    assert refused(wrong) == (refusal, code, f"Message[2]/Attachment[2]/{field}")


def test_a_checksum_may_be_upper_or_lower_case() -> None:
    good = attachment()
    for checksum in (good.checksum.upper(), good.checksum.lower()):
        check_delivery(delivery(message(attachments=(attachment(checksum=checksum),))), LIMITS)


def test_a_refusal_says_nothing_that_was_sent() -> None:
    with pytest.raises(Refused) as caught:
        check_delivery(delivery(message(subject="hemligt" * 40)), LIMITS)
    assert "hemligt" not in str(caught.value)
