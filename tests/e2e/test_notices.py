"""Recipients are told of their post: a mail server and an SMS gateway stand at the other ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from mm_soap.config import load
from mm_soap.demonstration import KOMMUN_A, OPERATOR_TWO, RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B
from tests.e2e.suite import Demonstration, Result, a_message, distribute, final_status, get, letter, mm_soap, until
from tests.unit.channels.servers import Gateway, MailServer, mail_server, sms_gateway
from tests.unit.channels.test_bounces import report

ADDRESS, MOBILE = "nagon@example.org", "+46700000000"
AN_HOUR = pytest.mark.parametrize("world", [3600], indirect=True)
"""Post is collected for an hour; `World.hurry` ends it."""


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

    def send(self, subject: str = "Provsvar") -> None:
        """Send a secure message, and wait until it is in the mailbox."""
        url = self.demonstration.servers[0].url
        document = self.demonstration.signed(letter(RECIPIENT_AT_TWO, a_message(subject, "Hemligt.")))
        assert final_status(url, distribute(url, document)) == ("Digital", "Delivered")

    def contact(self, *changes: str) -> dict[str, Any]:
        """Change the recipient's contact settings, and return them."""
        said = ("mailbox", "contact", RECIPIENT_AT_TWO, "--config", self.demonstration.config, *changes, "--json")
        done = mm_soap(*said)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def hurry(self) -> None:
        """Let what is collected go now: a changed setting is looked at when the new window is over."""
        config = self.demonstration.config
        config.write_text(config.read_text().replace("collect_seconds = 3600", "collect_seconds = 0"))
        self.contact("--language", "en")

    def written_down(self) -> int:
        """Return of how many notices the operator knows that they ended: only then they go once."""
        with closing(sqlite3.connect(load(self.demonstration.config).operator[1].database)) as database:
            found: int = database.execute("SELECT count(*) FROM post_notice WHERE ended IS NOT NULL").fetchone()[0]
        return found

    def bounce(self, report: bytes) -> Result:
        """Pipe an e-mail into the command, as a mail server does."""
        return mm_soap("mailbox", "bounce", "--config", self.demonstration.config, "--json", piped=report)


@pytest.fixture
def world(fresh: Demonstration, request: pytest.FixtureRequest) -> Iterator[World]:
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
sender = "KommunA"

[operator.notices]
collect_seconds = {getattr(request, "param", 0)}
refusals = 2
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


# Secure post


@AN_HOUR
def test_secure_post_is_told_once_and_nothing_of_it(world: World) -> None:
    world.send("Provsvar ett")
    world.send("Provsvar två")
    world.hurry()
    until(lambda: bool(world.mail.taken and world.gateway.texts), 60, "the notices")
    (email,), (text,) = world.mail.emails(), world.gateway.texts
    server = world.demonstration.servers[0]
    inbox = f"{server.url}/brevlada-tva/Inbox"
    assert (email["To"], email["Subject"]) == (ADDRESS, "New post in your digital mailbox")
    assert email["From"] == "Brevlåda Två <post@brevlada.example>"
    assert (email["Auto-Submitted"], email["Content-Language"]) == ("auto-generated", "en-GB")
    assert email["List-Unsubscribe"] == f"<{inbox}/contact>"
    parts = {part.get_content_type(): part.get_content() for part in email.walk() if not part.is_multipart()}
    assert sorted(parts) == ["text/html", "text/plain"]
    assert (text["to"], text["from"]) == (MOBILE, "KommunA")
    for said in (*parts.values(), text["message"]):
        assert inbox in said
        for secret in ("Provsvar", "Hemligt", "Kommun A", KOMMUN_A.number, RECIPIENT_AT_TWO):
            assert secret not in said
    log = server.output()
    assert not any(secret in log for secret in (ADDRESS, MOBILE, RECIPIENT_AT_TWO))


@AN_HOUR
@pytest.mark.slow
def test_a_killed_operator_tells_once(world: World) -> None:
    world.send("Ett")
    world.demonstration.servers[0].kill()
    assert world.mail.taken == []
    world.hurry()
    world.demonstration.servers[0].start()
    until(lambda: bool(world.mail.taken and world.gateway.texts), 60, "the notices after the kill")
    until(lambda: world.written_down() == 2, 60, "what was told to be written down")
    world.demonstration.servers[0].kill()
    world.demonstration.servers[0].start()
    # What is told next shows that nothing more came of the first one.
    world.send("Två")
    until(lambda: len(world.mail.taken) > 1 and len(world.gateway.texts) > 1, 60, "the next notices")
    assert (len(world.mail.taken), len(world.gateway.texts)) == (2, 2)
    assert len({email["Message-ID"] for email in world.mail.emails()}) == 2


@pytest.mark.slow
def test_an_address_that_refuses_is_left_alone_until_its_recipient_says_otherwise(world: World) -> None:
    world.mail.refused[ADDRESS] = "550 5.1.1 no such user"
    for number in (1, 2):
        world.send()
        until(lambda number=number: len(world.gateway.texts) == number, 60, "the text message")  # type: ignore[misc]
        until(lambda number=number: bool(world.contact()["not_working"]) == (number == 2), 60, "the count")  # type: ignore[misc]
    assert list(world.contact()["not_working"]) == ["EMail"]
    metrics = get(f"{world.demonstration.servers[0].url}/metrics")[1].decode()
    assert f'mm_soap_notices_late{{party="operator:{OPERATOR_TWO.number}",channel="EMail"}} 0' in metrics
    world.mail.refused.clear()
    world.send()
    until(lambda: len(world.gateway.texts) == 3, 60, "the text message")
    assert world.mail.taken == []
    assert world.contact("--try-again", "EMail")["not_working"] == {}
    world.send()
    until(lambda: len(world.mail.taken) == 1, 60, "the e-mail")


@pytest.mark.slow
def test_e_mail_that_comes_back_is_counted(world: World) -> None:
    for number in (1, 2):
        world.send()
        until(lambda number=number: len(world.mail.taken) == number, 60, "the e-mail")  # type: ignore[misc]
    first, second = (email["Message-ID"] for email in world.mail.emails())
    assert first != second
    results = []
    for piped in (b"Hej!", report(message_id=first), report(message_id=first), report(message_id=second)):
        done = world.bounce(piped)
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout)["result"])
    assert results == ["unknown", "counted", "unknown", "failed"]
    assert list(world.contact()["not_working"]) == ["EMail"]


def test_the_command_for_e_mail_that_comes_back_asks_to_try_again_where_the_settings_are_wrong(world: World) -> None:
    world.demonstration.config.write_text("profile = 1\n")
    done = world.bounce(report())
    assert (done.returncode, done.stdout) == (75, "")
    assert "mm-soap.toml" in done.stderr
