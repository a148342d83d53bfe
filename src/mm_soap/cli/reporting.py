"""mm-soap report: which way the messages of each sender went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mm_soap.bootstrap import databases
from mm_soap.channels import ChannelName
from mm_soap.cli.output import print_json, print_table
from mm_soap.config import load
from mm_soap.dispatcher import Entry, books, status_of
from mm_soap.errors import ConfigurationError
from mm_soap.storage import reading


def report(config: Path, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Print how many messages went which way, and how they ended."""
    settings = load(config)
    if settings.dispatcher is None:
        raise ConfigurationError(f"{config} has no [dispatcher]: give the settings of the dispatcher.")
    first = since.astimezone() if since else datetime(1970, 1, 1, tzinfo=UTC)
    last = until.astimezone() + timedelta(days=1) if until else datetime.now(UTC) + timedelta(days=1)
    with reading(databases(settings)["dispatcher"]) as connection:
        rows = [_row(entry) for entry in books(connection, first, last)]
    if as_json:
        print_json(rows)
        return
    print_table(
        "Messages", ("sender", "channel", "state", "type", "status", "number"), [tuple(r.values()) for r in rows]
    )


def _row(entry: Entry) -> dict[str, object]:
    told = status_of("", entry.state)
    # One that went no further than the mailbox, though another channel was looked for, went nowhere.
    way = "none" if entry.way is ChannelName.MAILBOX else entry.way or ChannelName.MAILBOX
    return {
        "sender": entry.sender,
        "channel": str(way),
        "state": entry.state.value,
        "type": told.type if told else None,
        "delivery_status": told.delivery_status if told else None,
        "number": entry.number,
    }
