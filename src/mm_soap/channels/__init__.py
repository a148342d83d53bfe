"""The channels besides the mailbox: e-mail, text messages and paper, as ports with adapters."""

from mm_soap.channels.bounces import MOST_OF_A_REPORT, FailedDelivery, failed_deliveries
from mm_soap.channels.contacts import Contacts, FileContacts, contacts_schema
from mm_soap.channels.elks import ElksGateway
from mm_soap.channels.model import (
    OPEN_CHANNELS,
    Channel,
    ChannelError,
    ChannelName,
    Contact,
    Letter,
    Origin,
    Sent,
    WrittenEmail,
)
from mm_soap.channels.print_folder import Acknowledgement, PrintFolder
from mm_soap.channels.print_format import acknowledgement_schema, manifest_schema
from mm_soap.channels.sms import SmsChannel, SmsGateway
from mm_soap.channels.smtp import SmtpChannel
from mm_soap.channels.typeset import Typesetter, Window

__all__ = [
    "MOST_OF_A_REPORT",
    "OPEN_CHANNELS",
    "Acknowledgement",
    "Channel",
    "ChannelError",
    "ChannelName",
    "Contact",
    "Contacts",
    "ElksGateway",
    "FailedDelivery",
    "FileContacts",
    "Letter",
    "Origin",
    "PrintFolder",
    "Sent",
    "SmsChannel",
    "SmsGateway",
    "SmtpChannel",
    "Typesetter",
    "Window",
    "WrittenEmail",
    "acknowledgement_schema",
    "contacts_schema",
    "failed_deliveries",
    "manifest_schema",
]
