"""The use cases of whoever administers the register: its senders, dispatchers and operators. Each change is audited."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import Connection, Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.errors import MmSoapError
from mm_soap.far import audit, parties
from mm_soap.far.audit import Change
from mm_soap.far.model import Dispatcher, Operator, Sender
from mm_soap.far.parties import KINDS, Entry, PartyT
from mm_soap.message.identifiers import is_organisation, valid_check_digit
from mm_soap.pki import organisation_number
from mm_soap.storage import Conflict, reading, writing

_LONGEST_NAME: Final = 256
_LONGEST_ADDRESS: Final = 2000
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_ADDRESS: Final = re.compile(r"https?://[^/?#\s]+\S*")


class NotChanged(MmSoapError):
    """A change of the register was refused; nothing is stored. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who makes changes.

    Args:
        login: the user of the operating system.
        name: who answers for the change, where that is not the user.
    """

    login: str
    name: str | None = None


class Administration:
    """Adds, changes and closes the parties of a register.

    Args:
        engine: the register's database, migrated.
        who: who does it.
        check_digits: whether the check digit of organisation numbers must be right.
        clock: the time.

    Every method raises ``Refused`` with ``UNAVAILABLE`` when the database is away or busy.
    """

    def __init__(self, engine: Engine, who: Who, *, check_digits: bool = True, clock: Clock = system_clock) -> None:
        self._engine = engine
        self._who = who
        self._check_digits = check_digits
        self._clock = clock

    def entries(self, kind: type[PartyT], *, closed: bool = False) -> Sequence[Entry[PartyT]]:
        """Return the parties of a kind that are connected, by number; with ``closed``, the closed ones too."""
        with reading(self._engine) as connection:
            return [one for one in parties.entries(connection, kind) if closed or one.closed is None]

    def add(self, party: PartyT, certificate: x509.Certificate | None = None) -> Entry[PartyT]:
        """Connect a party; one that was closed is connected again, with what is given now and nothing from before.

        Raises:
            NotChanged: it is connected already, or something about it is wrong.
        """
        kind = KINDS[type(party)]
        entry = Entry(party, self._fingerprint(party.number, certificate))
        with self._changing() as connection:
            before = parties.find(connection, type(party), party.number)
            if before is not None and before.closed is None:
                raise NotChanged(f"The {kind} {party.number} is connected already: change it with `far {kind} change`.")
            self._check(connection, party)
            parties.save(connection, entry)
            self.record(connection, f"{kind} added", party.number, before, entry)
        return entry

    def change(
        self,
        kind: type[PartyT],
        number: str,
        changes: Callable[[PartyT], Mapping[str, Any]],
        certificate: x509.Certificate | None = None,
    ) -> Entry[PartyT]:
        """Change some of what is known of a connected party; what is not named stays.

        Args:
            kind: what it is.
            number: its organisation number.
            changes: makes new values, by the names of the fields of the kind, from what it is now.
            certificate: its new certificate.

        Raises:
            NotChanged: it is not connected, or something about it would be wrong.
        """
        fingerprint = self._fingerprint(number, certificate)
        with self._changing() as connection:
            before = self._connected(connection, kind, number)
            entry = Entry(replace(before.party, **changes(before.party)), fingerprint or before.certificate)
            self._check(connection, entry.party)
            if entry != before:
                parties.save(connection, entry)
                self.record(connection, f"{KINDS[kind]} changed", number, before, entry)
        return entry

    def close(self, kind: type[PartyT], number: str) -> Entry[PartyT]:
        """Disconnect a party. What it did stays known.

        A sender leaves the lists of its dispatchers, and a dispatcher signs for nobody any more. An operator must have
        no accounts left.

        Raises:
            NotChanged: it is not connected, or has accounts or requests.
        """
        with self._changing() as connection:
            before = self._connected(connection, kind, number)
            party = before.party
            if isinstance(party, Operator):
                _must_be_empty(connection, number)
            elif isinstance(party, Sender):
                self._list_nowhere(connection, number)
            else:
                party = replace(party, senders=())
            entry = Entry(party, before.certificate, self._clock())
            parties.save(connection, entry)
            self.record(connection, f"{KINDS[kind]} closed", number, before, entry)
        return entry

    def changes(self, party: str | None = None, most: int = 100) -> Sequence[Change]:
        """Return the newest changes, newest first: those of one party, or all."""
        with reading(self._engine) as connection:
            return audit.changes(connection, party, most)

    def a_change(self, what: str, after: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Change:
        """Return a change that concerns no single party, to be recorded with what it tells of."""
        return Change(self._clock(), self._who.name or self._who.login, self._who.login, what, None, before, after)

    def record(
        self,
        connection: Connection,
        what: str,
        party: str,
        before: Entry[PartyT] | None,
        after: Entry[PartyT],
    ) -> None:
        """Write a change of one party, in the transaction that makes it."""
        was = before.document() if before else None
        who = self._who.name or self._who.login
        audit.record_change(connection, Change(self._clock(), who, self._who.login, what, party, was, after.document()))

    def _changing(self) -> _Changing:
        return _Changing(self._engine)

    def _connected(self, connection: Connection, kind: type[PartyT], number: str) -> Entry[PartyT]:
        found = parties.find(connection, kind, number)
        if found is None:
            raise NotChanged(f"There is no {KINDS[kind]} {number} in the register.")
        if found.closed is not None:
            raise NotChanged(f"The {KINDS[kind]} {number} is closed: connect it again with `far {KINDS[kind]} add`.")
        return found

    def _list_nowhere(self, connection: Connection, sender: str) -> None:
        for number in parties.dispatchers_for(connection, sender):
            before = parties.find(connection, Dispatcher, number)
            if before is not None:
                left = tuple(one for one in before.party.senders if one != sender)
                after = replace(before, party=replace(before.party, senders=left))
                self.record(connection, "dispatcher changed", number, before, after)
        parties.list_nowhere(connection, sender)

    def _check(self, connection: Connection, party: Sender | Dispatcher | Operator) -> None:
        kind = KINDS[type(party)]
        if not is_organisation(party.number):
            raise NotChanged(f"The number of the {kind} must be 12 digits that begin with 16.")
        if self._check_digits and not valid_check_digit(party.number):
            raise NotChanged(f"The check digit of {party.number} is wrong.")
        shortest = 1 if isinstance(party, Operator) else 2
        _check_text("name", party.name, shortest)
        if isinstance(party, Sender) and party.attention is not None:
            _check_text("attention", party.attention, 1)
        if isinstance(party, Operator):
            _check_address("service address", party.service_address)
            _check_address("internal address", party.internal_address)
            for what, address in (("address of the web pages", party.ui_address), ("address of the logo", party.logo)):
                if address is not None:
                    _check_address(what, address)
        if isinstance(party, Dispatcher):
            for sender in party.senders:
                found = parties.find(connection, Sender, sender)
                if found is None or found.closed is not None:
                    raise NotChanged(f"{sender} is not a connected sender: connect it first with `far sender add`.")

    def _fingerprint(self, number: str, certificate: x509.Certificate | None) -> str | None:
        if certificate is None:
            return None
        if organisation_number(certificate) != number:
            raise NotChanged(f"The certificate names another organisation than {number}: give the party's own.")
        if certificate.not_valid_after_utc <= self._clock():
            raise NotChanged("The certificate has expired: give a valid one.")
        return certificate.fingerprint(SHA256()).hex()


class _Changing:
    """A write transaction in which a broken key means that another operator has the name."""

    def __init__(self, engine: Engine) -> None:
        self._transaction = writing(engine)

    def __enter__(self) -> Connection:
        return self._transaction.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        try:
            return self._transaction.__exit__(kind, error, trace)
        except Conflict:
            raise NotChanged("Another operator, perhaps a closed one, has that name: give another.") from None


def _must_be_empty(connection: Connection, operator: str) -> None:
    accounts, requests = parties.accounts_at(connection, operator)
    if accounts or requests:
        raise NotChanged(
            f"The operator {operator} has {accounts} accounts, and {requests} requests that wait for signatures: it "
            "can be closed when it has none."
        )


def _check_text(what: str, text: str, shortest: int) -> None:
    if not shortest <= len(text) <= _LONGEST_NAME or text != text.strip() or _CONTROL.search(text):
        raise NotChanged(
            f"The {what} must have {shortest} to {_LONGEST_NAME} characters, none of them a control character, and no "
            "space at either end."
        )


def _check_address(what: str, address: str) -> None:
    if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address) or _CONTROL.search(address):
        raise NotChanged(f"The {what} must be a URL such as https://post.example.se/Service/v3.")
