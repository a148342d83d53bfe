"""The content of deliveries: their models, their rules, and the way from XML to them and back."""

from mm_soap.message.attachments import content_type_for, safe_filename
from mm_soap.message.build import build_delivery, build_notification, new_attachment, new_message
from mm_soap.message.model import (
    Attachment,
    Email,
    Forwarding,
    Message,
    Metadata,
    Notification,
    OfficialMatter,
    Party,
    SecureDelivery,
    Sms,
    SupportInfo,
)
from mm_soap.message.rules import Limits, broken_rules, check_delivery, check_forwarding, check_notification
from mm_soap.message.to_many import (
    MOST_RECIPIENTS,
    read_forwarding,
    read_notification,
    require_few_recipients,
)
from mm_soap.message.wire import read_delivery

__all__ = [
    "MOST_RECIPIENTS",
    "Attachment",
    "Email",
    "Forwarding",
    "Limits",
    "Message",
    "Metadata",
    "Notification",
    "OfficialMatter",
    "Party",
    "SecureDelivery",
    "Sms",
    "SupportInfo",
    "broken_rules",
    "build_delivery",
    "build_notification",
    "check_delivery",
    "check_forwarding",
    "check_notification",
    "content_type_for",
    "new_attachment",
    "new_message",
    "read_delivery",
    "read_forwarding",
    "read_notification",
    "require_few_recipients",
    "safe_filename",
]
