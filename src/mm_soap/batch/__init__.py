"""Volume sending: the rows of a file, or of a folder of PDFs, each as a message of its own.

All rows are checked before the first is sent; the register is asked 1000 at a time who has a mailbox; what was done is
kept in a journal beside the file, so that a run that was stopped goes on where it was, and sends nothing twice.
"""

from mm_soap.batch.journal import Journal
from mm_soap.batch.letters import Letters
from mm_soap.batch.model import Counts, Outcome, Row, RowError, State
from mm_soap.batch.report import write_report
from mm_soap.batch.rows import BatchFile
from mm_soap.batch.run import Batch, Pace

__all__ = [
    "Batch",
    "BatchFile",
    "Counts",
    "Journal",
    "Letters",
    "Outcome",
    "Pace",
    "Row",
    "RowError",
    "State",
    "write_report",
]
