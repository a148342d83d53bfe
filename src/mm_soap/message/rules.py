"""The rules that a delivery must follow, each with its error code. Source: the contract's messages and error codes.

The first rule that is broken refuses the whole delivery; whoever explains to a person wants all of them.
``Refused.where`` names the place, such as ``Message[2]/Attachment[1]/Checksum``; numbers begin with one. It never holds
anything that was sent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mm_soap.errors import Refusal, Refused
from mm_soap.message import identifiers
from mm_soap.message.attachments import attachment_type, bytes_match, is_filename, media_type
from mm_soap.message.html import Finding, find_active_content
from mm_soap.message.model import (
    Attachment,
    Email,
    Forwarding,
    Message,
    Notification,
    OfficialMatter,
    SecureDelivery,
    Sms,
    SupportInfo,
)
from mm_soap.message.references import is_link

MAX_MESSAGE_BYTES: Final = 2_097_152
"""The contract's limit for one message with its attachments, in decoded bytes."""

_LONGEST_NAME: Final = 256
_LONGEST_REFERENCE: Final = 50
_LONGEST_ID: Final = 255
_LONGEST_SUBJECT: Final = 255
_LONGEST_FILENAME: Final = 255
_LONGEST_EMAIL_SUBJECT: Final = 254
_LONGEST_SMS_FROM: Final = 11
_LONGEST_SMS_TEXT: Final = 160
_LONGEST_SUPPORT_TEXT: Final = 1024
_LONGEST_SUPPORT_LINE: Final = 255
_LONGEST_MATTER_ID: Final = 255
_LONGEST_MATTER_TEXT: Final = 2000

_EMAIL_ADDRESS: Final = re.compile(r"(?=.{5,256}\Z).+@.+\..+", re.DOTALL)
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)
_UTF8_NAMES: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})  # ASCII is a part of UTF-8
_MATTER_STATUSES: Final = frozenset({"senderinitiative", "recipientinitiative", "closed"})
_REPLIES: Final = frozenset({"ACCEPTED", "NOT_ALLOWED", "REQUESTED"})
_RECEIPTS: Final = frozenset({"NOT", "SIGNED", "SIMPLE"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What an installation sets.

    Args:
        max_bytes: the largest message, its body and attachments together, in decoded bytes.
        check_digits: whether the check digits of sender and recipient must be right. Test identities exist that fail.
    """

    max_bytes: int = MAX_MESSAGE_BYTES
    check_digits: bool = True


def check_delivery(delivery: SecureDelivery, limits: Limits) -> None:
    """Check every rule for messages.

    Args:
        delivery: as read from the verified element.
        limits: this installation's settings.

    Raises:
        Refused: ``BAD_IDENTIFIER``, ``TEXT_MISSING``, ``TEXT_TOO_LONG``, ``DUPLICATE_ID``, ``RULE_BROKEN``,
            ``MESSAGE_TOO_LARGE``, ``CONTENT_TYPE``, ``BODY_NOT_UTF8``, ``ACTIVE_CONTENT``, ``HTML_TOO_COMPLEX``,
            ``BAD_FILENAME``, ``CONTENT_MISMATCH`` or ``BAD_CHECKSUM``.
    """
    for refused in broken_rules(delivery, limits):
        raise refused


def broken_rules(delivery: SecureDelivery, limits: Limits) -> Iterator[Refused]:
    """Yield each rule that a delivery breaks, as the refusal that `check_delivery` raises for it.

    Args:
        delivery: as read from the verified element.
        limits: this installation's settings.
    """
    yield from _check_identifier(delivery.sender.id, "Header/Sender/Id", limits, organisation=True)
    yield from _check_identifier(delivery.recipient, "Header/Recipient", limits, organisation=False)
    yield from _at_most(_LONGEST_NAME, delivery.sender.name, "Header/Sender/Name")
    yield from _at_most(_LONGEST_REFERENCE, delivery.reference, "Header/Reference")
    seen: set[str] = set()
    # What costs nothing first, for all messages: a refusal should not have to wait for digests and parsing.
    for number, message in enumerate(delivery.messages, start=1):
        where = f"Message[{number}]"
        yield from _check_size(message, where, limits.max_bytes)
        yield from _check_header(message, f"{where}/Header")
        if message.id in seen:
            yield Refused(Refusal.DUPLICATE_ID, f"{where}/Header/Id")
        seen.add(message.id)
    for number, message in enumerate(delivery.messages, start=1):
        where = f"Message[{number}]"
        yield from _check_body(message.content_type, message.body, f"{where}/Body")
        for position, attachment in enumerate(message.attachments, start=1):
            yield from _check_attachment(attachment, f"{where}/Attachment[{position}]")


def check_notification(notification: Notification, limits: Limits) -> None:
    """Check every rule for a notification of class 1.

    Args:
        notification: as read from the element.
        limits: this installation's settings.

    Raises:
        Refused: as `check_delivery`, without what concerns attachments.
    """
    for refused in _broken_notification_rules(notification, limits):
        raise refused


def _broken_notification_rules(notification: Notification, limits: Limits) -> Iterator[Refused]:
    yield from _check_identifier(notification.sender.id, "Header/Sender/Id", limits, organisation=True)
    for number, recipient in enumerate(notification.recipients, start=1):
        yield from _check_identifier(recipient, f"Header/Recipient[{number}]", limits, organisation=False)
    yield from _at_most(_LONGEST_NAME, notification.sender.name, "Header/Sender/Name")
    yield from _at_most(_LONGEST_REFERENCE, notification.reference, "Header/Reference")
    yield from _check_size(notification.message, "Message", limits.max_bytes)
    yield from _check_header(notification.message, "Message/Header")
    if notification.email is not None:
        yield from _check_email(notification.email)
    if notification.sms is not None:
        yield from _check_sms(notification.sms)
    yield from _check_body(notification.message.content_type, notification.message.body, "Message/Body")


def check_forwarding(forwarding: Forwarding, limits: Limits) -> None:
    """Check every rule for what a recipient adds to a delivery that it forwards.

    Args:
        forwarding: as read from the element.
        limits: this installation's settings.

    Raises:
        Refused: ``BAD_IDENTIFIER``, ``TEXT_TOO_LONG``, ``MESSAGE_TOO_LARGE``, ``CONTENT_TYPE``, ``BODY_NOT_UTF8``,
            ``ACTIVE_CONTENT`` or ``HTML_TOO_COMPLEX``.
    """
    for refused in _broken_forwarding_rules(forwarding, limits):
        raise refused


def _broken_forwarding_rules(forwarding: Forwarding, limits: Limits) -> Iterator[Refused]:
    yield from _check_identifier(forwarding.sender.id, "Header/Sender/Id", limits, organisation=False)
    for number, recipient in enumerate(forwarding.recipients, start=1):
        yield from _check_identifier(recipient, f"Header/Recipient[{number}]", limits, organisation=False)
    yield from _at_most(_LONGEST_NAME, forwarding.sender.name, "Header/Sender/Name")
    yield from _at_most(_LONGEST_REFERENCE, forwarding.reference, "Header/Reference")
    yield from _at_most(_LONGEST_SUBJECT, forwarding.subject, "Message/Subject")
    if len(forwarding.body) > limits.max_bytes:
        yield Refused(Refusal.MESSAGE_TOO_LARGE, "Message")
    yield from _check_body(forwarding.content_type, forwarding.body, "Message/Body")


def _check_email(email: Email) -> Iterator[Refused]:
    if _EMAIL_ADDRESS.fullmatch(email.sender) is None:
        yield Refused(Refusal.RULE_BROKEN, "EmailMessage/header/From")
    yield from _at_most(_LONGEST_EMAIL_SUBJECT, email.subject, "EmailMessage/header/Subject")
    # A line break in what becomes a header of an e-mail would begin a header of the sender's choice.
    yield from _one_line(email.sender, "EmailMessage/header/From")
    yield from _one_line(email.subject, "EmailMessage/header/Subject")


def _check_sms(sms: Sms) -> Iterator[Refused]:
    yield from _at_most(_LONGEST_SMS_FROM, sms.sender, "SmsMessage/header/From")
    yield from _at_most(_LONGEST_SMS_TEXT, sms.text, "SmsMessage/text")
    yield from _one_line(sms.sender, "SmsMessage/header/From")


def _one_line(text: str, where: str) -> Iterator[Refused]:
    if not text.isprintable():
        yield Refused(Refusal.RULE_BROKEN, where)


def _check_identifier(identifier: str, where: str, limits: Limits, *, organisation: bool) -> Iterator[Refused]:
    form = identifiers.is_organisation if organisation else identifiers.is_identifier
    if not form(identifier) or (limits.check_digits and not identifiers.valid_check_digit(identifier)):
        yield Refused(Refusal.BAD_IDENTIFIER, where)


def _at_most(longest: int, text: str | None, where: str) -> Iterator[Refused]:
    if text is not None and len(text) > longest:
        yield Refused(Refusal.TEXT_TOO_LONG, where)


def _present(text: str, where: str) -> Iterator[Refused]:
    if not text.strip():
        yield Refused(Refusal.TEXT_MISSING, where)


def _one_of(allowed: frozenset[str], value: str | None, where: str) -> Iterator[Refused]:
    if value is not None and value not in allowed:
        yield Refused(Refusal.RULE_BROKEN, where)


def _check_size(message: Message, where: str, most: int) -> Iterator[Refused]:
    if len(message.body) + sum(len(attachment.body) for attachment in message.attachments) > most:
        yield Refused(Refusal.MESSAGE_TOO_LARGE, where)


def _check_header(message: Message, where: str) -> Iterator[Refused]:
    yield from _present(message.id, f"{where}/Id")
    yield from _at_most(_LONGEST_ID, message.id, f"{where}/Id")
    yield from _at_most(_LONGEST_SUBJECT, message.subject, f"{where}/Subject")
    yield from _check_support(message.support, f"{where}/Supportinfo")
    if _LANGUAGE.fullmatch(message.language) is None:
        yield Refused(Refusal.RULE_BROKEN, f"{where}/Language")
    yield from _one_of(_REPLIES, message.reply, f"{where}/Reply")
    yield from _one_of(_RECEIPTS, message.receipt_request, f"{where}/ReceiptRequest")
    if message.official_matter is not None:
        yield from _check_matter(message.official_matter, f"{where}/OfficialMatter")


def _check_support(support: SupportInfo, where: str) -> Iterator[Refused]:
    yield from _at_most(_LONGEST_SUPPORT_TEXT, support.text, f"{where}/Text")
    yield from _at_most(_LONGEST_SUPPORT_LINE, support.url, f"{where}/URL")
    yield from _at_most(_LONGEST_SUPPORT_LINE, support.phone_number, f"{where}/PhoneNumber")
    # The mailbox shows this as a link, so it must be one that is harmless to follow.
    if support.url is not None and not is_link(support.url):
        yield Refused(Refusal.RULE_BROKEN, f"{where}/URL")
    if support.email_address is not None and _EMAIL_ADDRESS.fullmatch(support.email_address) is None:
        yield Refused(Refusal.RULE_BROKEN, f"{where}/EmailAdress")


def _check_matter(matter: OfficialMatter, where: str) -> Iterator[Refused]:
    yield from _at_most(_LONGEST_MATTER_ID, matter.event_id, f"{where}/Identity/EventId")
    yield from _at_most(_LONGEST_MATTER_ID, matter.official_matter_id, f"{where}/Identity/OfficialMatterId")
    yield from _at_most(_LONGEST_MATTER_ID, matter.preceding_event_id, f"{where}/Identity/PrecedingEventId")
    yield from _at_most(_LONGEST_MATTER_TEXT, matter.matter_subject, f"{where}/MatterSubject")
    yield from _at_most(_LONGEST_MATTER_TEXT, matter.event_type, f"{where}/EventType")
    yield from _one_of(_MATTER_STATUSES, matter.matter_status, f"{where}/MatterStatus")


def _check_body(content_type: str, body: bytes, where: str) -> Iterator[Refused]:
    kind = media_type(content_type)
    charset = _CHARSET.search(content_type)
    if kind not in ("text/plain", "text/html") or (charset and charset.group(1).lower() not in _UTF8_NAMES):
        yield Refused(Refusal.CONTENT_TYPE, f"{where}/ContentType")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        yield Refused(Refusal.BODY_NOT_UTF8, f"{where}/Body")
        return
    if kind == "text/html":
        finding = find_active_content(text)
        if finding is Finding.TOO_COMPLEX:
            yield Refused(Refusal.HTML_TOO_COMPLEX, f"{where}/Body")
        elif finding is not None:
            # The kind of finding is a phrase of this project, so it may be told.
            yield Refused(Refusal.ACTIVE_CONTENT, f"{where}/Body: {finding.value}")


def _check_attachment(attachment: Attachment, where: str) -> Iterator[Refused]:
    kind = attachment_type(attachment.content_type)
    if kind is None:
        yield Refused(Refusal.CONTENT_TYPE, f"{where}/ContentType")
    missing = list(_present(attachment.filename, f"{where}/Filename"))
    yield from missing
    yield from _at_most(_LONGEST_FILENAME, attachment.filename, f"{where}/Filename")
    if not missing and not is_filename(attachment.filename):
        yield Refused(Refusal.BAD_FILENAME, f"{where}/Filename")
    if kind is not None and not bytes_match(kind, attachment.body):
        yield Refused(Refusal.CONTENT_MISMATCH, f"{where}/Body")
    if hashlib.md5(attachment.body, usedforsecurity=False).hexdigest() != attachment.checksum.lower():
        yield Refused(Refusal.BAD_CHECKSUM, f"{where}/Checksum")
