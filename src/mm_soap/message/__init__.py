"""The content of a secure delivery: its model, its rules, and the way from XML to it and back."""

from mm_soap.message.attachments import content_type_for, safe_filename
from mm_soap.message.blocks import Block, Grid, Paragraph, Picture, Run, text_of_blocks, with_addresses
from mm_soap.message.build import build_delivery, new_attachment, new_message
from mm_soap.message.html_blocks import blocks_of
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
from mm_soap.message.showing import NOT_SENSITIVE, is_marked_sensitive, language_tag, support_lines
from mm_soap.message.wire import read_delivery

__all__ = [
    "NOT_SENSITIVE",
    "Attachment",
    "Block",
    "Grid",
    "Limits",
    "Message",
    "Metadata",
    "OfficialMatter",
    "Paragraph",
    "Party",
    "Picture",
    "Run",
    "SecureDelivery",
    "SupportInfo",
    "blocks_of",
    "broken_rules",
    "build_delivery",
    "check_delivery",
    "content_type_for",
    "is_marked_sensitive",
    "language_tag",
    "new_attachment",
    "new_message",
    "read_delivery",
    "safe_filename",
    "support_lines",
    "text_of_blocks",
    "with_addresses",
]
