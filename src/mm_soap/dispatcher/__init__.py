"""The dispatcher: takes deliveries from senders and hands them to the recipients' operators, secure ones sealed."""

from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.endpoint import NOTIFICATION_PRECHECKS, PRECHECKS, message_handlers, notification_handlers
from mm_soap.dispatcher.engine import EmbeddedEngine
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.model import Notified, RetryPolicy, State, Status
from mm_soap.dispatcher.service import MessageService, NotificationService, Origin
from mm_soap.dispatcher.store import forget_documents

__all__ = [
    "NOTIFICATION_PRECHECKS",
    "PRECHECKS",
    "Addressing",
    "EmbeddedEngine",
    "Handover",
    "MessageService",
    "NotificationService",
    "Notified",
    "Origin",
    "RetryPolicy",
    "State",
    "Status",
    "forget_documents",
    "message_handlers",
    "notification_handlers",
]
