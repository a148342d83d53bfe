"""Class 1 on to recipients' own addresses: a mail server and an SMS gateway stand at the other ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mm_soap.demonstration import KOMMUN_A, RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B
from tests.e2e.suite import Demonstration, mm_soap, until
from tests.unit.channels.servers import Gateway, MailServer, mail_server, sms_gateway

ADDRESS, MOBILE = "nagon@example.org", "+46700000000"


@dataclass
class World:
    """Operator two tells its recipients by both channels."""

    demonstration: Demonstration
    mail: MailServer
    gateway: Gateway

    def notify(self, *recipients: str) -> dict[str, Any]:
        (self.demonstration.folder / "text.txt").write_text("Hej på dig.", encoding="utf-8")
        said = [
            *("--sender", KOMMUN_A.number, "--subject", "Ny post å", "--body", self.demonstration.folder / "text.txt"),
            *("--email-from", "info@kommun.example", "--email", "Du har fått post.", "--sms", "Du har post."),
            *(part for each in recipients for part in ("--recipient", each)),
        ]
        port = str(self.demonstration.servers[0].port)
        sent = mm_soap("notify", "--config", self.demonstration.config, *said, "--wait", "--json", MM_SOAP_PORT=port)
        assert sent.returncode in (0, 1), sent.stderr
        found: dict[str, Any] = json.loads(sent.stdout)
        return found


@pytest.fixture
def world(fresh: Demonstration) -> Iterator[World]:
    with mail_server() as mail, sms_gateway() as gateway:
        (fresh.folder / "password").write_text("hemligt\n")
        # After the last [[operator]]: a table of its own belongs to the last one before it.
        with fresh.config.open("a", encoding="utf-8") as file:
            file.write(
                f"""
[operator.email]
host = "127.0.0.1"
port = {mail.port}
security = "none"
sender = "post@brevlada.example"

[operator.sms]
url = "{gateway.url}"
user = "u1234"
password_file = "password"
"""
            )
        said = ("--email", ADDRESS, "--mobile", MOBILE, "--want", "EMail", "--want", "SMS")
        made = mm_soap("mailbox", "contact", RECIPIENT_AT_TWO, "--config", fresh.config, *said)
        assert made.returncode == 0, made.stderr
        fresh.serve()
        yield World(fresh, mail, gateway)


def channels_of(found: dict[str, Any]) -> dict[str, list[str]]:
    return {row["recipient"]: sorted(row["channels"]) for row in found["recipients"]}


def test_who_wants_it_gets_it_by_both_channels_and_the_sender_is_told(world: World) -> None:
    found = world.notify(RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B)
    assert channels_of(found) == {RECIPIENT_AT_TWO: ["EMail", "SMS"], RECIPIENT_WITHOUT_B: []}
    (email,) = world.mail.emails()
    assert (email["To"], email["Reply-To"], email["Subject"]) == (ADDRESS, "info@kommun.example", "Ny post å")
    assert "post@brevlada.example" in email["From"]
    body = email.get_body()
    assert body is not None
    assert "Du har fått post." in body.get_content()
    assert "Hej på dig" not in email.as_string()
    (text,) = world.gateway.texts
    assert (text["to"], text["message"]) == (MOBILE, "Du har post.")
    assert ADDRESS not in world.demonstration.servers[0].output()
    assert MOBILE not in world.demonstration.servers[0].output()


def test_what_a_channel_refuses_for_good_is_not_told(world: World) -> None:
    world.mail.refused[ADDRESS] = "550 no such user"
    assert channels_of(world.notify(RECIPIENT_AT_TWO)) == {RECIPIENT_AT_TWO: ["SMS"]}
    assert world.mail.taken == []


@pytest.mark.slow
def test_what_is_put_off_goes_later(world: World) -> None:
    world.mail.answers.append("451 later")
    assert channels_of(world.notify(RECIPIENT_AT_TWO)) == {RECIPIENT_AT_TWO: ["SMS"]}
    until(lambda: len(world.mail.taken) == 1, 60, "the e-mail that was put off")
    assert len(world.gateway.texts) == 1
