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
from mm_soap.service_supplier.store import forget_deliveries

__all__ = [
    "PRECHECKS",
    "DeliveryOutcome",
    "Fate",
    "MailboxService",
    "MessageSummary",
    "StoredAttachment",
    "StoredMessage",
    "forget_deliveries",
    "service_handlers",
]
