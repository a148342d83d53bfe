"""What comes back as e-mail: reports of failed deliveries, RFC 3464."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from email.policy import compat32
from typing import Final

MOST_OF_A_REPORT: Final = 1_000_000
"""How much of an e-mail is read, in bytes. A longer one is taken for no report: ours are short, whole too."""

_STATUS: Final = re.compile(r"\s*(5\.(?!7\.)[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
"""A permanent failure, but for the sake of policy: then who sends is refused. Source: RFC 3463, 3."""

_ID: Final = re.compile(r"\s*<([0-9a-f]{32})@[^<>\s]+>\s*")


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """One of our e-mails that came back for good.

    Args:
        id: what its Message-ID is made of; see `mm_soap.channels.WrittenEmail`.
        reason: why, without addresses.
    """

    id: str
    reason: str


def failed_deliveries(raw: bytes) -> list[FailedDelivery]:
    """Return which of our e-mails a report says could not be delivered; none where it is no such report.

    Only what failed for good, for the sake of its address, is told. A report that does not hold the headers of what it
    is about cannot be understood.

    Args:
        raw: the e-mail that came. Anybody may have written it: whether what it names was sent, the caller knows.
    """
    if len(raw) > MOST_OF_A_REPORT:
        return []
    try:
        report = message_from_bytes(raw, policy=compat32)
        if report.get_content_type() != "multipart/report":
            return []
        parts = _parts(report)
        statuses = [status for part in parts for status in _statuses(part)]
        ids = {name for part in parts for name in _ids(part)}
    except (MessageError, LookupError, ValueError, RecursionError):
        return []
    # Each of ours has one recipient. Where a report tells of several, nobody knows which of them was meant.
    if len(statuses) != 1 or statuses[0] is None:
        return []
    return [FailedDelivery(name, f"it came back with status {statuses[0]}") for name in sorted(ids)]


def _parts(part: Message) -> list[Message]:
    found = part.get_payload()
    return [one for one in found if isinstance(one, Message)] if isinstance(found, list) else []


def _statuses(part: Message) -> Iterator[str | None]:
    """Yield the status of each recipient that a report tells of; None where it has not failed for good."""
    if part.get_content_type() != "message/delivery-status":
        return
    for fields in _parts(part):
        if "Final-Recipient" in fields:
            failed = str(fields.get("Action", "")).strip().lower() == "failed"
            status = _STATUS.match(str(fields.get("Status", "")))
            yield status[1] if failed and status else None


def _ids(part: Message) -> Iterator[str]:
    """Yield the id of the e-mail that came back, of which a report has the headers at least."""
    kind, headers = part.get_content_type(), None
    if kind == "message/rfc822":
        headers = next(iter(_parts(part)), None)
    elif kind == "text/rfc822-headers":
        content = part.get_payload(decode=True)
        headers = message_from_bytes(content, policy=compat32) if isinstance(content, bytes) else None
    found = _ID.fullmatch(str(headers.get("Message-ID", ""))) if headers is not None else None
    if found:
        yield found[1]
