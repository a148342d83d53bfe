"""E-mail to a mail server: what it gets, and what its answers mean."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mm_soap.channels import ChannelError, SmtpChannel, WrittenEmail
from mm_soap.message import SupportInfo, new_message
from tests.unit.channels.letters import CONTACT, ORIGIN, a_letter
from tests.unit.channels.servers import MailServer, mail_server

PDF = b"%PDF-1.4 \x00\xff"


def plain(server: MailServer, **more: Any) -> SmtpChannel:
    return SmtpChannel("127.0.0.1", server.port, "none", timeout=5, **more)


def test_text_html_and_attachments_arrive() -> None:
    message = new_message(
        "Beslut om  bygglov\u00e5",
        html="<p>Hej <b>Šejla</b>, se <a href='https://kommun.example/x'>här</a>.</p>",
        attachments=[("../Karta över Åbo.pdf", "application/pdf", PDF)],
        support=SupportInfo("Frågor? <Ring>", phone_number="08-1", email_address="hjalp@kommun.example"),
    )
    with mail_server() as server:
        sent = plain(server).send(a_letter(message))
    (envelope,), (email,) = server.taken, server.emails()
    assert (envelope.mail_from, envelope.rcpt_tos) == (ORIGIN.email, [CONTACT.email])
    assert email["Message-ID"] == sent.reference == "<7d0c7c4e-3f0f-4d65-9a0c-5d3a2b1c0d9e.1@kommun.example>"
    assert (email["Subject"], email["From"], email["To"]) == (
        "Beslut om bygglovå",
        "Kommun Å <post@kommun.example>",
        "Šejla Nguyễn <sejla@example.org>",
    )
    assert (email["Reply-To"], email["Content-Language"], email["Auto-Submitted"]) == (
        "hjalp@kommun.example",
        "sv-SE",
        "auto-generated",
    )
    text, html = email.get_body(["plain"]), email.get_body(["html"])
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == (
        "Hej Šejla, se här <https://kommun.example/x>.\n\nFrågor? <Ring>\n08-1\nhjalp@kommun.example\n"
    )
    assert "Frågor? &lt;Ring&gt;" in html.get_content()
    (attachment,) = email.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content_type(), attachment.get_content()) == (
        "_Karta över Åbo.pdf",
        "application/pdf",
        PDF,
    )


def test_a_resend_is_recognisable() -> None:
    letter = a_letter(new_message("a", text="b"), new_message("c", text="d"))
    with mail_server() as server:
        plain(server).send(letter)
        plain(server).send(letter)
    ids = [email["Message-ID"] for email in server.emails()]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2
    assert len({email["Date"] for email in server.emails()}) == 1


@pytest.mark.parametrize(
    ("refused", "answers", "technical", "reason"),
    [
        ({CONTACT.email: "550 no such user here, sejla"}, [], False, "the mail server refused the address with 550"),
        ({CONTACT.email: "450 greylisted"}, [], True, "the mail server put off the address with 450"),
        ({}, ["554 spam"], False, "the mail server refused the message with 554"),
        ({}, ["451 full"], True, "the mail server put off the message with 451"),
    ],
)
def test_what_the_answers_mean(refused: dict[str, str], answers: list[str], technical: bool, reason: str) -> None:
    with mail_server() as server:
        server.refused |= refused
        server.answers += answers
        channel = plain(server)
        with pytest.raises(ChannelError) as caught:
            channel.send(a_letter())
    assert (caught.value.technical, str(caught.value)) == (technical, reason)


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        ("550 no such user", True),
        ("550 5.1.1 no such user", True),
        ("552 5.2.2 full", True),
        ("550 5.7.1 relaying denied", False),
        ("530 log in first", False),
        ("450 later", False),
    ],
)
def test_which_refusals_are_for_the_sake_of_the_address(answer: str, address: bool) -> None:
    with mail_server() as server:
        server.refused[CONTACT.email] = answer
        channel = plain(server)
        with pytest.raises(ChannelError) as caught:
            channel.send(a_letter())
    assert caught.value.address is address


WRITTEN = WrittenEmail(
    "0123", ORIGIN, "nagon@example.org", "Ny  post å", "Du har ny post.\n", "sv-SE", datetime(2026, 3, 1, tzinfo=UTC)
)


def test_what_is_written_already_says_that_a_program_sends_it_and_where_it_is_turned_off() -> None:
    written = replace(WRITTEN, html="<p>Du har ny post.</p>", unsubscribe="https://brevlada.example/Inbox/contact")
    with mail_server() as server:
        sent = plain(server).send_written(written)
        plain(server).send_written(written)
    first, second = server.emails()
    assert (server.taken[0].mail_from, server.taken[0].rcpt_tos) == (ORIGIN.email, [written.to])
    assert first.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content().strip() for part in first.iter_parts()] == ["Du har ny post.", "<p>Du har ny post.</p>"]
    expected = {
        "Message-ID": "<0123@kommun.example>",
        "From": "Kommun Å <post@kommun.example>",
        "To": "nagon@example.org",
        "Subject": "Ny post å",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": "<https://brevlada.example/Inbox/contact>",
        "Content-Language": "sv-SE",
        "MIME-Version": "1.0",
    }
    assert {name: first[name] for name in expected} == expected
    assert sent.reference == first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert all(ord(letter) < 128 for letter in first.as_string())
    assert [part.defects for part in first.walk()] == [[], [], []]


def test_what_is_written_already_may_be_text_alone() -> None:
    with mail_server() as server:
        plain(server).send_written(replace(WRITTEN, reply_to="info@kommun.example"))
    (email,) = server.emails()
    assert (email.get_content_type(), email["Reply-To"], email["List-Unsubscribe"]) == (
        *("text/plain", "info@kommun.example"),
        None,
    )


@pytest.mark.parametrize("field", ["to", "reply_to"])
def test_nobody_adds_a_header(field: str) -> None:
    hostile: dict[str, Any] = {field: "a@b.example\r\nBcc: c@d.example"}
    with mail_server() as server, pytest.raises(ChannelError) as caught:
        plain(server).send_written(replace(WRITTEN, **hostile))
    assert not caught.value.technical
    assert server.taken == []


def test_nobody_there() -> None:
    with mail_server() as server:
        pass
    with pytest.raises(ChannelError) as caught:
        plain(server).send(a_letter())
    assert caught.value.technical
    assert CONTACT.email not in str(caught.value)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_under_tls(tls: tuple[ssl.SSLContext, Path], security: Any) -> None:
    context, anchors = tls
    options: dict[str, Any] = {"tls": context} if security == "starttls" else {"ssl_context": context}
    with mail_server(**options) as server:
        login = ("mm", "hemligt") if security == "starttls" else ("", "")
        channel = SmtpChannel("localhost", server.port, security, *login, timeout=5, anchors=anchors)
        assert "hemligt" not in repr(channel)
        channel.send(a_letter())
        strangers = SmtpChannel("localhost", server.port, security, *login, timeout=5)
        with pytest.raises(ChannelError) as caught:
            strangers.send(a_letter())
    assert caught.value.technical
    assert len(server.taken) == 1
    assert server.logins == ([(b"mm", b"hemligt")] if security == "starttls" else [])


def test_a_wrong_password_is_for_whoever_runs_this(tls: tuple[ssl.SSLContext, Path]) -> None:
    context, anchors = tls
    with mail_server(context) as server, pytest.raises(ChannelError) as caught:
        SmtpChannel("localhost", server.port, "starttls", "mm", "fel", timeout=5, anchors=anchors).send(a_letter())
    assert (caught.value.technical, str(caught.value)) == (True, "the mail server answered 535")


def test_a_server_without_starttls_gets_nothing() -> None:
    with mail_server() as server, pytest.raises(ChannelError) as caught:
        SmtpChannel("127.0.0.1", server.port, "starttls", timeout=5).send(a_letter())
    assert caught.value.technical
    assert server.taken == []


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        (a_letter(contact=type(CONTACT)()), "no e-mail address is known"),
        (a_letter(origin=type(ORIGIN)("1", "A")), "the sender has no e-mail address in the settings"),
    ],
)
def test_what_cannot_go_by_email(letter: Any, why: str) -> None:
    assert SmtpChannel("127.0.0.1", 1).obstacle(letter) == why
