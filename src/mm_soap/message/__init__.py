"""The content of deliveries: their models, their rules, and the way from XML to them and back."""

from mm_soap.message.attachments import content_type_for, safe_filename
from mm_soap.message.blocks import Block, Grid, Paragraph, Picture, Run, text_of_blocks, with_addresses
from mm_soap.message.build import build_delivery, build_notification, new_attachment, new_message
from mm_soap.message.html_blocks import blocks_of
from mm_soap.message.matters import agreed_details
from mm_soap.message.model import (
    AgreedDetail,
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
from mm_soap.message.showing import NOT_SENSITIVE, is_marked_sensitive, language_tag, support_lines
from mm_soap.message.to_many import (
    MOST_RECIPIENTS,
    read_forwarding,
    read_notification,
    require_few_recipients,
)
from mm_soap.message.wire import read_delivery

__all__ = [
    "MOST_RECIPIENTS",
    "NOT_SENSITIVE",
    "AgreedDetail",
    "Attachment",
    "Block",
    "Email",
    "Forwarding",
    "Grid",
    "Limits",
    "Message",
    "Metadata",
    "Notification",
    "OfficialMatter",
    "Paragraph",
    "Party",
    "Picture",
    "Run",
    "SecureDelivery",
    "Sms",
    "SupportInfo",
    "agreed_details",
    "blocks_of",
    "broken_rules",
    "build_delivery",
    "build_notification",
    "check_delivery",
    "check_forwarding",
    "check_notification",
    "content_type_for",
    "is_marked_sensitive",
    "language_tag",
    "new_attachment",
    "new_message",
    "read_delivery",
    "read_forwarding",
    "read_notification",
    "require_few_recipients",
    "safe_filename",
    "support_lines",
    "text_of_blocks",
    "with_addresses",
]
