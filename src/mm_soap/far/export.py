"""Accounts on their way out of the register: sorted, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, func, select

from mm_soap.far.audit import Change, record_change
from mm_soap.far.store import account
from mm_soap.storage import reading, writing

_BATCH: Final = 10_000

_accounts = (
    select(account.c.recipient, account.c.operator, account.c.account_type, account.c.last_registration)
    .where(account.c.pending.is_(False))
    .order_by(account.c.recipient)
)
_active = select(func.count()).select_from(account).where(account.c.pending.is_(False))
_counts = (
    select(account.c.operator, account.c.account_type, account.c.pending, func.count())
    .group_by(account.c.operator, account.c.account_type, account.c.pending)
    .order_by(account.c.operator, account.c.account_type, account.c.pending)
)


@dataclass(frozen=True, slots=True)
class AccountCount:
    """How many accounts of one kind an operator has.

    Args:
        operator: its organisation number.
        account_type: ``Secure`` or ``Anonymous``.
        pending: whether they wait for signatures.
        accounts: how many.
    """

    operator: str
    account_type: str
    pending: bool
    accounts: int


def export_accounts(
    engine: Engine, put: Callable[[Sequence[str | None]], None], progress: Callable[[str, int, int | None], None]
) -> int:
    """Hand out every active account, in the order of the recipients, and return how many there are.

    What is handed out is the register of one moment. Accounts that wait for signatures stay out: a file cannot carry
    the signatures.

    Args:
        engine: the register's database, migrated.
        put: takes recipient, operator, type, and the time of the last registration in ISO 8601 or None.
        progress: told how far it came.
    """
    done = 0
    with reading(engine) as connection:
        total = connection.execute(_active).scalar_one()
        found = connection.execution_options(yield_per=_BATCH).execute(_accounts)
        for rows in found.partitions():
            for recipient, operator, kind, registered in rows:
                put((str(recipient), operator, kind, registered.isoformat() if registered else None))
            done += len(rows)
            progress("writing", done, total)
    return done


def record_export(engine: Engine, change: Change) -> None:
    """Write that accounts were handed out."""
    with writing(engine) as connection:
        record_change(connection, change)


def count_accounts(engine: Engine) -> Sequence[AccountCount]:
    """Return how many accounts each operator has, by type and whether they wait for signatures."""
    with reading(engine) as connection:
        return [AccountCount(*row) for row in connection.execute(_counts)]


def exported(accounts: int, sha256: str) -> Mapping[str, Any]:
    """Return what the audit keeps of an export."""
    return {"accounts": accounts, "file_sha256": sha256}
