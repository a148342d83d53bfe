"""Accounts in bulk: an import is all or nothing, and neither import nor export holds more than a part in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Select, select

from mm_soap.errors import MmSoapError
from mm_soap.far.account_tables import request
from mm_soap.far.audit import Change, complete_change, record_change
from mm_soap.far.bulk_rows import Write, between, writer
from mm_soap.far.checking import Counter, Progress, checked_rows
from mm_soap.far.staging import StagedRow, Staging, staging
from mm_soap.far.store import account, operator
from mm_soap.row_files import FileRow
from mm_soap.storage import among, id_list, reading, settle, writing

Refuse = Callable[[int, str], None]
"""Called for each refused row, by line: its line, and why. The reason never holds anything out of the row."""


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import ended.

    Args:
        rows: how many rows the file has.
        refused: how many of them were refused. Then nothing was stored.
        added: how many accounts are new; in a dry run, would be.
        replaced: how many were written anew.
        stored: whether they were stored: not in a dry run, and not when any row was refused.
    """

    rows: int
    refused: int
    added: int
    replaced: int
    stored: bool


@dataclass(frozen=True, slots=True)
class ImportRules:
    """How an import is to be made.

    Args:
        check_digits: whether the check digit of each recipient must be right.
        replace: write accounts anew that are there already, in place of refusing their rows. An account that waits
            for signatures is refused all the same.
        dry_run: check all, store nothing.
    """

    check_digits: bool = True
    replace: bool = False
    dry_run: bool = False


class _RowsRefused(MmSoapError):
    """Ends the transaction: rows were refused, nothing is stored."""


def import_accounts(
    engine: Engine,
    rows: Iterable[FileRow],
    rules: ImportRules,
    change: Callable[[Mapping[str, Any]], Change],
    refuse: Refuse,
    progress: Progress = lambda what, done, of: None,
) -> Imported:
    """Add the accounts of a file to the register: all of them, or none if any row is refused.

    Args:
        engine: the register's database, migrated.
        rows: the rows, with the columns of `ACCOUNT_COLUMNS`, in any order.
        rules: how.
        change: makes what the audit keeps of it from the counts, once all rows were read. The history of each account
            leads to it. Called before the accounts are written, with no counts, and afterwards.
        refuse: told of each refused row.
        progress: told how far it came.

    Raises:
        StagingError: the folder for temporary files has no room.
        Refused: ``UNAVAILABLE`` when the database is away or busy.
        MmSoapError: whatever ``rows`` raises; nothing is stored then.
    """
    with reading(engine) as connection:
        operators = set(connection.execute(select(operator.c.number).where(operator.c.closed.is_(None))).scalars())
    with staging() as staged:
        counter = Counter(progress)
        staged.put(checked_rows(rows, operators, rules.check_digits, staged, counter))
        if staged.any_refused or rules.dry_run:
            with reading(engine) as connection:
                added, replaced = _settle(connection, staged, rules.replace, counter, None)
            stored = False
        else:
            added, replaced, stored = _store(engine, staged, rules.replace, change, counter)
        refused = staged.count_refused
        for line, reason in staged.refused():
            refuse(line, reason)
    return Imported(counter.rows, refused, added, replaced, stored)


_anybody = select(account.c.recipient).where(between).limit(1)


@cache
def _present_statement(dialect: str) -> Select[int, bool]:
    return select(account.c.recipient, account.c.pending).where(among(account.c.recipient, "ids", dialect))


def _settle(
    connection: Connection, staged: Staging, replace: bool, counter: Counter, write: Write | None
) -> tuple[int, int]:
    """Go through the rows by recipient: refuse those that stand twice or whose accounts are there, write the others.

    Nothing is written any more once a row is refused. Returns how many accounts are new, and how many written anew.
    """
    done = added = replaced = last = last_line = 0
    for batch in staged.batches():
        done += len(batch)
        recipients = {row[0] for row in batch}
        if len(recipients) < len(batch) or last in recipients:
            batch = _without_repeated(batch, last, last_line, staged)
        # The batches have the order of the keys: where nobody stands between two ends, nobody needs to be looked up.
        free = not batch or connection.execute(_anybody, {"first": batch[0][0], "last": batch[-1][0]}).first() is None
        present = () if free else _present(connection, batch, replace, staged)
        added, replaced = added + len(batch) - len(present), replaced + len(present)
        if write is not None and batch and not staged.any_refused:
            write(batch, present, free)
        if batch:
            last, last_line = batch[-1][0], batch[-1][4]
        counter.progress("comparing" if write is None else "storing", done, counter.rows)
    return added, replaced


def _without_repeated(batch: Sequence[StagedRow], last: int, last_line: int, staged: Staging) -> list[StagedRow]:
    kept = []
    for row in batch:
        if row[0] == last:
            staged.refuse(row[4], f"the recipient stands on line {last_line} already")
        else:
            last, last_line = row[0], row[4]
            kept.append(row)
    return kept


@cache
def _waiting_statement(dialect: str) -> Select[int]:
    # A change of operator, or preferences, or a deregistration, of an account that is active until it is signed by all.
    return select(request.c.recipient).where(request.c.state == "pending", among(request.c.recipient, "ids", dialect))


def _present(connection: Connection, batch: Sequence[StagedRow], replace: bool, staged: Staging) -> Collection[int]:
    """Return the recipients of the rows that have an account; refuse the rows that may not be written anew."""
    dialect = connection.dialect.name
    ids = id_list((row[0] for row in batch), dialect)
    present = {row[0]: row[1] for row in connection.execute(_present_statement(dialect), {"ids": ids})}
    if present and replace:
        waiting = connection.execute(_waiting_statement(dialect), {"ids": ids}).scalars()
        present |= dict.fromkeys(present.keys() & set(waiting), True)
    if present and (not replace or any(present.values())):
        for recipient, _, _, _, line in batch:
            if present.get(recipient):
                staged.refuse(line, "the account waits for signatures")
            elif recipient in present and not replace:
                staged.refuse(line, "the recipient has an account already")
    return present


def _store(
    engine: Engine,
    staged: Staging,
    replace: bool,
    change: Callable[[Mapping[str, Any]], Change],
    counter: Counter,
) -> tuple[int, int, bool]:
    added = replaced = 0
    try:
        with writing(engine) as connection:
            begun = record_change(connection, change({}))
            added, replaced = _settle(connection, staged, replace, counter, writer(connection, begun))
            if staged.any_refused:
                raise _RowsRefused
            counts = {"accounts": added + replaced, "added": added, "replaced": replaced}
            complete_change(connection, begun, change(counts).after)
    except _RowsRefused:
        return added, replaced, False
    settle(engine, account)
    return added, replaced, True
