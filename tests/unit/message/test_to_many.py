"""Notifications and what recipients forward: read as written, and the rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mm_soap.contract import validate
from mm_soap.errors import Refusal, Refused
from mm_soap.message import (
    Email,
    Limits,
    Notification,
    Party,
    Sms,
    build_notification,
    check_forwarding,
    check_notification,
    new_attachment,
    new_message,
    read_forwarding,
    read_notification,
    require_few_recipients,
)
from mm_soap.xml import MESSAGE_V1, NOTIFICATION_V3, SENDER, SERVICE_V3, parse_untrusted

KOMMUN_A, RECIPIENT, OTHER = "162021004748", "192705178354", "189001619809"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))


def notification(**change: object) -> Notification:
    made = Notification(
        Party(KOMMUN_A, "Kommun A"),
        (RECIPIENT, OTHER),
        new_message("Ny post", text="Hej."),
        Email("info@kommun-a.example", "Ny post", "Du har ny post."),
        Sms("Kommun A", "Du har ny post."),
    )
    return replace(made, **change)  # type: ignore[arg-type]


def again(one: Notification) -> Notification:
    return read_notification(parse_untrusted(etree.tostring(build_notification(one), encoding="UTF-8")))


def refusal(one: Notification) -> Refusal:
    with pytest.raises(Refused) as caught:
        check_notification(one, Limits())
    return caught.value.refusal


@given(TEXT, TEXT, TEXT, st.booleans(), st.booleans())
def test_what_is_built_is_read_again(subject: str, text: str, sms: str, with_email: bool, with_sms: bool) -> None:
    one = notification(
        message=new_message(subject, text=text),
        email=Email("a@b.se", subject, text) if with_email else None,
        sms=Sms("Kommun A", sms) if with_sms else None,
    )
    assert again(one) == one


def test_what_is_built_follows_the_schema() -> None:
    inside = etree.tostring(build_notification(notification(reference="r", correlation_id="c", attention="a")))
    named = inside.replace(b"NotificationDelivery", b"notificationDelivery")
    validate(parse_untrusted(b'<distribute xmlns="%s">%s</distribute>' % (NOTIFICATION_V3.encode(), named)))


def test_a_recipient_that_is_named_twice_is_taken_once() -> None:
    assert again(notification(recipients=(RECIPIENT, OTHER, RECIPIENT))).recipients == (RECIPIENT, OTHER)


def test_a_right_one_passes() -> None:
    check_notification(notification(), Limits())
    check_notification(notification(email=None, sms=None), Limits())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sender": Party(RECIPIENT, "Person")}, Refusal.BAD_IDENTIFIER),
        ({"recipients": (RECIPIENT, "192705178355")}, Refusal.BAD_IDENTIFIER),
        ({"reference": "x" * 51}, Refusal.TEXT_TOO_LONG),
        ({"message": new_message("x" * 256, text="")}, Refusal.TEXT_TOO_LONG),
        ({"message": new_message("x", html="<script>1</script>")}, Refusal.ACTIVE_CONTENT),
        ({"message": new_message("x", text="y" * 2_097_153)}, Refusal.MESSAGE_TOO_LARGE),
        ({"email": Email("nobody", "s", "t")}, Refusal.RULE_BROKEN),
        ({"email": Email("a@b.se", "s" * 255, "t")}, Refusal.TEXT_TOO_LONG),
        ({"email": Email("a@b.se", "s\r\nBcc: x@y.se", "t")}, Refusal.RULE_BROKEN),
        ({"email": Email("a@b.se\n", "s", "t")}, Refusal.RULE_BROKEN),
        ({"sms": Sms("x" * 12, "t")}, Refusal.TEXT_TOO_LONG),
        ({"sms": Sms("x", "t" * 161)}, Refusal.TEXT_TOO_LONG),
        ({"sms": Sms("x\ny", "t")}, Refusal.RULE_BROKEN),
    ],
)
def test_what_is_refused(change: dict[str, object], expected: Refusal) -> None:
    assert refusal(notification(**change)) is expected


def test_more_recipients_than_allowed_have_a_code_of_their_own() -> None:
    def payload(number: int) -> etree._Element:
        rows = f'<Recipient xmlns="{MESSAGE_V1}">{RECIPIENT}</Recipient>' * number
        return parse_untrusted(f'<d xmlns="{NOTIFICATION_V3}"><n><Header>{rows}</Header></n></d>'.encode())

    require_few_recipients(payload(1000))
    with pytest.raises(Refused) as caught:
        require_few_recipients(payload(1001))
    assert caught.value.refusal is Refusal.TOO_MANY


@pytest.mark.parametrize("broken", [b"<Message>", b"<Extra/><Message>"])
def test_what_breaks_the_schema_is_refused_here_too(broken: bytes) -> None:
    document = etree.tostring(build_notification(notification()))
    changed = document.replace(b"<Message>", broken) if b"Extra" in broken else document.replace(b"<Message>", b"<M>")
    changed = changed if b"Extra" in broken else changed.replace(b"</Message>", b"</M>")
    with pytest.raises(Refused) as caught:
        read_notification(parse_untrusted(changed))
    assert caught.value.refusal is Refusal.SCHEMA_VIOLATION


def forwarding(subject: str = "Se här", recipients: tuple[str, ...] = (OTHER,), more: str = "") -> bytes:
    to = "".join(f'<Recipient xmlns="{MESSAGE_V1}">{each}</Recipient>' for each in recipients)
    return (
        f'<ForwardDelivery xmlns="{SERVICE_V3}"><Header><Sender xmlns="{MESSAGE_V1}">'
        f'<Id xmlns="{SENDER}">{RECIPIENT}</Id><Name xmlns="{SENDER}">Tolvan</Name></Sender>{to}</Header>'
        f'<Message><Subject xmlns="{MESSAGE_V1}">{subject}</Subject><Body xmlns="{MESSAGE_V1}">'
        f"<ContentType>text/plain</ContentType><Body>SGVq</Body></Body></Message>{more}</ForwardDelivery>"
    ).encode()


def test_what_a_recipient_forwards_is_read() -> None:
    read = read_forwarding(parse_untrusted(forwarding(more="<MessageIdToForward>m-1</MessageIdToForward>")))
    assert (read.sender.id, read.recipients, read.subject, read.body) == (RECIPIENT, (OTHER,), "Se här", b"Hej")
    assert read.message_id == "m-1"
    check_forwarding(read, Limits())


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (forwarding("x" * 256), Refusal.TEXT_TOO_LONG),
        (forwarding(recipients=("192705178355",)), Refusal.BAD_IDENTIFIER),
        (forwarding().replace(b"text/plain", b"image/png"), Refusal.CONTENT_TYPE),
        (forwarding().replace(b"SGVq", b"/w=="), Refusal.BODY_NOT_UTF8),
    ],
)
def test_what_of_a_forwarding_is_refused(document: bytes, expected: Refusal) -> None:
    with pytest.raises(Refused) as caught:
        check_forwarding(read_forwarding(parse_untrusted(document)), Limits())
    assert caught.value.refusal is expected


def test_a_notification_has_no_attachments() -> None:
    one = notification(message=replace(new_message("x", text="y"), attachments=(new_attachment("a", "b", b"c"),)))
    assert again(one).message.attachments == ()
