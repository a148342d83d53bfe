"""mm-soap mailbox: what the operators in the settings have stored."""

from __future__ import annotations

from pathlib import Path

from mm_soap.bootstrap import mailbox_services
from mm_soap.cli.output import fail, print_json, print_table
from mm_soap.config import load
from mm_soap.errors import ConfigurationError, Refusal, Refused


def list_messages(config: Path, recipient: str, as_json: bool) -> None:
    """Print the messages in a recipient's mailbox, at whichever operator in the settings has it."""
    settings = load(config)
    if not settings.operator:
        raise ConfigurationError(f"{config} has no [[operator]]: mailboxes are looked at where their operator runs.")
    for service in mailbox_services(settings):
        try:
            found = service.list_messages(recipient)
        except Refused as refused:
            if refused.refusal is Refusal.NOT_FOUND:
                continue
            raise
        if as_json:
            print_json(
                [
                    {
                        "message_id": one.message_id,
                        "subject": one.subject,
                        "sender": one.sender,
                        "received": one.received.isoformat(),
                    }
                    for one in found
                ]
            )
        else:
            rows = [(one.received.astimezone().strftime("%Y-%m-%d %H:%M:%S"), one.sender, one.subject) for one in found]
            print_table(
                "1 message" if len(found) == 1 else f"{len(found)} messages", ("Received", "Sender", "Subject"), rows
            )
        return
    fail("No operator in the settings has a mailbox for this recipient.")
