"""Who may call what: the parties that the contract names for each operation. Source: contract, services."""

from __future__ import annotations

from sqlalchemy import CompoundSelect, Engine, Select, String, bindparam, select, union_all

from mm_soap.errors import Refusal, Refused
from mm_soap.far import store
from mm_soap.storage import reading

_wanted = bindparam("wanted", type_=String)
_operator = select(store.operator.c.number).where(store.operator.c.number == _wanted, store.operator.c.closed.is_(None))
_sender = select(store.sender.c.number).where(store.sender.c.number == _wanted, store.sender.c.closed.is_(None))
_dispatcher = select(store.dispatcher.c.number).where(
    store.dispatcher.c.number == _wanted, store.dispatcher.c.closed.is_(None)
)
_party = union_all(_operator, _sender, _dispatcher)
_dispatcher_for = (
    select(store.dispatcher_sender.c.sender)
    .join_from(store.dispatcher_sender, store.dispatcher)
    .where(
        store.dispatcher.c.number == _wanted,
        store.dispatcher.c.closed.is_(None),
        store.dispatcher_sender.c.sender == bindparam("sender"),
    )
)
_operator_or_dispatcher_for = union_all(_operator, _dispatcher_for)
_operator_or_sender = union_all(_operator, _sender)


class Callers:
    """Decides by the organisation in a caller's certificate what it may call.

    Args:
        engine: the register's database.
        unknown_allowed: whether a caller without a certificate may do everything. Only for a demonstration: events
            then say that the caller is unknown.

    Every method raises ``Refused`` with ``NOT_AUTHORISED`` where the caller may not. ``organisation`` is None for a
    caller without a certificate.
    """

    def __init__(self, engine: Engine, *, unknown_allowed: bool) -> None:
        self._engine = engine
        self._unknown_allowed = unknown_allowed

    def check_party(self, organisation: str | None) -> None:
        """Check that the caller is a connected sender, dispatcher or operator."""
        if self._known(organisation) and not self._any(_party, wanted=organisation):
            raise Refused(Refusal.NOT_AUTHORISED, "not a connected party")

    def check_operator(self, organisation: str | None) -> None:
        """Check that the caller is a registered operator."""
        if self._known(organisation) and not self._any(_operator, wanted=organisation):
            raise Refused(Refusal.NOT_AUTHORISED, "not a mailbox operator")

    def check_reach(self, organisation: str | None, sender: str) -> None:
        """Check that the caller may ask whom a sender reaches: the sender, its dispatcher, or an operator."""
        if not self._known(organisation):
            return
        if organisation == sender:
            allowed = self._any(_operator_or_sender, wanted=organisation)
        else:
            allowed = self._any(_operator_or_dispatcher_for, wanted=organisation, sender=sender)
        if not allowed:
            raise Refused(Refusal.NOT_AUTHORISED, "neither the sender, its dispatcher nor a mailbox operator")

    def _known(self, organisation: str | None) -> bool:
        if organisation is None and not self._unknown_allowed:
            raise Refused(Refusal.NOT_AUTHORISED, "no client certificate")
        return organisation is not None

    def _any(self, statement: Select[str] | CompoundSelect[str], **parameters: str | None) -> bool:
        with reading(self._engine) as connection:
            return connection.execute(statement, parameters).first() is not None
