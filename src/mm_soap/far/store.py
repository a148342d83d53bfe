"""The tables and queries of the register.

Recipients are stored as integers: their twelve digits never begin with 0, and the integer is the row's own key in both
databases, which makes look-ups quick and ten million accounts small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    MetaData,
    Row,
    Select,
    String,
    Table,
    and_,
    bindparam,
    delete,
    false,
    insert,
    select,
)

from mm_soap.far.account_tables import add_account_requests
from mm_soap.far.audit import ADMINISTERED, add_audit, administered
from mm_soap.far.model import Account, Dispatcher, Operator, Sender, is_recipient
from mm_soap.storage import NAMING, UtcDateTime, add_ledger, among, big_key, id_list, upsert

metadata = MetaData(naming_convention=NAMING)

operator = Table(
    "operator",
    metadata,
    Column("number", String(12), primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
    Column("logo", String),
    Column("service_address", String, nullable=False),
    Column("ui_address", String),
    Column("internal_address", String, nullable=False),
    *administered(),
)

sender = Table(
    "sender",
    metadata,
    Column("number", String(12), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("attention", String),
    *administered(),
)

dispatcher = Table(
    "dispatcher",
    metadata,
    Column("number", String(12), primary_key=True),
    Column("name", String(256), nullable=False),
    *administered(),
)

dispatcher_sender = Table(
    "dispatcher_sender",
    metadata,
    Column("dispatcher", ForeignKey(dispatcher.c.number), primary_key=True),
    Column("sender", ForeignKey(sender.c.number), primary_key=True),
)

# Whether a recipient ever chose about any sender is written by the database: a trigger on sender_choice, made by the
# migration far0007. Most never do, and isReachable then spares the look-up for the sender that asks.
DATABASE_KEEPS: Final = "has_choices"
"""The column of `account` that nobody else writes."""

account = Table(
    "account",
    metadata,
    Column("recipient", big_key(), primary_key=True, autoincrement=False),
    Column("account_type", String(9), nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("operator", ForeignKey(operator.c.number), nullable=False),
    Column("last_registration", UtcDateTime),
    Column(DATABASE_KEEPS, Boolean, nullable=False, server_default=false()),
    CheckConstraint("account_type IN ('Secure', 'Anonymous')", name="account_type"),
)

# All senders are accepted until a recipient deselects one. A row stays when the recipient accepts it again, so that the
# time of the last change is known.
sender_choice = Table(
    "sender_choice",
    metadata,
    Column("recipient", BigInteger, ForeignKey(account.c.recipient, ondelete="CASCADE"), primary_key=True),
    Column("sender", ForeignKey(sender.c.number), primary_key=True),
    Column("accepted", Boolean, nullable=False),
    Column("changed", UtcDateTime),
    sqlite_with_rowid=False,
)

add_ledger(metadata)
add_audit(metadata)
add_account_requests(metadata)


_account_columns = (
    account.c.recipient,
    account.c.account_type,
    account.c.pending,
    account.c.operator,
    account.c.last_registration,
)
_choice = select(sender_choice.c.accepted).where(
    sender_choice.c.recipient == bindparam("recipient"), sender_choice.c.sender == bindparam("sender")
)
# Closed operators too: they have no accounts, but one may be closed between two reads of a call.
_operators = select(*(column for column in operator.columns if column.name not in ADMINISTERED))
_senders = (
    select(*(column for column in sender.columns if column.name not in ADMINISTERED))
    .where(sender.c.closed.is_(None))
    .order_by(sender.c.number)
)
_is_sender = select(sender.c.number).where(sender.c.number == bindparam("wanted"), sender.c.closed.is_(None))
_dispatchers = (
    select(dispatcher.c.number, dispatcher.c.name).where(dispatcher.c.closed.is_(None)).order_by(dispatcher.c.number)
)
_listings = select(dispatcher_sender).order_by(dispatcher_sender.c.dispatcher, dispatcher_sender.c.sender)
_unlist = delete(dispatcher_sender).where(dispatcher_sender.c.dispatcher == bindparam("wanted"))


@cache
def _accounts_statement(dialect: str) -> Select[int, str, bool, str, datetime | None]:
    return select(*_account_columns).where(among(account.c.recipient, "ids", dialect))


@cache
def _choices_statement(dialect: str) -> Select[int, str, bool, str, datetime | None, bool | None, datetime | None]:
    chosen = and_(
        sender_choice.c.recipient == account.c.recipient, sender_choice.c.sender == bindparam("sender", type_=String)
    )
    return (
        select(*_account_columns, sender_choice.c.accepted, sender_choice.c.changed)
        .select_from(account.outerjoin(sender_choice, chosen))
        .where(among(account.c.recipient, "ids", dialect))
    )


def find_accounts(
    connection: Connection, recipients: Iterable[str]
) -> Mapping[str, Row[int, str, bool, str, datetime | None]]:
    """Return the accounts of those recipients that have one, in one query.

    A row holds recipient as an integer, type, pending, operator's number, last registration.
    """
    dialect = connection.dialect.name
    found = connection.execute(_accounts_statement(dialect), {"ids": id_list(_as_integers(recipients), dialect)})
    return {str(row[0]): row for row in found}


def find_accounts_for(
    connection: Connection, sender: str, recipients: Iterable[str]
) -> Mapping[str, Row[int, str, bool, str, datetime | None, bool | None, datetime | None]]:
    """Return the accounts of those recipients that have one, with what each chose about a sender, in one query.

    A row holds what `find_accounts` gives, then whether the sender is accepted and when that changed; both None where
    the recipient never chose.
    """
    dialect = connection.dialect.name
    found = connection.execute(
        _choices_statement(dialect), {"sender": sender, "ids": id_list(_as_integers(recipients), dialect)}
    )
    return {str(row[0]): row for row in found}


def _as_integers(recipients: Iterable[str]) -> Iterable[int]:
    return (int(one) for one in recipients if is_recipient(one))


def all_operators(connection: Connection) -> Mapping[str, Operator]:
    """Return the operators by organisation number."""
    return {row["number"]: Operator(**row) for row in connection.execute(_operators).mappings()}


def all_senders(connection: Connection) -> Sequence[Sender]:
    """Return the connected senders, by number."""
    return [Sender(**row) for row in connection.execute(_senders).mappings()]


def is_sender(connection: Connection, number: str) -> bool:
    """Tell whether an organisation is a connected sender."""
    return connection.execute(_is_sender, {"wanted": number}).first() is not None


def all_dispatchers(connection: Connection) -> Sequence[Dispatcher]:
    """Return the dispatchers with their senders, both by number."""
    listed: dict[str, list[str]] = {}
    for one, for_sender in connection.execute(_listings):
        listed.setdefault(one, []).append(for_sender)
    rows = connection.execute(_dispatchers)
    return [Dispatcher(number, name, tuple(listed.get(number, ()))) for number, name in rows]


def save_operator(connection: Connection, one: Operator) -> None:
    """Add an operator, or write it anew."""
    connection.execute(
        upsert(operator, connection.dialect.name, ADMINISTERED),
        {column.name: getattr(one, column.name) for column in operator.columns if column.name not in ADMINISTERED},
    )


def save_sender(connection: Connection, one: Sender) -> None:
    """Add a sender, or write it anew."""
    connection.execute(
        upsert(sender, connection.dialect.name, ADMINISTERED),
        {"number": one.number, "name": one.name, "attention": one.attention},
    )


def save_dispatcher(connection: Connection, one: Dispatcher) -> None:
    """Add a dispatcher, or write it anew; its list of senders is replaced."""
    row = {"number": one.number, "name": one.name}
    connection.execute(upsert(dispatcher, connection.dialect.name, ADMINISTERED), row)
    connection.execute(_unlist, {"wanted": one.number})
    if one.senders:
        rows = [{"dispatcher": one.number, "sender": number} for number in dict.fromkeys(one.senders)]
        connection.execute(insert(dispatcher_sender), rows)


def save_accounts(connection: Connection, accounts: Iterable[Account]) -> None:
    """Add accounts, or write them anew, in one statement."""
    rows = [
        {
            "recipient": int(one.recipient),
            "account_type": one.account_type.value,
            "pending": one.pending,
            "operator": one.operator,
            "last_registration": one.last_registration,
        }
        for one in accounts
    ]
    if rows:
        connection.execute(upsert(account, connection.dialect.name, [DATABASE_KEEPS]), rows)


def save_choice(connection: Connection, recipient: str, sender: str, accepted: bool, changed: datetime) -> None:
    """Write whether a recipient accepts a sender. The time of the last change stays where nothing changes."""
    key = {"recipient": int(recipient), "sender": sender}
    before = connection.execute(_choice, key).scalar()
    if before is not accepted and not (before is None and accepted):
        row = {**key, "accepted": accepted, "changed": changed}
        connection.execute(upsert(sender_choice, connection.dialect.name), row)
