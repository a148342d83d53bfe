"""The adapter of 46elks against the recorded exchanges."""

from __future__ import annotations

from typing import Any

import pytest

from mm_soap.channels import ChannelError, ElksGateway, SmsChannel
from mm_soap.message import new_attachment, new_message
from tests.unit.channels.letters import CONTACT, ORIGIN, a_letter
from tests.unit.channels.servers import EXCHANGES, exchange, sms_gateway


@pytest.mark.parametrize("name", [each["name"] for each in EXCHANGES])
def test_each_exchange_goes_as_it_was_recorded(name: str) -> None:
    recorded = exchange(name)
    with sms_gateway() as gateway:
        gateway.next.append(name)
        channel = SmsChannel(ElksGateway("u1234", "hemligt", url=gateway.url))
        outcome = _outcome(channel)
    (request,) = gateway.requests
    expected = recorded["request"]
    assert (request["method"], request["path"], request["body"]) == (
        expected["method"],
        expected["path"],
        expected["body"],
    )
    assert request["headers"].items() >= expected["headers"].items()
    assert outcome == recorded["outcome"]


def _outcome(channel: SmsChannel) -> dict[str, Any]:
    try:
        return {"id": channel.send(a_letter()).reference}
    except ChannelError as error:
        return {"technical": error.technical, "reason": str(error)}


@pytest.mark.parametrize("name", ["failed at once", "wrong number", "wrong password", "no credit", "out of order"])
def test_which_refusals_are_for_the_sake_of_the_number(name: str) -> None:
    with sms_gateway() as gateway:
        gateway.next.append(name)
        channel = SmsChannel(ElksGateway("u1234", "hemligt", url=gateway.url))
        with pytest.raises(ChannelError) as caught:
            channel.send(a_letter())
    assert caught.value.address is (name in ("failed at once", "wrong number"))


def test_nobody_there() -> None:
    with sms_gateway() as gateway:
        pass
    outcome = _outcome(SmsChannel(ElksGateway("u", "hemligt", url=gateway.url)))
    assert outcome["technical"]
    assert "hemligt" not in outcome["reason"]


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        (a_letter(contact=type(CONTACT)()), "no mobile is known"),
        (a_letter(origin=type(ORIGIN)("1", "A")), "no name for text messages"),
        (a_letter(new_message("a", text="b"), new_message("c", text="d")), "several messages"),
        (a_letter(new_message("a", text="b" * 600)), "longer than 600"),
    ],
)
def test_what_cannot_go_as_a_text_message(letter: Any, why: str) -> None:
    assert why in (SmsChannel(ElksGateway("u", "p")).obstacle(letter) or "")


def test_a_text_message_takes_no_attachments() -> None:
    message = new_message("a", text="b", attachments=[("c.pdf", "application/pdf", b"%PDF-")])
    assert new_attachment("c.pdf", "application/pdf", b"%PDF-") in message.attachments
    assert SmsChannel(ElksGateway("u", "p")).obstacle(a_letter(message)) == "a text message takes no attachments"


def test_html_goes_as_text() -> None:
    with sms_gateway() as gateway:
        channel = SmsChannel(ElksGateway("u1234", "hemligt", url=gateway.url))
        channel.send(a_letter(new_message("Hej", html="<p>Ett <b>två</b></p><p>tre</p>")))
    assert gateway.texts == [{"from": "KommunA", "to": "+46701740605", "message": "Hej\nEtt två\n\ntre"}]
