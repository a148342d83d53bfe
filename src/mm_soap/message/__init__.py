"""The content of a secure delivery: its model, its rules, and the way from XML to it and back."""

from mm_soap.message.attachments import content_type_for, safe_filename
from mm_soap.message.build import build_delivery, new_attachment, new_message
from mm_soap.message.model import (
    Attachment,
    Message,
    Metadata,
    OfficialMatter,
    Party,
    SecureDelivery,
    SupportInfo,
)
from mm_soap.message.rules import Limits, broken_rules, check_delivery
from mm_soap.message.wire import read_delivery

__all__ = [
    "Attachment",
    "Limits",
    "Message",
    "Metadata",
    "OfficialMatter",
    "Party",
    "SecureDelivery",
    "SupportInfo",
    "broken_rules",
    "build_delivery",
    "check_delivery",
    "content_type_for",
    "new_attachment",
    "new_message",
    "read_delivery",
    "safe_filename",
]
