"""Letting organisations in: a certificate for whoever asks, and a place in the register with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from mm_soap.clock import Clock
from mm_soap.far.administration import Administration, NotChanged, Who
from mm_soap.far.model import Dispatcher, Operator, Sender
from mm_soap.storage import reading, writing
from mm_soap.testbed import store
from mm_soap.testbed.authority import RequestRefused, TestbedAuthority, read_request
from mm_soap.testing.certificates import pem

WHO: Final = "test bed"
"""Who makes the changes, as the register's audit tells."""

_HOUR: Final = timedelta(hours=1)
_TAKEN: Final = "This organisation number is one of the test bed's own parties: take another one."


@dataclass(frozen=True)
class Enrolled:
    """An organisation that may send.

    Args:
        organisation: its number.
        name: its name.
        chain: its certificate and the authority's, PEM.
    """

    organisation: str
    name: str
    chain: bytes


@dataclass(frozen=True)
class Enrolment:
    """Hands out certificates, and registers those who get one as senders.

    Args:
        authority: issues.
        register: the register's database.
        database: the test bed's own.
        dispatcher: the number of the dispatcher that is listed for each of them.
        per_hour: how many certificates are handed out in an hour, at most.
        clock: the time.
    """

    authority: TestbedAuthority
    register: Engine
    database: Engine
    dispatcher: str
    per_hour: int
    clock: Clock

    def enrol(self, raw: bytes) -> Enrolled:
        """Answer a certificate request. The same organisation may ask again, with another key or the same.

        Args:
            raw: the request, PEM or DER.

        Raises:
            RequestRefused: it is not one for a sender, the number is a party's own, or too many asked in this hour.
            Refused: ``UNAVAILABLE`` when a database is away or busy.
        """
        request = read_request(raw)
        now = self.clock()
        with reading(self.database) as connection:
            issued = store.certificates_since(connection, now - _HOUR)
        if issued >= self.per_hour:
            raise RequestRefused("Too many certificates were handed out in the last hour: ask later.")
        self._register(Sender(request.organisation, request.name))
        with writing(self.database) as connection:
            store.add_certificate(connection, now, request.organisation)
        return Enrolled(request.organisation, request.name, pem(self.authority.issue(request)))

    def _register(self, sender: Sender) -> None:
        admin = Administration(self.register, Who(WHO, WHO), clock=self.clock)
        number = sender.number
        dispatchers, operators = admin.entries(Dispatcher, closed=True), admin.entries(Operator, closed=True)
        if number in {one.party.number for one in dispatchers} | {one.party.number for one in operators}:
            raise RequestRefused(_TAKEN)
        known = next((one for one in admin.entries(Sender, closed=True) if one.party.number == number), None)
        # Whoever was registered by somebody else, or has been there from the beginning, is nobody's to impersonate.
        if known is not None and {change.who for change in admin.changes(number)} != {WHO}:
            raise RequestRefused(_TAKEN)
        try:
            if known is None:
                admin.add(sender)
            elif known.party.name != sender.name:
                admin.change(Sender, number, lambda before: {"name": sender.name})
            admin.change(Dispatcher, self.dispatcher, lambda before: {"senders": _with(before.senders, number)})
        except NotChanged:
            raise RequestRefused(
                "The register did not take this organisation: check its name, and ask again in a moment."
            ) from None


def _with(senders: Sequence[str], number: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*senders, number)))
