"""The dispatcher: takes deliveries from senders and hands them to the recipients' operators, secure ones sealed."""

from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.channel_books import Entry, WayTaken, books, ways_taken
from mm_soap.dispatcher.channel_plan import ChannelPlan
from mm_soap.dispatcher.channel_store import Step
from mm_soap.dispatcher.channel_switch import ChannelSwitch
from mm_soap.dispatcher.claims import Claims
from mm_soap.dispatcher.endpoint import NOTIFICATION_PRECHECKS, PRECHECKS, message_handlers, notification_handlers
from mm_soap.dispatcher.engine import EmbeddedEngine
from mm_soap.dispatcher.forgetting import forget_deliveries, forget_documents, forget_evidence_of_ended
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.leases import Leases
from mm_soap.dispatcher.model import Cause, Notified, State, Status, status_of
from mm_soap.dispatcher.policy import Backoff, BreakerPolicy, DeliveryPolicy, Limit, Policies, TimeLimits
from mm_soap.dispatcher.sender_limits import SenderLimits
from mm_soap.dispatcher.service import MessageService, NotificationService, Origin
from mm_soap.dispatcher.stand_in import StandIn
from mm_soap.dispatcher.steps import Step as DeliveryStep
from mm_soap.dispatcher.steps import Steps
from mm_soap.dispatcher.sweeping import Sweeper
from mm_soap.dispatcher.waiting import Standing, standing_of

__all__ = [
    "NOTIFICATION_PRECHECKS",
    "PRECHECKS",
    "Addressing",
    "Backoff",
    "BreakerPolicy",
    "Cause",
    "ChannelPlan",
    "ChannelSwitch",
    "Claims",
    "DeliveryPolicy",
    "DeliveryStep",
    "EmbeddedEngine",
    "Entry",
    "Handover",
    "Leases",
    "Limit",
    "MessageService",
    "NotificationService",
    "Notified",
    "Origin",
    "Policies",
    "SenderLimits",
    "StandIn",
    "Standing",
    "State",
    "Status",
    "Step",
    "Steps",
    "Sweeper",
    "TimeLimits",
    "WayTaken",
    "books",
    "forget_deliveries",
    "forget_documents",
    "forget_evidence_of_ended",
    "message_handlers",
    "notification_handlers",
    "standing_of",
    "status_of",
    "ways_taken",
]
