"""A dispatcher and a mailbox operator in this process, behind the SOAP shell, with databases to look into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

from lxml import etree
from sqlalchemy import Engine, MetaData, select

from mm_soap.contract import ports
from mm_soap.dispatcher import (
    NOTIFICATION_PRECHECKS,
    MessageService,
    NotificationService,
    message_handlers,
    notification_handlers,
)
from mm_soap.dispatcher import PRECHECKS as MESSAGE_PRECHECKS
from mm_soap.dispatcher.documents import documents_of
from mm_soap.dispatcher.tables import metadata as dispatcher_tables
from mm_soap.dsig import Trust, VerifiedSeal, seal_policy, sender_policy, verify_sealed
from mm_soap.message import Limits, read_delivery
from mm_soap.refusals import keep_refusals
from mm_soap.service_supplier import (
    PRECHECKS,
    ForwardingService,
    MailboxService,
    NotifyingService,
    Outbox,
    service_handlers,
)
from mm_soap.service_supplier.store import metadata as operator_tables
from mm_soap.soap import Call, Caller, Wsgi, soap_application
from mm_soap.storage import Evidence, evidence_of, migrate, reading
from mm_soap.xml import SOAP_ENVELOPE, parse_untrusted
from tests.attacks.sites import DISPATCHER, KOMMUN_A, RECIPIENT, Cast

LEDGER: Final = ("event", "evidence")
"""What the names of the tables of events and evidence begin with."""


class Register:
    """Who is connected, and who may sign for whom."""

    def sender_connected(self, organisation: str) -> bool:
        return organisation == KOMMUN_A

    def may_dispatch(self, dispatcher: str, sender: str) -> bool:
        return (dispatcher, sender) == (DISPATCHER, KOMMUN_A)

    def operator_of(self, recipient: str, sender: str) -> str | None:
        return None


@dataclass
class Party:
    """One party.

    Args:
        applications: by path.
        engine: its database.
        tables: all of them.
    """

    applications: Mapping[str, Wsgi]
    engine: Engine
    tables: MetaData
    caller: list[str | None]
    """Whose client certificate the next calls show, in one place."""
    woken: list[int] = field(default_factory=list)

    def post(self, path: str, raw: bytes, *, caller: str | None = None) -> etree._Element:
        """Send a request and return what stands in the Body of the answer."""
        self.caller[:] = [caller]
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "CONTENT_TYPE": "text/xml",
            "CONTENT_LENGTH": str(len(raw)),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(raw),
        }
        answer = b"".join(self.applications[path](environ, lambda *_: None))
        (inside,) = parse_untrusted(answer).iterchildren(f"{{{SOAP_ENVELOPE}}}Body")
        return inside[0]

    def rows(self, name: str) -> list[Any]:
        """All rows of a table, in their order."""
        table = self.tables.tables[name]
        with reading(self.engine) as connection:
            return list(connection.execute(select(table).order_by(*table.primary_key.columns)))

    def contents(self) -> dict[str, list[Any]]:
        """All rows of all tables, but for events and evidence."""
        return {name: self.rows(name) for name in self.tables.tables if not name.startswith(LEDGER)}

    def evidence(self) -> list[Evidence]:
        """What is kept of each call, in the order in which they came."""
        calls = dict.fromkeys(row.call_id for row in self.rows("evidence_record"))
        with reading(self.engine) as connection:
            return [one for call in calls for one in evidence_of(connection, call)]

    def signed(self) -> list[list[str]]:
        """The subjects of each delivery that is stored."""
        if self.tables is dispatcher_tables:
            with reading(self.engine) as connection:
                found = documents_of(connection, [row.delivery for row in self.rows("document")])
            return [[one.subject for one in read_delivery(parse_untrusted(raw)).messages] for raw in found.values()]
        return [[row.subject] for row in self.rows("message")]


def error_code(answer: etree._Element) -> int | None:
    """Return the ErrorCode of a fault, None for an answer."""
    if answer.tag != f"{{{SOAP_ENVELOPE}}}Fault":
        return None
    return int(answer.findtext(".//{*}ErrorCode", "0"))


def trust(cast: Cast) -> Trust:
    return Trust(cast.pki.trust_store(), sender_policy(), seal_policy(), cast.clock)


def dispatcher(engine: Engine, cast: Cast, *, keep: bool = True) -> Party:
    """Return a dispatcher whose engine does not run: what was accepted stays where it was put.

    Args:
        engine: its database.
        cast: who signs.
        keep: write down what was refused.
    """
    migrate(engine, "dispatcher")
    caller: list[str | None] = [None]
    party = Party({}, engine, dispatcher_tables, caller)

    def wake(delivery: int, _sender: str) -> None:
        party.woken.append(delivery)

    accepting = (engine, DISPATCHER, Register(), Limits(), timedelta(days=1), cast.clock, wake)
    handlers = message_handlers(MessageService(*accepting), trust(cast))
    notifications = notification_handlers(NotificationService(*accepting))
    shell: dict[str, Any] = {
        "published": b"",
        "body_limit": 8_000_000,
        "refused": keep_refusals(engine, cast.clock) if keep else None,
        "identify": lambda environ: Caller(caller[0], "127.0.0.1"),
    }
    party.applications = {
        "/Message/v3": soap_application(ports()["message"], handlers, prechecks=MESSAGE_PRECHECKS, **shell),
        "/Notification/v3": soap_application(
            ports()["notification"], notifications, prechecks=NOTIFICATION_PRECHECKS, **shell
        ),
    }
    return party


def operator(engine: Engine, cast: Cast, *, keep: bool = True) -> Party:
    """Return a mailbox operator with the recipient's mailbox; for `keep` see `dispatcher`."""
    migrate(engine, "service_supplier")
    caller: list[str | None] = [None]
    mailboxes = MailboxService(engine, Register(), Limits(), clock=cast.clock)
    mailboxes.open_mailbox(RECIPIENT)
    rules = trust(cast)

    def verify(one: Call, element: etree._Element) -> VerifiedSeal:
        return verify_sealed(one.raw, element, rules)

    same = (engine, mailboxes.directory, mailboxes.limits)
    notifying = NotifyingService(*same, Outbox(engine, clock=cast.clock), clock=cast.clock)
    handlers = service_handlers(mailboxes, notifying, ForwardingService(*same, clock=cast.clock), verify)
    application = soap_application(
        ports()["service"],
        handlers,
        published=b"",
        body_limit=8_000_000,
        refused=keep_refusals(engine, cast.clock) if keep else None,
        prechecks=PRECHECKS,
        identify=lambda environ: Caller(caller[0], "127.0.0.1"),
    )
    return Party({"/Service/v3": application}, engine, operator_tables, caller)
