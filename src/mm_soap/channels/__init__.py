"""The channels besides the mailbox: e-mail, text messages and paper, as ports with adapters."""

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
)
from mm_soap.channels.print_folder import Acknowledgement, PrintFolder
from mm_soap.channels.print_format import acknowledgement_schema, manifest_schema
from mm_soap.channels.sms import SmsChannel, SmsGateway
from mm_soap.channels.smtp import SmtpChannel
from mm_soap.channels.typeset import Typesetter, Window

__all__ = [
    "OPEN_CHANNELS",
    "Acknowledgement",
    "Channel",
    "ChannelError",
    "ChannelName",
    "Contact",
    "Contacts",
    "ElksGateway",
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
    "acknowledgement_schema",
    "contacts_schema",
    "manifest_schema",
]
