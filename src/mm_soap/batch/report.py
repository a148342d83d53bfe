"""The report of a batch: a line for each row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mm_soap.batch.model import Outcome
from mm_soap.row_files import Columns, form_of
from mm_soap.row_files_out import replacing, row_writer

COLUMNS: Final = Columns(
    (
        "line",
        "recipient",
        "message_id",
        "distribution_id",
        "state",
        "channel",
        "delivery_status",
        "reason",
    )
)


def write_report(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write the report: whole or not at all.

    Args:
        path: a .csv, .json or .jsonl file, replaced if it is there.
        outcomes: a line each.

    Raises:
        ConfigurationError: it cannot be written.
    """
    form = form_of(path)
    with replacing(path) as text:
        put = row_writer(text, form, COLUMNS)
        for each in outcomes:
            put(
                (
                    str(each.line),
                    each.recipient,
                    each.message_id,
                    each.distribution_id,
                    each.state.value,
                    each.channel,
                    each.delivery_status,
                    each.reason,
                )
            )
