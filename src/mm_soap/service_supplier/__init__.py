"""The mailbox operator (service supplier): receives sealed deliveries into the mailboxes of its recipients."""

from mm_soap.service_supplier.endpoint import PRECHECKS, service_handlers
from mm_soap.service_supplier.forwarding import ForwardingService
from mm_soap.service_supplier.model import (
    Contact,
    DeliveryOutcome,
    Fate,
    Forwarded,
    Kind,
    MessageSummary,
    StoredAttachment,
    StoredMessage,
    Told,
)
from mm_soap.service_supplier.notices import NoNotifier, Notice, NoticeNotTaken, Notifier
from mm_soap.service_supplier.notifying import NotifyingService
from mm_soap.service_supplier.outbox import Outbox
from mm_soap.service_supplier.service import MailboxService
from mm_soap.service_supplier.store import forget_deliveries

__all__ = [
    "PRECHECKS",
    "Contact",
    "DeliveryOutcome",
    "Fate",
    "Forwarded",
    "ForwardingService",
    "Kind",
    "MailboxService",
    "MessageSummary",
    "NoNotifier",
    "Notice",
    "NoticeNotTaken",
    "Notifier",
    "NotifyingService",
    "Outbox",
    "StoredAttachment",
    "StoredMessage",
    "Told",
    "forget_deliveries",
    "service_handlers",
]
