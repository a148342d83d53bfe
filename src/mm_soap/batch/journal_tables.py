"""The tables of a batch's journal, and the statements that change a row."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, bindparam, update

from mm_soap.batch.model import State
from mm_soap.storage import NAMING

metadata = MetaData(naming_convention=NAMING)
batch: Final = Table(
    "batch",
    metadata,
    Column("form", Integer, primary_key=True),
    Column("file_sha256", String, nullable=False),
    Column("sender", String, nullable=False),
    Column("checked", Boolean, nullable=False),
)
row: Final = Table(
    "row",
    metadata,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("recipient", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("washed", Boolean, nullable=False),
    Column("document", LargeBinary),
    Column("distribution_id", String),
    Column("type", String),
    Column("delivery_status", String),
    Column("reason", String),
    Index("ix_row_state_line", "state", "line"),
    Index("ix_row_message_id", "message_id"),
)

FORM: Final = 1
"""The form of the journal: another one is another release's."""

_changes = update(row).where(row.c.line == bindparam("at"))
WASHED = _changes.values(washed=True, state=bindparam("to"), reason=bindparam("why"))
SIGNED = _changes.values(state=State.SIGNED.value, document=bindparam("bytes"))
ACCEPTED = _changes.values(state=State.ACCEPTED.value, distribution_id=bindparam("id"), document=None)
REFUSED = _changes.values(state=State.REFUSED.value, reason=bindparam("why"), document=None)
TOLD = _changes.values(state=bindparam("to"), type=bindparam("kind"), delivery_status=bindparam("status"))
