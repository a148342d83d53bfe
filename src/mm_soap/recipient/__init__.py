"""The Recipient service: asking the address register, and the accounts of recipients."""

from mm_soap.recipient.endpoint import PRECHECKS, recipient_handlers

__all__ = ["PRECHECKS", "recipient_handlers"]
