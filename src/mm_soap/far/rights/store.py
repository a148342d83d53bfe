"""The table of consents and its queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Select,
    String,
    Table,
    bindparam,
    select,
    text,
    update,
)

from mm_soap.far.model import is_recipient
from mm_soap.far.rights.model import Consent, ConsentKind
from mm_soap.far.store import account, metadata
from mm_soap.storage import UtcDateTime, among, big_key, id_list, insert_once

_IN_FORCE: Final = text("cancelled IS NULL")

# No key to the account: what was consented to stays known when the account is gone.
consent = Table(
    "consent",
    metadata,
    Column("id", big_key(), primary_key=True),
    Column("recipient", BigInteger, nullable=False),
    Column("user_identity", String(255), nullable=False, index=True),
    Column("kind", String(23), nullable=False),
    Column("given", UtcDateTime, nullable=False),
    Column("cancelled", UtcDateTime),
    CheckConstraint("kind IN ('ConsentRead', 'ConsentReadExtendUnread', 'ConsentManage')", name="kind"),
)
Index(
    "uq_consent_in_force",
    consent.c.recipient,
    consent.c.user_identity,
    consent.c.kind,
    unique=True,
    sqlite_where=_IN_FORCE,
    postgresql_where=_IN_FORCE,
)

_columns = (consent.c.recipient, consent.c.user_identity, consent.c.kind, consent.c.given, consent.c.cancelled)
_to_user = (
    select(*_columns)
    .where(consent.c.user_identity.in_(bindparam("users", expanding=True)), consent.c.cancelled.is_(None))
    .order_by(consent.c.recipient, consent.c.id)
)
_of_recipient = select(*_columns).where(consent.c.recipient == bindparam("whose")).order_by(consent.c.id)
_cancel = (
    update(consent)
    .where(
        consent.c.recipient == bindparam("whose"),
        consent.c.user_identity == bindparam("who"),
        consent.c.kind == bindparam("what"),
        consent.c.cancelled.is_(None),
    )
    .values(cancelled=bindparam("at", type_=UtcDateTime))
)
_cancel_all = (
    update(consent)
    .where(consent.c.recipient == bindparam("whose"), consent.c.cancelled.is_(None))
    .values(cancelled=bindparam("at", type_=UtcDateTime))
)


@cache
def _accounts(dialect: str) -> Select[int, bool]:
    return select(account.c.recipient, account.c.pending).where(among(account.c.recipient, "ids", dialect))


def active_accounts(connection: Connection, recipients: Iterable[str]) -> frozenset[str]:
    """Return those of some recipients that have an account that is not pending."""
    dialect = connection.dialect.name
    ids = id_list((int(one) for one in recipients if is_recipient(one)), dialect)
    return frozenset(str(row[0]) for row in connection.execute(_accounts(dialect), {"ids": ids}) if not row[1])


def add_consent(connection: Connection, one: Consent) -> int:
    """Write a new consent and return its key. One of the same recipient, user and kind in force breaks a key."""
    row = {"recipient": int(one.recipient), "user_identity": one.user, "kind": one.kind.value, "given": one.given}
    return int(insert_once(connection, consent, row))


def cancel_consent(
    connection: Connection, recipient: str, user: str, kind: ConsentKind, at: datetime
) -> tuple[int, Consent] | None:
    """End a consent and return it with its key; None where none was in force."""
    parameters = {"whose": int(recipient), "who": user, "what": kind.value, "at": at}
    row = connection.execute(_cancel.returning(consent.c.id, *_columns), parameters).first()
    return None if row is None else (row[0], _consent(*row[1:]))


def cancel_consents_of(connection: Connection, recipient: str, at: datetime) -> None:
    """End all consents of a recipient: for whoever closes the account, in the same transaction."""
    connection.execute(_cancel_all, {"whose": int(recipient), "at": at})


def consents_to(connection: Connection, users: Sequence[str]) -> list[Consent]:
    """Return the consents in force to a user under any of some identities, by recipient."""
    return [_consent(*row) for row in connection.execute(_to_user, {"users": list(users)})]


def consents_of(connection: Connection, recipient: str) -> list[Consent]:
    """Return all consents that a recipient ever gave, in the order in which they were given."""
    return [_consent(*row) for row in connection.execute(_of_recipient, {"whose": int(recipient)})]


def _consent(recipient: int, user: str, kind: str, given: datetime, cancelled: datetime | None) -> Consent:
    return Consent(str(recipient), user, ConsentKind(kind), given, cancelled)
