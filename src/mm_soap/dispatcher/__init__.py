"""The dispatcher: takes signed deliveries from senders and hands them, sealed, to the recipients' operators."""

from mm_soap.dispatcher.addressing import Addressing
from mm_soap.dispatcher.channel_books import Entry, WayTaken, books, ways_taken
from mm_soap.dispatcher.channel_plan import ChannelPlan
from mm_soap.dispatcher.channel_store import Step
from mm_soap.dispatcher.channel_switch import ChannelSwitch
from mm_soap.dispatcher.endpoint import PRECHECKS, message_handlers
from mm_soap.dispatcher.engine import EmbeddedEngine
from mm_soap.dispatcher.handover import Handover
from mm_soap.dispatcher.model import Cause, RetryPolicy, State, Status, status_of
from mm_soap.dispatcher.service import MessageService, Origin
from mm_soap.dispatcher.store import forget_documents

__all__ = [
    "PRECHECKS",
    "Addressing",
    "Cause",
    "ChannelPlan",
    "ChannelSwitch",
    "EmbeddedEngine",
    "Entry",
    "Handover",
    "MessageService",
    "Origin",
    "RetryPolicy",
    "State",
    "Status",
    "Step",
    "WayTaken",
    "books",
    "forget_documents",
    "message_handlers",
    "status_of",
    "ways_taken",
]
