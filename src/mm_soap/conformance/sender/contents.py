"""What is wrong with the content of a request: the schema, and the rules for messages."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from copy import deepcopy
from datetime import date
from typing import Final

from lxml import etree

from mm_soap.conformance.sender.model import Hide, Sheet
from mm_soap.contract import validate
from mm_soap.contract.explanation import Kind, Violation, explain
from mm_soap.dsig.policy import SIGNED_DELIVERY
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Attachment, Limits, SecureDelivery, broken_rules, read_delivery
from mm_soap.message.attachments import media_type
from mm_soap.message.identifiers import is_identifier, valid_check_digit
from mm_soap.xml import MESSAGE_V2, MESSAGE_V3, qname, text_of

_MOST_RECIPIENTS: Final = 1000
_KINDS: Final = {Kind.NAMESPACE: "namespaces", Kind.STRUCTURE: "structure", Kind.VALUE: "values"}
_NAMED: Final = re.compile(r"\{[^}]*\}|(?<=/)[^/:\[\]]+:")
_NUMBER: Final = re.compile(r"\[(\d+)\]")
_INDEX: Final = re.compile(r"\[\d+\]")
_RULES: Final = {
    Refusal.BAD_IDENTIFIER: "message.identifiers",
    Refusal.DUPLICATE_ID: "message.ids",
    Refusal.RULE_BROKEN: "message.values",
    Refusal.MESSAGE_TOO_LARGE: "message.size",
    Refusal.BODY_NOT_UTF8: "message.body-utf8",
    Refusal.ACTIVE_CONTENT: "message.html",
    Refusal.HTML_TOO_COMPLEX: "message.html",
    Refusal.BAD_FILENAME: "attachment.filename",
    Refusal.CONTENT_MISMATCH: "attachment.bytes",
    Refusal.BAD_CHECKSUM: "attachment.checksum",
}
_OF_MESSAGES: Final = ("identifiers", "texts", "values", "size", "body-type", "body-utf8")
_OF_ATTACHMENTS: Final = ("type", "bytes", "filename", "checksum")


def place_of(element: etree._Element) -> str:
    """Return the path of an element from the operation on, by local names, with an index where there are several."""
    steps = []
    for each in (element, *element.iterancestors()):
        name = str(etree.QName(each).localname)
        if name in ("Body", "Envelope") and each.getparent() in (None, each.getroottree().getroot()):
            break
        number = 1 + sum(1 for _ in each.itersiblings(each.tag, preceding=True))
        several = number > 1 or next(each.itersiblings(each.tag), None) is not None
        steps.append(f"{name}[{number}]" if several else name)
    return "/".join(reversed(steps))


def judge_schema(sheet: Sheet, hide: Hide) -> list[str]:
    """Judge the operation's element by the schema; return the places of values that break it."""
    assert sheet.payload is not None
    try:
        validate(sheet.payload)
        refused = None
    except Refused as error:
        refused = error
    violations = [] if refused is None else [one for one in explain(sheet.payload) if _is_new(one, sheet)]
    texts = {str(text).strip() for text in sheet.payload.itertext() if len(text.strip()) > 1}
    texts |= {str(value) for each in sheet.payload.iter("*") for value in each.attrib.values() if len(str(value)) > 1}
    for one in violations:
        what = _without(one.rule, texts, hide)
        place = _NAMED.sub("", one.path).lstrip("/")
        what = f"{what[:1].upper()}{what[1:].rstrip('.')}. {one.remedy}"
        sheet.breaks(f"schema.{_KINDS[one.kind]}", what, place, refused)
    if refused is not None and not violations and not sheet.broken(*_ELSEWHERE):
        sheet.breaks("schema.structure", refused.description, refused.where.partition(":")[0], refused)
    if not sheet.broken(*_ELSEWHERE):
        sheet.keeps("schema.namespaces", "schema.structure", "schema.values")
    return [_plain(_NAMED.sub("", one.path)) for one in violations if one.kind is Kind.VALUE]


_ELSEWHERE: Final = (
    *(f"{group}.{name}" for group in ("signature", "seal") for name in ("present", "place", "reference")),
    "message.recipient",
    "class-one.recipients",
)
"""What the schema says too, and what has a case of its own."""


def _is_new(violation: Violation, sheet: Sheet) -> bool:
    signature = "Signature" in violation.rule + violation.path or "xmldsig" in violation.rule + violation.remedy
    if signature and sheet.broken(*(name for name in _ELSEWHERE if not name.endswith(("recipient", "recipients")))):
        return False
    return not ("Recipient'" in violation.rule and sheet.broken("message.recipient", "class-one.recipients"))


def _without(rule: str, texts: set[str], hide: Hide) -> str:
    for text in sorted(texts, key=len, reverse=True):
        if text in rule:
            rule = rule.replace(text, hide(text))
    return rule


def _plain(place: str) -> str:
    return _INDEX.sub("", place.partition(": ")[0]).lower()


def judge_recipient(sheet: Sheet, element: etree._Element) -> None:
    """Judge that a secure delivery has one recipient. ``element`` is SignedDelivery by whatever name."""
    header = element.find("{*}Delivery/{*}Header")
    if header is None:
        return
    found = header.findall("{*}Recipient")
    sheet.recipients = tuple(text_of(one).strip() for one in found)
    sheet.sender = text_of(header.find("{*}Sender/{*}Id")).strip()
    if found:
        refused = Refused(Refusal.SCHEMA_VIOLATION, "Header/Recipient")
        what = f"It has {len(found)} recipients."
        sheet.judges("message.recipient", len(found) == 1, what, place_of(found[-1]), refused)


def judge_delivery(sheet: Sheet, root: etree._Element, place: str, limits: Limits, values: list[str]) -> None:
    """Judge the rules for messages.

    Args:
        sheet: of the request.
        root: SignedDelivery by its own name, verified or not.
        place: its path in the request.
        limits: for the rules.
        values: places that break the schema already.
    """
    try:
        delivery = read_delivery(root)
    except Refused:
        return  # the schema has said so
    sheet.delivery = delivery
    for refused in broken_rules(delivery, limits):
        name = _RULES.get(refused.refusal) or _by_place(refused)
        if not any(one.endswith(f"/{_plain(refused.where)}") for one in values):
            what = refused.refusal.value.text + _detail(refused, delivery)
            sheet.breaks(name, what, f"{place}/{_where(refused)}", refused)
    _seen(sheet, delivery)


def _by_place(refused: Refused) -> str:
    inside_attachment = "/Attachment[" in refused.where
    if refused.refusal is Refusal.CONTENT_TYPE:
        return "attachment.type" if inside_attachment else "message.body-type"
    return "attachment.filename" if inside_attachment else "message.texts"


def _where(refused: Refused) -> str:
    return refused.where.partition(": ")[0]


def _detail(refused: Refused, delivery: SecureDelivery) -> str:
    if refused.refusal is Refusal.BAD_CHECKSUM:
        message, attachment = (int(number) for number in _NUMBER.findall(refused.where)[:2])
        return _of_checksum(delivery.messages[message - 1].attachments[attachment - 1])
    detail = refused.where.partition(": ")[2]
    return f" Found: {detail}." if detail else ""


def _of_checksum(attachment: Attachment) -> str:
    """Say which known mistake gives the Checksum that came, if one does."""
    written, base64 = attachment.checksum.strip(), b64encode(attachment.body)
    for name in ("md5", "sha1", "sha256", "sha512"):
        algorithm = name.upper().replace("SHA", "SHA-")
        for what, content in (("the decoded bytes", attachment.body), ("the base64 text", base64)):
            found = hashlib.new(name, content, usedforsecurity=False)
            if written.lower() == found.hexdigest():
                return f" It is the {algorithm} of {what}."
            if written == b64encode(found.digest()).decode():
                return f" It is the {algorithm} of {what}, in base64 instead of hexadecimal."
    return ""


def _seen(sheet: Sheet, delivery: SecureDelivery) -> None:
    sheet.keeps(*(f"message.{name}" for name in _OF_MESSAGES))
    if len(delivery.messages) > 1:
        sheet.keeps("message.ids")
    if any(media_type(message.content_type) == "text/html" for message in delivery.messages):
        sheet.keeps("message.html")
    if any(message.attachments for message in delivery.messages):
        sheet.keeps(*(f"attachment.{name}" for name in _OF_ATTACHMENTS))


def judge_seal(sheet: Sheet, sealed: etree._Element, place: str, today: date) -> None:
    """Judge what the Seal says."""
    seal = sealed.find("{*}Seal")
    received = text_of(seal.find("{*}ReceivedTime") if seal is not None else None).strip()
    holds = text_of(seal.find("{*}SignaturesOK") if seal is not None else None).strip()
    if holds in ("true", "1", "false", "0"):
        place_ok = f"{place}/Seal/SignaturesOK"
        sheet.judges("seal.signatures-ok", holds in ("true", "1"), "SignaturesOK is false.", place_ok)
    try:
        day = date.fromisoformat(received[:10])
    except ValueError:
        return
    what = "ReceivedTime is a day to come."
    sheet.judges("seal.received", day <= today, what, f"{place}/Seal/ReceivedTime")


def judge_recipients(sheet: Sheet, delivery: etree._Element, check_digits: bool) -> None:
    """Judge the recipients of a delivery of class 1, or of a forwarded one."""
    found = delivery.findall("{*}Header/{*}Recipient")
    sheet.recipients = tuple(text_of(one).strip() for one in found)
    sheet.sender = text_of(delivery.find("{*}Header/{*}Sender/{*}Id")).strip()
    name = "class-one.recipients"
    if not found:
        return
    if len(found) > _MOST_RECIPIENTS:
        sheet.breaks(name, f"It has {len(found)} recipients.", place_of(found[-1]), Refused(Refusal.TOO_MANY))
    for one, number in zip(found, sheet.recipients, strict=True):
        if not is_identifier(number) or (check_digits and not valid_check_digit(number)):
            refused = Refused(Refusal.BAD_IDENTIFIER, "Header/Recipient")
            sheet.breaks(name, refused.refusal.value.text, place_of(one), refused)
    sheet.keeps(name)


def as_secure(notification: etree._Element) -> etree._Element | None:
    """Return the message of a NotificationDelivery as a secure delivery to its first recipient: the rules are the same.

    None where it lacks a part that a delivery has.
    """
    parts = {
        name: notification.find(path)
        for name, path in {
            "sender": "{*}Header/{*}Sender",
            "recipient": "{*}Header/{*}Recipient",
            "header": "{*}Message/{*}header",
            "body": "{*}Message/{*}body",
        }.items()
    }
    if any(part is None for part in parts.values()):
        return None
    root = etree.Element(SIGNED_DELIVERY)
    delivery = etree.SubElement(root, qname(MESSAGE_V3, "Delivery"))
    header = etree.SubElement(delivery, qname(MESSAGE_V3, "Header"))
    _moved(parts["sender"], qname(MESSAGE_V2, "Sender"), header)
    _moved(parts["recipient"], qname(MESSAGE_V2, "Recipient"), header)
    message = etree.SubElement(delivery, qname(MESSAGE_V3, "Message"))
    _moved(parts["header"], qname(MESSAGE_V3, "Header"), message)
    _moved(parts["body"], qname(MESSAGE_V3, "Body"), message)
    return root


def _moved(element: etree._Element | None, tag: str, parent: etree._Element) -> None:
    made = deepcopy(element)
    assert made is not None
    made.tag = tag
    parent.append(made)


def forwarded_ids(original: etree._Element) -> list[str]:
    """Return the Ids of the messages in the original of a forwarded delivery."""
    path = "{*}SignedDelivery/{*}Delivery/{*}Message/{*}Header/{*}Id"
    return [text_of(one).strip() for one in original.findall(path)]
