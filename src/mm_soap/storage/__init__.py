"""Databases: opening them, transactions, migrations, and the ledger of events and evidence that each party keeps.

Each party has a database of its own. The embedded default is one SQLite file per party; production is PostgreSQL. The
parties use SQLAlchemy Core: prepared statements at module level, one transaction per use case.
"""

from mm_soap.storage.columns import NAMING, UtcDateTime, among, big_key, id_list, insert_new, insert_or_join, upsert
from mm_soap.storage.copying import copy_rows
from mm_soap.storage.database import Conflict, open_database, reading, writing
from mm_soap.storage.ledger import (
    RETENTION,
    Event,
    Evidence,
    add_ledger,
    caller_identity,
    events_of,
    evidence_of,
    forget_events,
    forget_evidence,
    record_event,
    record_evidence,
    record_refusal,
)
from mm_soap.storage.migration import is_current, migrate
from mm_soap.storage.prepared import PreparedInsert

__all__ = [
    "NAMING",
    "RETENTION",
    "Conflict",
    "Event",
    "Evidence",
    "PreparedInsert",
    "UtcDateTime",
    "add_ledger",
    "among",
    "big_key",
    "caller_identity",
    "copy_rows",
    "events_of",
    "evidence_of",
    "forget_events",
    "forget_evidence",
    "id_list",
    "insert_new",
    "insert_or_join",
    "is_current",
    "migrate",
    "open_database",
    "reading",
    "record_event",
    "record_evidence",
    "record_refusal",
    "upsert",
    "writing",
]
