"""The dispatcher: takes signed deliveries from senders and hands them, sealed, to the recipients' operators."""

from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.endpoint import PRECHECKS, message_handlers
from mm_soap.dispatcher.engine import EmbeddedEngine
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.model import State, Status
from mm_soap.dispatcher.policy import Backoff, BreakerPolicy, DeliveryPolicy, Limit, Policies, TimeLimits
from mm_soap.dispatcher.sender_limits import SenderLimits
from mm_soap.dispatcher.service import MessageService, Origin
from mm_soap.dispatcher.store import forget_deliveries, forget_documents
from mm_soap.dispatcher.waiting import Standing, standing_of

__all__ = [
    "PRECHECKS",
    "Addressing",
    "Backoff",
    "BreakerPolicy",
    "DeliveryPolicy",
    "EmbeddedEngine",
    "Handover",
    "Limit",
    "MessageService",
    "Origin",
    "Policies",
    "SenderLimits",
    "Standing",
    "State",
    "Status",
    "TimeLimits",
    "forget_deliveries",
    "forget_documents",
    "message_handlers",
    "standing_of",
]
