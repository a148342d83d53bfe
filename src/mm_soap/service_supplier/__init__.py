"""The mailbox operator (service supplier): receives sealed deliveries into the mailboxes of its recipients."""

from mm_soap.service_supplier.endpoint import PRECHECKS, service_handlers
from mm_soap.service_supplier.model import (
    DeliveryOutcome,
    Fate,
    MessageSummary,
    StoredAttachment,
    StoredMessage,
)
from mm_soap.service_supplier.service import MailboxService

__all__ = [
    "PRECHECKS",
    "DeliveryOutcome",
    "Fate",
    "MailboxService",
    "MessageSummary",
    "StoredAttachment",
    "StoredMessage",
    "service_handlers",
]
