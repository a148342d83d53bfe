"""A letter as e-mail: one e-mail for each of its messages."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import Final

from mm_soap.channels.model import Letter, WrittenEmail
from mm_soap.message import Message, blocks_of, language_tag, safe_filename, support_lines, text_of_blocks
from mm_soap.message.attachments import media_type

_POLICY: Final = SMTP.clone(max_line_length=78)


def message_id(letter: Letter, number: int) -> str:
    """Return the Message-ID of the letter's ``number``-th message: always the same, so that a resend is recognised."""
    return f"<{letter.id}.{number}@{letter.origin.email.rpartition('@')[2]}>"


def emails_of(letter: Letter) -> list[EmailMessage]:
    """Return the e-mails of a letter; the same letter gives the same ones but for the MIME boundaries.

    Raises:
        ValueError: a header cannot be written, which the rules for messages and contacts rule out.
    """
    return [_email(letter, number, message) for number, message in enumerate(letter.messages, start=1)]


def written_id(written: WrittenEmail) -> str:
    """Return the Message-ID of an e-mail that is written already."""
    return f"<{written.id}@{written.origin.email.rpartition('@')[2]}>"


def email_of(written: WrittenEmail) -> EmailMessage:
    """Return an e-mail that is written already; it says that a program sends it, and where it is turned off.

    Raises:
        ValueError: a header cannot be written.
    """
    made = EmailMessage(_POLICY)
    made["Message-ID"] = written_id(written)
    made["Date"] = written.begun
    made["From"] = Address(written.origin.name, addr_spec=written.origin.email)
    made["To"] = Address(addr_spec=written.to)
    if written.reply_to:
        made["Reply-To"] = written.reply_to
    made["Subject"] = " ".join(written.subject.split())
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nothing that answers by itself answers this
    if written.unsubscribe:
        made["List-Unsubscribe"] = f"<{written.unsubscribe}>"  # RFC 2369
    made.set_content(written.text, cte="base64")
    if written.html:
        made.add_alternative(written.html, subtype="html", cte="base64")
    made["Content-Language"] = written.language  # last: setting the content takes such headers away
    return made


def _email(letter: Letter, number: int, message: Message) -> EmailMessage:
    made = EmailMessage(_POLICY)
    made["Message-ID"] = message_id(letter, number)
    made["Date"] = letter.begun
    made["From"] = Address(letter.origin.name, addr_spec=letter.origin.email)
    made["To"] = Address(letter.contact.name, addr_spec=letter.contact.email)
    if message.support.email_address:
        made["Reply-To"] = message.support.email_address
    made["Subject"] = " ".join(message.subject.split())
    made["Auto-Submitted"] = "auto-generated"
    support = support_lines(message.support)
    text = "\n\n".join([text_of_blocks(blocks_of(message)), *(["\n".join(support)] if support else [])])
    made.set_content(text + "\n", cte="base64")
    if media_type(message.content_type) == "text/html":
        # It was accepted, so it has no active content and fetches nothing.
        below = "".join(f"<br>{escape(line)}" for line in support)
        body = message.body.decode("utf-8") + (f"<hr><p>{below.removeprefix('<br>')}</p>" if below else "")
        made.add_alternative(body, subtype="html", cte="base64")
    for attachment in message.attachments:
        main, _, sub = media_type(attachment.content_type).partition("/")
        name = safe_filename(attachment.filename)
        made.add_attachment(attachment.body, maintype=main, subtype=sub, filename=name)
    made["Content-Language"] = language_tag(message.language)  # last: setting the content takes such headers away
    return made
