"""Databases: opening them, transactions, migrations, and the ledger of events and evidence that each party keeps.

Each party has a database of its own. The embedded default is one SQLite file per party; production is PostgreSQL. The
parties use SQLAlchemy Core: prepared statements at module level, one transaction per use case.
"""

from mm_soap.storage.chain import Head, forget_records, head_of, link_records, waits_for_links
from mm_soap.storage.columns import (
    NAMING,
    UtcDateTime,
    among,
    big_key,
    id_list,
    insert_new,
    insert_once,
    insert_or_join,
    upsert,
)
from mm_soap.storage.copying import copy_rows, settle
from mm_soap.storage.database import Conflict, open_database, reading, wait_for_disk, writing
from mm_soap.storage.evidence import RETENTION, Evidence, evidence_of, forget_evidence, record_evidence
from mm_soap.storage.ledger import (
    Event,
    add_ledger,
    caller_identity,
    events_of,
    first_event_of,
    forget_events,
    record_event,
    record_refusal,
)
from mm_soap.storage.migration import is_current, migrate
from mm_soap.storage.prepared import PreparedQuery, PreparedUpdate, end_with
from mm_soap.storage.rows import NewKey, PreparedInsert, Together, together
from mm_soap.storage.spool import NotSpooled, Spool, Spooled, SpoolState

__all__ = [
    "NAMING",
    "RETENTION",
    "Conflict",
    "Event",
    "Evidence",
    "Head",
    "NewKey",
    "NotSpooled",
    "PreparedInsert",
    "PreparedQuery",
    "PreparedUpdate",
    "Spool",
    "SpoolState",
    "Spooled",
    "Together",
    "UtcDateTime",
    "add_ledger",
    "among",
    "big_key",
    "caller_identity",
    "copy_rows",
    "end_with",
    "events_of",
    "evidence_of",
    "first_event_of",
    "forget_events",
    "forget_evidence",
    "forget_records",
    "head_of",
    "id_list",
    "insert_new",
    "insert_once",
    "insert_or_join",
    "is_current",
    "link_records",
    "migrate",
    "open_database",
    "reading",
    "record_event",
    "record_evidence",
    "record_refusal",
    "settle",
    "together",
    "upsert",
    "wait_for_disk",
    "waits_for_links",
    "writing",
]
