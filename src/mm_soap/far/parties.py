"""Senders, dispatchers and operators as administration sees them: closed ones too, and with their certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, select, update

from mm_soap.far import store
from mm_soap.far.account_tables import request
from mm_soap.far.model import Dispatcher, Operator, Sender

AnyParty = Sender | Dispatcher | Operator
PartyT = TypeVar("PartyT", Sender, Dispatcher, Operator)

KINDS: Final[Mapping[type[AnyParty], str]] = {Sender: "sender", Dispatcher: "dispatcher", Operator: "operator"}
"""What each kind of party is called."""

_TABLES: Final[Mapping[type[AnyParty], Table]] = {
    Sender: store.sender,
    Dispatcher: store.dispatcher,
    Operator: store.operator,
}
_dispatchers_for = select(store.dispatcher_sender.c.dispatcher).where(
    store.dispatcher_sender.c.sender == bindparam("wanted")
)
_forget_sender = delete(store.dispatcher_sender).where(store.dispatcher_sender.c.sender == bindparam("wanted"))
_accounts_at = select(func.count()).select_from(store.account).where(store.account.c.operator == bindparam("wanted"))
_requests_at = (
    select(func.count())
    .select_from(request)
    .where(and_(request.c.operator == bindparam("wanted"), request.c.state == "pending"))
)


@dataclass(frozen=True, slots=True)
class Entry(Generic[PartyT]):
    """A party as it stands in the register.

    Args:
        party: what others are told of it.
        certificate: the SHA-256 fingerprint of its certificate, in hexadecimal, where one was given.
        closed: since when it is not connected any more; None while it is.
    """

    party: PartyT
    certificate: str | None = None
    closed: datetime | None = None

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        closed = self.closed.isoformat() if self.closed else None
        return {**asdict(self.party), "certificate": self.certificate, "closed": closed}


def entries(connection: Connection, kind: type[PartyT]) -> Sequence[Entry[PartyT]]:
    """Return all parties of a kind, by number; closed ones too."""
    table = _TABLES[kind]
    rows = connection.execute(select(table).order_by(table.c.number)).mappings()
    found = [_entry(kind, dict(row)) for row in rows]
    if kind is Dispatcher:
        listed: dict[str, list[str]] = {}
        for dispatcher, sender in connection.execute(
            select(store.dispatcher_sender).order_by(store.dispatcher_sender.c.sender)
        ):
            listed.setdefault(dispatcher, []).append(sender)
        return [
            replace(one, party=replace(one.party, senders=tuple(listed.get(one.party.number, ())))) for one in found
        ]
    return found


def find(connection: Connection, kind: type[PartyT], number: str) -> Entry[PartyT] | None:
    """Return one party, closed or not, locked against other changes until the transaction ends."""
    table = _TABLES[kind]
    row = connection.execute(select(table).where(table.c.number == number).with_for_update()).mappings().first()
    if row is None:
        return None
    entry = _entry(kind, dict(row))
    if kind is Dispatcher:
        senders = select(store.dispatcher_sender.c.sender).where(store.dispatcher_sender.c.dispatcher == number)
        listed = tuple(sorted(connection.execute(senders).scalars()))
        return replace(entry, party=replace(entry.party, senders=listed))
    return entry


def save(connection: Connection, entry: Entry[PartyT]) -> None:
    """Write a party as the entry says."""
    party = entry.party
    if isinstance(party, Sender):
        store.save_sender(connection, party)
    elif isinstance(party, Dispatcher):
        store.save_dispatcher(connection, party)
    else:
        store.save_operator(connection, party)
    table = _TABLES[type(party)]
    values = {"certificate": entry.certificate, "closed": entry.closed}
    connection.execute(update(table).where(table.c.number == party.number).values(values))


def dispatchers_for(connection: Connection, sender: str) -> Sequence[str]:
    """Return the numbers of the dispatchers that are listed for a sender."""
    return sorted(connection.execute(_dispatchers_for, {"wanted": sender}).scalars())


def list_nowhere(connection: Connection, sender: str) -> None:
    """Take a sender off the lists of all dispatchers."""
    connection.execute(_forget_sender, {"wanted": sender})


def accounts_at(connection: Connection, operator: str) -> tuple[int, int]:
    """Return how many accounts an operator has, and how many requests of it wait for signatures."""
    accounts, requests = (
        connection.execute(statement, {"wanted": operator}).scalar_one() for statement in (_accounts_at, _requests_at)
    )
    return accounts, requests


def _entry(kind: type[PartyT], row: dict[str, Any]) -> Entry[PartyT]:
    closed, certificate = row.pop("closed"), row.pop("certificate")
    return Entry(kind(**row), certificate, closed)
